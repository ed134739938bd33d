# SPDX-License-Identifier: Apache-2.0
"""What plugged optical modules measure, asked for seldom: their memory is behind a slow bus."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from fleutan.linux import ethtool, optics
from fleutan.linux.ethtool import Ask
from fleutan.linux.optics import Optics
from fleutan.sources.counters.devices import Interface

#: A module is asked again after so many seconds, also one that told nothing.
SECONDS = 300.0
#: So many seconds of one round of reading modules take at most, beside the one that takes longer; others wait.
ROUND = 0.2


class _Kept(NamedTuple):
    name: str
    at: float
    optics: Optics | None


class Modules:
    """The modules of interfaces, as they were within the last five minutes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[int, _Kept] = {}
        self._until = 0.0

    def keep(self, present: Collection[int]) -> None:
        """Only interfaces of these indexes are there still."""
        self._kept = {index: one for index, one in self._kept.items() if index in present}

    def begin(self) -> None:
        """A round of reading begins."""
        self._until = self._clock() + ROUND

    def read(self, ask: Ask, interface: Interface) -> Optics | None:
        """What the module of an interface measures; None where none is plugged that does, or it was not its turn."""
        now = self._clock()
        kept = self._kept.get(interface.ifindex)
        if kept is not None and kept.name != interface.name:
            kept = None
        if kept is None or now - kept.at >= SECONDS:
            if now >= self._until:
                return kept.optics if kept else None
            module = ethtool.module(ask, interface.name)
            told = optics.read(module.type, module.memory) if module else None
            kept = self._kept[interface.ifindex] = _Kept(interface.name, now, told)
        return kept.optics
