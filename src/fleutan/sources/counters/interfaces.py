# SPDX-License-Identifier: Apache-2.0
"""Counters of this host's interfaces: a data source each, numbered by ifIndex.

if_counters and port_name of all, lag_port_stats of ports of bonds, sfp of optical modules, pfc where
a driver counts what priority flow control did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from fleutan.errors import FleutanError
from fleutan.linux import bonding, driverstats, ethtool
from fleutan.linux.bonding import Port
from fleutan.linux.cpus import read
from fleutan.linux.driverstats import Places
from fleutan.linux.ethtool import Ask
from fleutan.linux.linkstats import Stats
from fleutan.linux.proc import PROC
from fleutan.observed import INTERFACE, Counters, Source
from fleutan.sources.counters import ifstructures
from fleutan.sources.counters.devices import Devices, Interface, not_loopback, selected
from fleutan.sources.counters.modules import Modules


class InterfaceCounters:
    """The interfaces that are up, of those that ``wanted`` says yes to: all but the loopback device.

    They come, go and change names as they like; nothing is kept of what is gone.
    """

    def __init__(
        self,
        devices: Devices,
        wanted: Callable[[Interface], bool] = not_loopback,
        proc: str = PROC,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._devices = devices
        self._wanted = wanted
        self._proc = proc
        self._drivers: dict[int, _Driver] = {}
        self._modules = Modules(clock)
        self._trouble: list[str] = []

    def sources(self) -> list[Source]:
        """Those that there are now."""
        table = self._devices.table()
        self._drivers = {index: one for index, one in self._drivers.items() if index in table}
        self._modules.keep(table)
        return [Source(INTERFACE, one.ifindex) for one in selected(table, self._wanted)]

    def read(self, wanted: Collection[Source]) -> Iterator[Counters]:
        """The counters of these; of one that is gone meanwhile there are none."""
        table = self._devices.table(1.0)
        due = [table[index] for kind, index in wanted if kind == INTERFACE and index in table]
        try:
            stats = self._devices.stats([one.ifindex for one in due], [one.ifindex for one in due if one.bonded])
        except (FleutanError, OSError) as error:
            self._trouble = [f"interfaces: {error}"]
            return
        self._trouble = []
        with ExitStack() as held:
            try:
                ask = held.enter_context(self._devices.kernel.asking())
            except OSError as error:
                self._trouble = [f"drivers of interfaces: {error}"]
                ask = _refused
            yield from self._counters(ask, table, [one for one in due if one.ifindex in stats], stats)

    def notes(self) -> list[str]:
        """What cannot be known and why."""
        return [*self._devices.notes(), *self._trouble]

    def _counters(
        self, ask: Ask, table: Mapping[int, Interface], due: Iterable[Interface], stats: Mapping[int, Stats]
    ) -> Iterator[Counters]:
        ports = _Ports(self._proc, table)
        self._modules.begin()
        for one in due:
            counted = stats[one.ifindex]
            of_driver = self._of_driver(ask, one)
            structures: dict[str, Mapping[str, Any]] = {
                "if_counters": ifstructures.if_counters(one, counted, of_driver),
                "port_name": {"name": one.name},
            }
            if one.bonded:
                structures["lag_port_stats"] = ifstructures.lag_port_stats(one, ports.of(one), counted.lacp)
            if one.hardware and (optics := self._modules.read(ask, one)):
                structures["sfp"] = ifstructures.sfp(one, optics)
            if "pfc_rx" in of_driver or "pfc_tx" in of_driver:
                structures["pfc"] = ifstructures.pfc(of_driver)
            yield Counters(Source(INTERFACE, one.ifindex), structures, self._labels(one))

    def _of_driver(self, ask: Ask, one: Interface) -> dict[str, int]:
        """What rtnetlink does not have, of hardware: what is made by software counts no more than that."""
        if not one.hardware:
            return {}
        known = self._drivers.get(one.ifindex)
        if known is None or known.name != one.name:
            known = self._drivers[one.ifindex] = _learn(ask, one.name)
        if not known.places:
            return {}
        counted = ethtool.counters(ask, one.name, known.counters)
        if counted is None:  # they are others by now
            del self._drivers[one.ifindex]
            return {}
        return driverstats.totals(known.places, counted)

    def _labels(self, one: Interface) -> dict[str, str]:
        labels = {
            "dev": one.name,
            "alias": one.alias,
            "mac": one.mac.hex(":") if one.mac else None,
            "netns": self._devices.netns(),
        }
        return {name: text for name, text in labels.items() if text}


class _Driver(NamedTuple):
    """How many counters the driver of a device has, and where those are that are known."""

    name: str
    counters: int
    places: Places


def _learn(ask: Ask, name: str) -> _Driver:
    names = ethtool.counter_names(ask, name)
    return _Driver(name, len(names), driverstats.places(names))


def _refused(_name: str, _request: object) -> None:
    raise OSError


class _Ports:
    """Ports of bonds, of which each bond's file is read once."""

    def __init__(self, proc: str, table: Mapping[int, Interface]) -> None:
        self._proc = proc
        self._table = table
        self._read: dict[int, dict[str, Port]] = {}

    def of(self, one: Interface) -> Port:
        master = one.master or 0
        if master not in self._read:
            self._read[master] = self._ports(self._table.get(master))
        return self._read[master].get(one.name, Port())

    def _ports(self, bond: Interface | None) -> dict[str, Port]:
        if bond is None:
            return {}
        try:
            return bonding.ports(read(f"{self._proc}/thread-self/net/bonding/{bond.name}"))
        except OSError:
            return {}
