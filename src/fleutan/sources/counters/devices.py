# SPDX-License-Identifier: Apache-2.0
"""The network interfaces of the agent's namespace: what each is, as of about this second.

Counters are asked for here too, but what they mean is the business of ``interfaces`` and ``totals``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

from fleutan.errors import FleutanError
from fleutan.linux import ethtool, linkstats, namespaces
from fleutan.linux.cpus import SYS, number
from fleutan.linux.devices import IFF_LOOPBACK, IFF_RUNNING, IFF_UP, Device, Listing
from fleutan.linux.ethtool import Ask, Link
from fleutan.linux.linkstats import Stats

#: Drivers are asked again for the speed after so many seconds, if nothing else about a device has changed ...
LINK_SECONDS = 60.0
#: ... of so many devices a time.
AT_ONCE = 200

#: Kinds of devices one end of which is another device.
PAIRED = ("veth", "netkit")
#: Kinds of devices that hardware has.
_HARDWARE = ("ipoib", "wwan")


class Interface(NamedTuple):
    """An interface; None for what is not known or does not apply.

    ``arphrd`` is the kernel's type of hardware (ARPHRD_*, 1 Ethernet), ``kind`` how the device was
    made (veth, bridge, vlan, bond …; None for hardware's and the loopback device).  ``master`` is
    the index of the bridge or bond that it is a port of, ``lower`` of the device that it lies on,
    ``peer`` of the other end of a pair; ``elsewhere`` says that ``lower`` or ``peer`` is in another
    namespace, and counts there.  ``up`` is the administrator's wish, ``running`` says that it can
    carry packets.  ``speed`` is in bits per second.
    """

    ifindex: int
    name: str
    mac: bytes | None = None
    alias: str | None = None
    arphrd: int = 1
    kind: str | None = None
    master: int | None = None
    lower: int | None = None
    peer: int | None = None
    elsewhere: bool = False
    up: bool = True
    running: bool = True
    loopback: bool = False
    promiscuous: bool = False
    wireless: bool = False
    hardware: bool = False
    speed: int | None = None
    full_duplex: bool | None = None
    bonded: bool = False
    lacp: tuple[int | None, int | None] = (None, None)


class Kernel(NamedTuple):
    """What is asked of Linux; whoever has answers of another origin puts them in its place."""

    listing: Callable[[], Mapping[int, Device]]
    stats: Callable[[Collection[int], int, Collection[int]], Mapping[int, Stats]] = linkstats.of
    asking: Callable[[], AbstractContextManager[Ask]] = ethtool.asking
    namespace: Callable[[], str] = lambda: namespaces.current().name


class Devices:
    """The interfaces of the calling thread's namespace, asked for again and again.

    One is shared by all that want to know of interfaces.
    """

    def __init__(
        self, kernel: Kernel | None = None, sys: str = SYS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.kernel = kernel or Kernel(Listing().read)
        self._sys = sys
        self._clock = clock
        self._read_at: float | None = None
        self._table: dict[int, Interface] = {}
        self._told: dict[int, _Told] = {}
        self._trouble: list[str] = []
        self._namespace: str | None = None

    def table(self, age: float = 0.0) -> Mapping[int, Interface]:
        """Every interface by its index, as it was at most ``age`` seconds ago.

        Where the kernel does not tell, it is as it was before, and a note says so.
        """
        now = self._clock()
        if self._read_at is None or now - self._read_at > age or age <= 0:
            try:
                listed = self.kernel.listing()
            except (FleutanError, OSError) as error:
                self._trouble = [f"interfaces: {error}"]
            else:
                self._trouble = []
                self._read_at = now
                self._ask_drivers(listed, now)
                self._table = {index: self._told[index].interface for index in listed}
        return self._table

    def stats(self, wanted: Collection[int], ports: Collection[int] = ()) -> Mapping[int, Stats]:
        """What these counted, by index.  Raises FleutanError or OSError where the kernel does not tell."""
        return self.kernel.stats(wanted, len(self._table), ports) if wanted else {}

    def notes(self) -> list[str]:
        """What cannot be known and why."""
        return self._trouble

    def netns(self) -> str | None:
        """The name of the namespace; None where it has none that could be found."""
        if self._namespace is None:
            try:
                self._namespace = self.kernel.namespace()
            except (FleutanError, OSError):
                self._namespace = ""
        return self._namespace or None

    def _ask_drivers(self, listed: Mapping[int, Device], now: float) -> None:
        """Whatever has changed, and some of what was asked longest ago."""
        told = {index: self._told[index] for index in listed if index in self._told}
        changed = [device for index, device in listed.items() if index not in told or told[index].device != device]
        old = [one.device for one in told.values() if now - one.at > LINK_SECONDS and one.device.flags & IFF_UP]
        due = {device.ifindex: device for device in (*old[:AT_ONCE], *changed)}
        if due:
            try:
                with self.kernel.asking() as ask:
                    told.update((index, self._asked(ask, device, now)) for index, device in due.items())
            except OSError as error:
                self._trouble = [f"speeds of interfaces: {error}"]
                unknown = ((device, _interface(device, Link(), False)) for device in changed)
                told.update((device.ifindex, _Told(device, now, one)) for device, one in unknown)
        self._told = told

    def _asked(self, ask: Ask, device: Device, now: float) -> _Told:
        """What is down has no speed."""
        link = ethtool.link(ask, device.name) if device.flags & IFF_UP else Link()
        return _Told(device, now, _interface(device, link, device.kind is None and self._is_wireless(device)))

    def _is_wireless(self, device: Device) -> bool:
        """/sys may show another namespace, with another device of the name."""
        folder = f"{self._sys}/class/net/{device.name}"
        return os.path.exists(f"{folder}/phy80211") and number(f"{folder}/ifindex") == device.ifindex


class _Told(NamedTuple):
    """An interface, what rtnetlink said of it, and when its driver was asked."""

    device: Device
    at: float
    interface: Interface


def devices() -> list[Interface]:
    """The interfaces of the calling thread's namespace now, by index; none where the kernel does not tell."""
    return sorted(Devices().table().values())


def _interface(device: Device, link: Link, wireless: bool) -> Interface:
    below = None if device.link == device.ifindex else device.link
    paired = device.kind in PAIRED
    return Interface(
        device.ifindex,
        device.name,
        mac=device.mac,
        alias=device.alias,
        arphrd=device.arphrd,
        kind=device.kind,
        master=device.master,
        lower=None if paired else below,
        peer=below if paired else None,
        elsewhere=device.elsewhere,
        up=bool(device.flags & IFF_UP),
        running=bool(device.flags & IFF_RUNNING),
        loopback=bool(device.flags & IFF_LOOPBACK),
        promiscuous=device.promiscuity > 0,
        wireless=wireless,
        hardware=_is_hardware(device, below),
        speed=link.speed,
        full_duplex=link.full_duplex,
        bonded=device.slave_kind == "bond",
        lacp=device.lacp,
    )


def _is_hardware(device: Device, below: int | None) -> bool:
    made = device.kind not in (None, *_HARDWARE)
    return not (made or below or device.flags & IFF_LOOPBACK)


def counting_once(table: Mapping[int, Interface]) -> list[Interface]:
    """Those that together see every packet of this host once: where it enters the host, or leaves it.

    That is hardware: what bridges, bonds, VLANs and tunnels see has passed it too.  One whose master is
    itself hardware's (a virtual function below hv_netvsc, net_failover) is counted by that.  Where
    there is no hardware, in a container, it is the devices whose other end or lower device is in another
    namespace.
    """
    hardware = [one for one in table.values() if one.hardware and not _is_hardwares(table.get(one.master or 0))]
    return hardware or [one for one in table.values() if one.elsewhere]


def _is_hardwares(interface: Interface | None) -> bool:
    return interface is not None and interface.hardware


def adapters(table: Mapping[int, Interface], most: int) -> list[Interface]:
    """Those by whose Ethernet addresses others know this host: up, with an address, no end of a pair, at most so many.

    Ports of virtual machines (tun in a bridge) are theirs.  Where ends of pairs are all that there is, in a
    container, they are those.
    """
    able = [one for one in table.values() if one.up and one.arphrd == 1 and any(one.mac or b"")]
    own = [one for one in able if one.kind not in PAIRED and not (one.kind == "tun" and one.master)]
    return sorted(own or able)[:most]


def not_loopback(interface: Interface) -> bool:
    """Whether an interface is told of where nobody says otherwise."""
    return not interface.loopback


def selected(table: Mapping[int, Interface], wanted: Callable[[Interface], bool]) -> Iterable[Interface]:
    """Interfaces that are up, of those wanted."""
    return (one for one in table.values() if one.up and wanted(one))
