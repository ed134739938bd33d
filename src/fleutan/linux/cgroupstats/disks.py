# SPDX-License-Identifier: Apache-2.0
"""One sum of what went to and from several disks, some of which may lie on others.

The kernel counts what goes through a mapped device (LVM, encryption, RAID 1) there and at the disks
below, but where a request is only sent on (RAID 0) at the upper one alone.  So of devices that belong
together the larger counts: those at the bottom, or those at the top.  What is memory in truth (ram,
zram), or a file on another device (loop), is left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping

from fleutan.linux.cgroupstats import files
from fleutan.linux.cgroupstats.parse import Io

SYS = "/sys"
#: Kinds of devices by their names that are no disks.
_NOT_DISKS = ("loop", "ram", "zram")
#: Seconds for which it is believed what lies on what.
LIFETIME_S = 60.0


class Disks:
    """What lies on what, from ``/sys/dev/block``, looked up once in a while."""

    def __init__(self, root: str = SYS, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._until = 0.0
        self._known: dict[str, frozenset[str] | None] = {}

    def total(self, counts: Mapping[str, Io]) -> Io:
        """The sum of counts by device (``MAJOR:MINOR``); nothing counted is 0."""
        if self._clock() >= self._until:
            self._known.clear()
            self._until = self._clock() + LIFETIME_S
        below = {device: lower for device in counts if (lower := self._below(device)) is not None}
        lowers = {device: lower & below.keys() for device, lower in below.items()}
        sums = [_larger(group, lowers, counts) for group in _groups(lowers)]
        return _added(sums)

    def _below(self, device: str) -> frozenset[str] | None:
        """All devices below this one; None for what is no disk."""
        if device not in self._known:
            self._known[device] = self._looked_up(device, frozenset())
        return self._known[device]

    def _looked_up(self, device: str, above: frozenset[str]) -> frozenset[str] | None:
        place = os.path.realpath(f"{self._root}/dev/block/{device}")
        if os.path.basename(place).rstrip("0123456789") in _NOT_DISKS:
            return None
        nearest = frozenset(self._slaves(place)) - above - {device}
        further = (self._looked_up(one, above | nearest | {device}) for one in nearest)
        return nearest.union(*(lower for lower in further if lower))

    def _slaves(self, place: str) -> Iterable[str]:
        """The whole disks that a device lies on, or lies on a part of."""
        try:
            names = os.listdir(f"{place}/slaves")
        except OSError:
            return
        for name in names:
            slave = os.path.realpath(f"{place}/slaves/{name}")
            whole = os.path.dirname(slave) if os.path.exists(f"{slave}/partition") else slave
            if number := files.text(f"{whole}/dev"):
                yield number.strip()


def _groups(lowers: Mapping[str, frozenset[str]]) -> list[set[str]]:
    """Devices that lie on one another, or on the same."""
    groups: list[set[str]] = []
    for device, lower in lowers.items():
        group = {device, *lower}
        apart = [other for other in groups if not other & group]
        for other in groups:
            if other & group:
                group |= other
        groups = [*apart, group]
    return groups


def _larger(group: Iterable[str], lowers: Mapping[str, frozenset[str]], counts: Mapping[str, Io]) -> Io:
    bottom = [device for device in group if not lowers[device]]
    covered = {lower for device in group for lower in lowers[device]}
    top = [device for device in group if device not in covered]
    sums = (_added(counts[device] for device in devices) for devices in (bottom, top))
    return Io(*(max(one or 0, other or 0) for one, other in zip(*sums, strict=True)))


def _added(counts: Iterable[Io]) -> Io:
    columns = zip(Io(0, 0, 0, 0), *counts, strict=False)
    return Io(*(sum(count or 0 for count in column) for column in columns))
