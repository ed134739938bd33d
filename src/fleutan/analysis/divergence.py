# SPDX-License-Identifier: Apache-2.0
"""Where paths part and meet again: their hops side by side, aligned as sequences.

An inserted hop does not shift the rest: rows are found by aligning each path with those before it
(Needleman and Wunsch 1970), a router that answers in both above all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fleutan.analysis.paths import Hop, Path

#: What it is worth to stand in one row: the same router, a silent hop, different routers; a gap is worth nothing.
_SAME, _SILENT, _OTHER = 4.0, 1.5, 1.0


#: Who is at a hop or in a row; a hop with that.
_Who = frozenset[str]
_Place = tuple[Hop, _Who]
_Places = list[_Place | None]


class Row(NamedTuple):
    """Hops side by side, None where a path has none; ``same`` where all that answered are the same."""

    hops: tuple[Hop | None, ...]
    same: bool


class Branch(NamedTuple):
    """The paths that go on in the same way from the first row that differs.

    ``addresses`` are who is at their next hop, wherever that stands: nobody where it is
    silent, None where there is none.
    """

    addresses: frozenset[str] | None
    paths: tuple[int, ...]


class Divergence(NamedTuple):
    """The rows of several paths; those before ``first`` and from ``last`` on are the same in all.

    ``branches`` are the ways on at row ``first``; none where the paths do not differ.
    """

    rows: tuple[Row, ...]
    first: int
    last: int
    branches: tuple[Branch, ...]


def divergence(paths: Sequence[Path]) -> Divergence:
    """The paths aligned, and where they part first and meet last."""
    rows: list[_Places] = []
    for number, path in enumerate(paths):
        rows = _with(rows, [(hop, path.at(hop)) for hop in path.hops], number)
    told = tuple(Row(tuple(place and place[0] for place in row), _is_same(row)) for row in rows)
    differing = [place for place, row in enumerate(told) if not row.same]
    if not differing:
        return Divergence(told, len(told), len(told), ())
    first, last = differing[0], differing[-1] + 1
    return Divergence(told, first, last, _branches(rows[first:]))


def _is_same(row: _Places) -> bool:
    there = {place[1] for place in row if place is not None and place[1]}
    return len(there) <= 1 and None not in row


def _branches(rows: Sequence[_Places]) -> tuple[Branch, ...]:
    found: dict[frozenset[str] | None, list[int]] = {}
    for number in range(len(rows[0])):
        onward = next((place for row in rows if (place := row[number]) is not None), None)
        found.setdefault(None if onward is None else onward[1], []).append(number)
    return tuple(Branch(addresses, tuple(paths)) for addresses, paths in found.items())


def _with(rows: Sequence[_Places], hops: Sequence[_Place], number: int) -> list[_Places]:
    """The rows with one path more."""
    found: list[_Places] = []
    there = [frozenset().union(*(place[1] for place in row if place is not None)) for row in rows]
    for row, place in _aligned(there, [hop[1] for hop in hops]):
        before: _Places = [None] * number if row is None else [*rows[row]]
        found.append([*before, None if place is None else hops[place]])
    return found


def _aligned(rows: Sequence[_Who], hops: Sequence[_Who]) -> list[tuple[int | None, int | None]]:
    """Pairs of a row and a hop that stand together, in order; None where one has no partner."""
    best = [[0.0] * (len(hops) + 1) for _ in range(len(rows) + 1)]
    for row in range(1, len(rows) + 1):
        for place in range(1, len(hops) + 1):
            together = best[row - 1][place - 1] + _worth(rows[row - 1], hops[place - 1])
            best[row][place] = max(together, best[row - 1][place], best[row][place - 1])
    pairs: list[tuple[int | None, int | None]] = []
    row, place = len(rows), len(hops)
    while row or place:
        if row and place and best[row][place] == best[row - 1][place - 1] + _worth(rows[row - 1], hops[place - 1]):
            row, place = row - 1, place - 1
            pairs.append((row, place))
        elif row and best[row][place] == best[row - 1][place]:
            row -= 1
            pairs.append((row, None))
        else:
            place -= 1
            pairs.append((None, place))
    return pairs[::-1]


def _worth(row: _Who, hop: _Who) -> float:
    if not row or not hop:
        return _SILENT
    return _SAME if row & hop else _OTHER
