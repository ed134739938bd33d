# SPDX-License-Identifier: Apache-2.0
"""Counters of this host as a whole: one data source, and the structures that Host sFlow has of a host.

Each file of the kernel's is read once a poll.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from fleutan.linux.cpus import SYS, number
from fleutan.linux.host import disks, filesystems, identity, memory, processors, snmp
from fleutan.linux.host.filesystems import Answer, Room
from fleutan.linux.proc import PROC
from fleutan.observed import HOST, Counters, Source
from fleutan.sources.counters import hoststructures
from fleutan.sources.counters.devices import Devices, adapters
from fleutan.sources.counters.totals import Totals

THIS_HOST = Source(HOST, 1)
#: As many as Host sFlow tells of.
ADAPTERS = 32
ETC = "/etc"
_FLAGS = os.O_RDONLY | os.O_CLOEXEC
#: What is read at a time; the kernel makes a page of its longer texts at a time.
_CHUNK = 1 << 16
_PAGE = 4096


def _statvfs(path: bytes) -> Answer:
    found = os.statvfs(path)
    return Answer(found.f_frsize, found.f_blocks, found.f_bavail)


class HostCounters:
    """This host.

    ``uuid`` (16 octets) and ``hostname`` are told where they are given; else they are those of the
    machine, /etc/machine-id before what the firmware says.
    """

    def __init__(
        self,
        devices: Devices,
        uuid: bytes | None = None,
        hostname: str | None = None,
        proc: str = PROC,
        sys: str = SYS,
        etc: str = ETC,
        statvfs: Callable[[bytes], Answer] = _statvfs,
    ) -> None:
        self._devices = devices
        self._totals = Totals(devices)
        self._uuid = uuid
        self._hostname = hostname
        self._proc, self._sys, self._etc = proc, sys, etc
        self._statvfs = statvfs
        self._trouble: list[str] = []
        self._megahertz: int | None = None
        self._lowest: tuple[frozenset[str], set[str]] = frozenset(), set()
        self._mounts: tuple[bytes, list[bytes]] = b"", []

    def sources(self) -> list[Source]:
        """The one that there is."""
        return [THIS_HOST]

    def read(self, wanted: Collection[Source]) -> Iterator[Counters]:
        """Its counters, if it is wanted."""
        if THIS_HOST in wanted:
            self._trouble = []
            names = os.uname()
            hostname = self._hostname or names.nodename
            yield Counters(THIS_HOST, self._structures(hostname, names), {"host": hostname})

    def notes(self) -> list[str]:
        """What cannot be known and why."""
        return [*self._trouble, *self._totals.notes()]

    def _structures(self, hostname: str, names: os.uname_result) -> dict[str, Mapping[str, Any]]:
        """In the order in which Host sFlow sends them."""
        return {
            "host_adapters": hoststructures.host_adapters(adapters(self._devices.table(1.0), ADAPTERS)),
            **hoststructures.mib2(snmp.snmp(self._text("thread-self/net/snmp"))),
            "host_disk_io": hoststructures.host_disk_io(self._disks(), self._room()),
            "host_memory": self._memory(),
            "host_cpu": self._cpu(),
            "host_net_io": self._totals.read(),
            "host_descr": hoststructures.host_descr(hostname, self._identifier(), names.machine, names.release),
        }

    def _text(self, name: str) -> bytes:
        """A file of /proc; nothing, and a note, where it cannot be read."""
        path = f"{self._proc}/{name}"
        try:
            return _whole(path)
        except OSError as error:
            self._trouble.append(f"host: {path} cannot be read: {os.strerror(error.errno or 0).lower()}")
            return b""

    def _memory(self) -> Mapping[str, Any]:
        return hoststructures.host_memory(memory.meminfo(self._text("meminfo")), memory.vmstat(self._text("vmstat")))

    def _cpu(self) -> Mapping[str, Any]:
        load, stat = processors.loadavg(self._text("loadavg")), processors.stat(self._text("stat"))
        uptime = processors.uptime(self._text("uptime"))
        return hoststructures.host_cpu(load, stat, uptime, self._speed(), os.sysconf("SC_CLK_TCK"))

    def _speed(self) -> int | None:
        """Megahertz: the most that may be used; where the kernel does not choose it, what /proc/cpuinfo says."""
        kilohertz = number(f"{self._sys}/devices/system/cpu/cpu0/cpufreq/scaling_max_freq")
        if kilohertz:
            return kilohertz // 1000
        if self._megahertz is None:  # it does not change then, and of many processors that is a long text
            self._megahertz = processors.megahertz(_beginning(f"{self._proc}/cpuinfo"))
        return self._megahertz

    def _disks(self) -> disks.Disk | None:
        folder = f"{self._sys}/block"
        try:
            names = frozenset(os.listdir(folder))
        except OSError as error:
            self._trouble.append(f"host: {folder} cannot be read: {os.strerror(error.errno or 0).lower()}")
            return None
        found = disks.diskstats(self._text("diskstats"))
        if names != self._lowest[0]:
            self._lowest = names, disks.lowest(names, [name for name in names if _has_slaves(f"{folder}/{name}")])
        return disks.total(found[name] for name in self._lowest[1] if name in found)

    def _room(self) -> Room | None:
        text = self._text("self/mountinfo")
        if text != self._mounts[0]:  # it seldom changes, and of many containers it is long
            self._mounts = text, filesystems.local(filesystems.mounts(text))
        return filesystems.room(self._mounts[1], self._statvfs)

    def _identifier(self) -> bytes | None:
        if self._uuid is None:
            for path in (f"{self._etc}/machine-id", f"{self._sys}/class/dmi/id/product_uuid"):
                self._uuid = self._uuid or identity.identifier(_beginning(path).decode("ascii", "replace"))
        if self._uuid is None:
            self._trouble.append(f"host: it has no identifier: neither {self._etc}/machine-id nor the firmware tells")
        return self._uuid


def _whole(path: str) -> bytes:
    file = os.open(path, _FLAGS)
    try:
        parts = [os.read(file, _CHUNK)]
        while parts[-1]:
            parts.append(os.read(file, _CHUNK))
        return b"".join(parts)
    finally:
        os.close(file)


def _beginning(path: str) -> bytes:
    """The first page of a file; nothing where it cannot be read."""
    try:
        file = os.open(path, _FLAGS)
    except OSError:
        return b""
    try:
        return os.read(file, _PAGE)
    except OSError:
        return b""
    finally:
        os.close(file)


def _has_slaves(folder: str) -> bool:
    try:
        return bool(os.listdir(f"{folder}/slaves"))
    except OSError:
        return False
