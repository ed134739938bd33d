# SPDX-License-Identifier: Apache-2.0
"""Dropped packets with their headers, why and where, in sFlow's words: a batch at a time.

A flood of drops costs next to nothing: in the kernel there is a quota of what is told, beyond which drops are
counted only, and where even that is too much the program is taken out for a while.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Self

import numpy as np

from fleutan.errors import FleutanError, UsageError
from fleutan.linux import reasons
from fleutan.linux.discards import Discarded, Discarding
from fleutan.linux.drops import Symbols
from fleutan.protocols.spans import Mask
from fleutan.sources.breaker import Breaker
from fleutan.sources.discarded import Discards, discards_of
from fleutan.sources.discardreasons import NOT_LOST


class Bounds(NamedTuple):
    """What may be told: ``limit`` packets a second, with ``header`` octets of each.

    With more than ``most`` drops a second for ``seconds`` none is looked at for a while.
    ``hide`` is a regular expression: what functions drop whose name it is found in is passed over, and ``ignored`` are
    names of reasons that are.  With ``only_own`` other network namespaces' packets are, too.
    """

    limit: int = 100
    header: int = 128
    most: int = 100_000
    seconds: float = 2.0
    hide: str = ""
    ignored: Collection[str] = NOT_LOST
    only_own: bool = False


class Surroundings(NamedTuple):
    """What is asked of this host; tests put others in its place."""

    functions: Callable[[Collection[int]], Mapping[int, str]]
    drop_reasons: Callable[[], Mapping[int, str]]


HOST = Surroundings(Symbols().names, reasons.drop_reasons)


class DiscardedPackets:
    """The packets that this host drops, from ``with`` on, which raises NotSupported where they cannot be known.

    Making it raises UsageError where ``hide`` is no regular expression or numbers are out of bounds.
    """

    def __init__(
        self,
        bounds: Bounds = Bounds(),  # noqa: B008  # is never changed
        around: Surroundings = HOST,
        steady: Callable[[], float] = time.monotonic,
        kernel: Callable[..., Discarding] = Discarding,
    ) -> None:
        self._bounds, self._around, self._steady = bounds, around, steady
        self._hide = _pattern(bounds.hide)
        ignored = [number for number, name in around.drop_reasons().items() if name in bounds.ignored]
        self._kernel = kernel(bounds.limit, bounds.header, ignored, bool(bounds.hide), bounds.only_own)
        self._breaker = Breaker(bounds.most, bounds.seconds)
        self._nameless = False
        self._nothing: Discards | None = None
        self._trouble = ""

    def __enter__(self) -> Self:
        self._kernel.__enter__()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._kernel.__exit__(*trouble)

    def wait(self, seconds: float) -> None:
        """Waits so long at most, or until there is more than can wait longer."""
        self._kernel.wait(seconds)

    def read(self) -> Discards:
        """What was told since the last call; to be called about once a second at least.  Raises FleutanError."""
        self._switch()
        found = self._kernel.read()
        if not len(found.at_ns):
            if self._nothing is None:
                self._nothing = discards_of(found, self._kernel.netns, {}, {}, {})
            return self._nothing
        functions = self._around.functions(np.unique(found.location).tolist())
        self._nameless = not functions
        hidden = [place for place, name in functions.items() if self._hide and self._hide.search(name)]
        if hidden:
            self._kernel.hide(hidden)
            found = _without(found, np.isin(found.location, hidden))
        return discards_of(found, self._kernel.netns, self._kernel.suppressed(), functions, self._around.drop_reasons())

    def suppressed(self) -> dict[int, int]:
        """How many were not told so far by ifIndex, 0 for what is no own interface's.  Raises FleutanError."""
        return self._kernel.suppressed()

    def notes(self) -> list[str]:
        """What cannot be known now, and why."""
        notes = []
        if self._breaker.is_open:
            left = max(0.0, self._breaker.closes_at - self._steady())
            notes.append(
                f"dropped packets are not looked at for another {left:.0f} s: there were more than "
                f"{self._bounds.most} a second for {self._bounds.seconds:g} s"
            )
        elif self._breaker.trips:
            times = self._breaker.trips
            notes.append(f"dropped packets were too many a second {times} times, and not looked at for a while")
        if self._trouble:
            notes.append(f"dropped packets: {self._trouble}")
        if self._nameless:
            notes.append("the functions that drop are not known: /proc/kallsyms tells no addresses; it takes root")
        if missed := self._kernel.missed():
            notes.append(f"{missed} packets were dropped while another was looked at and are not known")
        return notes

    def _switch(self) -> None:
        """Takes the program out or puts it in again where that is due."""
        if not self._breaker.told(self._kernel.events(), self._steady()):
            return
        if self._breaker.is_open:
            self._kernel.detach()
            return
        try:
            self._kernel.attach()
            self._trouble = ""
        except FleutanError as error:
            self._trouble = str(error)
            self._breaker.open(self._steady())


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise UsageError(f"{text!r} is no regular expression: {error}") from None


def _without(found: Discarded, away: Mask) -> Discarded:
    octets, *columns = found
    return Discarded(octets, *(column[~away] for column in columns))
