# SPDX-License-Identifier: Apache-2.0
"""Sequence numbers of many exporters, in the order of their arrival: missing, late, repeated, begun anew.

What lives here knows no protocol: a row has a number, and a step by which the exporter's numbers
go on because of it.  That is 1 for sFlow datagrams, for samples of a data source, and for NetFlow
v9; the number of flows or records for NetFlow v5 and IPFIX (RFC 7011, 3.1), whose number tells how
many were sent before.

A number is compared with the row before (has the exporter begun anew?) and with the highest end
so far (is it ahead, or late?).  Between batches an exporter is a few numbers; they are all
relative to where it is expected to go on, so that nothing grows with time.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: What a row is: an exporter's first; what was expected; behind a gap; from before the highest;
#: one of the last rows again; the first after the exporter began anew.
FIRST, NEXT, AHEAD, LATE, AGAIN, ANEW = range(6)
#: How many exporters are known at most; the one not heard of for longest is forgotten.
EXPORTERS = 1 << 16
#: How many of an exporter's last rows are remembered to tell rows that come again from late ones.
RECENT = 16
#: How far a number may be behind or ahead of the row before; beyond, the exporter began anew.
BEHIND, FORWARD = 1 << 12, 1 << 24
_MASK = 0xFFFF_FFFF
_HALF = 1 << 31
#: Farther than any two numbers are apart, and how far back an exporter's last row may be remembered.
_ANEW, _FAR = 1 << 33, -(1 << 40)


class Arrivals(NamedTuple):
    """A row each: ``kind`` ``(n,)`` uint8, and of those ``AHEAD`` how many numbers are ``missing`` before them."""

    kind: NDArray[np.uint8]
    missing: Ints


class Totals(NamedTuple):
    """Of each group: numbers that are missing, numbers that came late after all, and rows of three kinds.

    All are ``(groups,)`` int64.  What is lost are the missing numbers without the ``found`` ones.
    """

    missing: Ints
    found: Ints
    late: Ints
    again: Ints
    anew: Ints


def totals(arrivals: Arrivals, groups: Ints, step: Ints, size: int) -> Totals:
    """What happened to each of ``size`` groups."""

    def of(kind: int, weights: Ints | None = None) -> Ints:
        rows = arrivals.kind == kind
        counted = np.bincount(groups[rows], None if weights is None else weights[rows], size)
        return counted.astype(np.int64)

    return Totals(of(AHEAD, arrivals.missing), of(LATE, step), of(LATE), of(AGAIN), of(ANEW))


class Sequences:
    """Where each exporter is; ``forgotten`` counts those that had to make room.

    At most ``exporters`` are known between batches.
    """

    def __init__(self, exporters: int = EXPORTERS, behind: int = BEHIND, forward: int = FORWARD) -> None:
        self.exporters, self.behind, self.forward = exporters, behind, forward
        self.forgotten = 0
        self._slots: dict[Hashable, int] = {}
        self._free: list[int] = []
        self._places = _Places.of(0)

    def follow(
        self, keys: Sequence[Hashable], groups: Ints, sequence: Ints, step: Ints, anew: Mask | None = None
    ) -> Arrivals:
        """What the rows of a batch are, in the order of their arrival.

        ``keys`` name exporters, ``groups`` ``(n,)`` says which of them each row is of; ``sequence``
        and ``step`` have 32 bits.  ``anew`` marks rows of which something else says that their
        exporter began anew, such as its uptime.
        """
        arrivals = Arrivals(np.zeros(len(groups), np.uint8), np.zeros(len(groups), np.int64))
        if len(groups):
            slots = np.fromiter(map(self._slot, keys), np.int64, len(keys))
            # Numbers of 16 bits are sorted in a third of the time.
            order = np.argsort(groups.astype(np.uint16) if len(keys) <= 1 << 16 else groups, kind="stable")
            rows = _Rows.of(groups[order], sequence[order], step[order])
            begun = np.zeros(len(groups), np.bool_) if anew is None else anew[order]
            arrivals.kind[order], arrivals.missing[order] = self._judge(rows, slots[rows.group], begun)
            self._forget()
        return arrivals

    def _judge(self, rows: _Rows, slots: Ints, anew: Mask) -> tuple[NDArray[np.uint8], Ints]:
        before = self._places.take(slots)
        first = np.zeros(len(anew), np.bool_)
        first[rows.firsts] = ~before.known
        jump = rows.jumps(before)
        begun = ~first & (anew | (jump < -self.behind) | (jump > self.forward))
        line = _Line.of(rows, before, np.where(first | begun, _ANEW, jump), self.behind)
        ahead = line.starts - line.expected
        late = np.flatnonzero((ahead < 0) & ~first & ~begun)
        kind = np.where(ahead > 0, AHEAD, np.where(ahead < 0, LATE, NEXT)).astype(np.uint8)
        kind[late[_again(late, rows, before, line)]] = AGAIN
        kind[first], kind[begun] = FIRST, ANEW
        self._places.put(slots, _after(rows, before, line))
        return kind, np.where(kind == AHEAD, ahead, 0)

    def _slot(self, key: Hashable) -> int:
        """Where the exporter is kept; it moves to the end of those that may be forgotten."""
        slot = self._slots.pop(key, None)
        if slot is None:
            slot = self._free.pop() if self._free else len(self._slots)
            self._places = self._places.with_room(slot)
        self._slots[key] = slot
        return slot

    def _forget(self) -> None:
        while len(self._slots) > self.exporters:
            slot = self._slots.pop(next(iter(self._slots)))
            self._places.known[slot] = False
            self._free.append(slot)
            self.forgotten += 1


class _Places(NamedTuple):
    """What is kept of exporters: whether anything is, the number expected next, and relative to that
    the end of the last row, and where the last rows began, the newest first (``(RECENT, n)``).
    """

    known: Mask
    expected: Ints
    last: Ints
    recent: Ints

    @classmethod
    def of(cls, size: int) -> _Places:
        return cls(
            np.zeros(size, np.bool_), np.zeros(size, np.int64), np.zeros(size, np.int64), np.full((RECENT, size), _FAR)
        )

    def with_room(self, slot: int) -> _Places:
        if slot < len(self.known):
            return self
        new = _Places.of(max(64, len(self.known)))
        return _Places(*(np.concatenate(pair, axis=-1) for pair in zip(self, new, strict=True)))

    def take(self, slots: Ints) -> _Places:
        known = self.known[slots]
        recent = np.where(known, self.recent[:, slots], _FAR)
        return _Places(known, np.where(known, self.expected[slots], 0), np.where(known, self.last[slots], 0), recent)

    def put(self, slots: Ints, after: _Places) -> None:
        for mine, theirs in zip(self, after, strict=True):
            mine[..., slots] = theirs


class _Rows(NamedTuple):
    """Rows exporter by exporter: of each exporter its ``group``, and its first and last row; of each
    row its exporter (``member``, from 0), its number and its step.
    """

    group: Ints
    firsts: Ints
    lasts: Ints
    member: Ints
    number: Ints
    step: Ints

    @classmethod
    def of(cls, groups: Ints, number: Ints, step: Ints) -> _Rows:
        changes = np.diff(groups, prepend=groups[0] - 1) != 0
        firsts = np.flatnonzero(changes)
        lasts = np.append(firsts[1:], len(groups)) - 1
        return cls(groups[firsts], firsts, lasts, np.cumsum(changes) - 1, number, step)

    def jumps(self, before: _Places) -> Ints:
        """How far each number is from the end of its exporter's row before, as a signed number of 32 bits."""
        ends = np.append(0, (self.number + self.step)[:-1])
        ends[self.firsts] = before.expected + before.last
        jumps: Ints = (self.number - ends + _HALF & _MASK) - _HALF
        return jumps


