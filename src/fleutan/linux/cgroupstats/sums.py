# SPDX-License-Identifier: Apache-2.0
"""Sums of counters that do not go back when one of those that count ends."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

Counts = Sequence[int | None]


class Kept:
    """Counters side by side, ``width`` of each, by who counts them (a process, a device, a group).

    What one had counted when it was seen last stays in the sum after its end; one that counts less
    than before has begun anew.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._ended: list[int | None] = [None] * width
        self._has_ended = False
        self._last: dict[Hashable, list[int | None]] = {}

    def total(self, now: Mapping[Any, Counts]) -> tuple[int | None, ...]:
        """The sums, of those that there are now and of all that ended; None of what nobody ever told."""
        for key in self._last.keys() - now.keys():
            self._end(self._last.pop(key))
        for key, counts in now.items():
            self._last[key] = self._told(self._last.get(key), counts)
        present = [*self._last.values()]
        if len(present) == 1 and not self._has_ended:  # as it is with nearly all
            return tuple(present[0])
        return tuple(_sum(*column) for column in zip(self._ended, *present, strict=True))

    def forget(self, key: Hashable) -> None:
        """What this one counted is in another's counters from now on."""
        self._last.pop(key, None)

    def _told(self, before: list[int | None] | None, counts: Counts) -> list[int | None]:
        """The counts, and where one is not told this time, what it was."""
        merged = list(before or [None] * self._width)
        for at, count in enumerate(counts):
            old = merged[at]
            if count is None:
                continue
            if old is not None and count < old:
                self._ended[at] = _sum(self._ended[at], old)
                self._has_ended = True
            merged[at] = count
        return merged

    def _end(self, counts: list[int | None]) -> None:
        self._has_ended = True
        self._ended = [_sum(*both) for both in zip(self._ended, counts, strict=True)]


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