class _Line(NamedTuple):
    """All rows on one line without a wrap, exporter behind exporter: where each starts, what was expected
    at it, and the highest end with it; and where each exporter was expected at first.
    """

    starts: Ints
    expected: Ints
    highest: Ints
    origins: Ints

    @classmethod
    def of(cls, rows: _Rows, before: _Places, moves: Ints, behind: int) -> _Line:
        # An exporter can fall back by ``behind`` a row, so that the next begins above all of it.
        lift = len(moves) * (behind + 1) + _ANEW
        distances = np.append(0, rows.step[:-1]) + moves
        distances[rows.firsts] = before.last + moves[rows.firsts] + lift
        starts = np.cumsum(distances)
        origins = starts[rows.firsts] - before.last - moves[rows.firsts]
        highest = np.maximum.accumulate(starts + rows.step)
        expected = np.maximum(np.append(origins[0], highest[:-1]), origins[rows.member])
        return cls(starts, expected, np.maximum(highest, expected), origins)


def _again(late: Ints, rows: _Rows, before: _Places, line: _Line) -> Mask:
    """Which of these rows have the number of one of their exporter's last ``RECENT`` rows."""
    member, found = rows.member[late], np.zeros(len(late), np.bool_)
    rank = late - rows.firsts[member]
    for back in range(1, RECENT + 1):
        kept = before.recent[np.maximum(back - 1 - rank, 0), member] + line.origins[member]
        found |= np.where(rank >= back, line.starts[late - np.minimum(back, rank)], kept) == line.starts[late]
    return found


def _after(rows: _Rows, before: _Places, line: _Line) -> _Places:
    """What is kept of the exporters of these rows."""
    last, highest = rows.lasts, line.highest[rows.lasts]
    ends = line.starts[last] + rows.step[last]
    count = last - rows.firsts + 1
    every = np.arange(len(last))
    recent = [
        np.where(
            back < count,
            line.starts[last - np.minimum(back, count - 1)],
            before.recent[np.maximum(back - count, 0), every] + line.origins,
        )
        for back in range(RECENT)
    ]
    expected = rows.number[last] + rows.step[last] + highest - ends & _MASK
    known = np.ones(len(last), np.bool_)
    return _Places(known, expected, np.maximum(ends - highest, _FAR), np.maximum(np.stack(recent) - highest, _FAR))
