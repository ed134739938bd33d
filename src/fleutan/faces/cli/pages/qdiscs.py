# SPDX-License-Identifier: Apache-2.0
"""The queueing disciplines and classes of one device as a tree.  Queues are the business of ``queues``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fleutan.analysis.figures import numbers
from fleutan.analysis.queues import keys_of
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import Strip, wrapped
from fleutan.faces.cli.pages import UNFOLDED, Look, strips, tabular
from fleutan.table import Table
from fleutan.views import View, queues

_INDENT = "  "
_NOT_SET = "not set"
#: Beyond any column that a view spares: what tells nothing goes first.
_DULL = 100
_NOTHING = {"0", _NOT_SET}
#: Lists that are of use when they are cut.
_FLOORS = {**dict.fromkeys(("xps_cpus", "rps_cpus", "irq_effective_cpus"), 12), "qdisc_options": 30}
#: The handle of a discipline that got none: at the root others may hang from it all the same.
_NO_HANDLE = "0:"


def figured(rows: Table, names: Sequence[str], look: Look, spare: Sequence[str]) -> list[Strip]:
    """The first column and those of which anything is known.

    Where not all fit, those go first that have nothing but 0 and what is not set.
    """
    view = View("", (), (), (), tuple(spare), ())
    names = [name for name in names if name in rows]
    found: list[Strip] = []
    for name, strip in zip(names, strips(rows, names, look, view), strict=True):
        cells = [cell or _NOT_SET for cell in strip.cells]
        told = set(cells) - {figures.UNKNOWN, _NO_HANDLE}
        dull = strip.spare > 0 and told <= _NOTHING
        if told or not found:
            spared = strip.spare + _DULL * dull
            found.append(strip._replace(cells=cells, spare=spared, luxury=False, floor=_FLOORS.get(name)))
    return found


def left_out(count: int, noun: str, look: Look) -> str:
    """The line that stands for ``count`` things that are not shown."""
    return look.aside(look.cut(f"... {count:,} more {noun}{'' if count == 1 else 's'}: --all shows every one"))


class _Row(NamedTuple):
    """What places a discipline or class in the tree, and what it is."""

    layer: str
    kind: str
    handle: str
    parent: str
    options: str | None

    @property
    def above(self) -> str:
        """The handle it hangs from: a class at the root of its discipline hangs from that."""
        return _discipline(self.handle) if self.layer == "class" and self.parent == "root" else self.parent


def section(rows: Table, tx: Table, look: Look, most: int | None) -> Iterator[str]:
    """The tree as a table, or in one line where all its figures stand beside the tx queues already."""
    if not rows:
        return
    found = [_Row(*values) for values in keys_of(rows, ("layer", "qdisc", "handle", "parent", "qdisc_options"))]
    places = _tree(found)
    if _is_told(found, places, tx):
        yield from _in_words([found[row] for row, _ in places], look)
        return
    shown = _busiest(rows, [row for row, _ in places], most)
    depths = dict(places)
    table = rows.take(np.array(shown, np.int64))
    columns = figured(table, queues.QDISCS, look, queues.QDISCS_SPARE)
    kinds = [
        _INDENT * depths[row] + ("class" if found[row].layer == "class" else kind)
        for row, kind in zip(shown, columns[0].cells, strict=True)
    ]
    yield from tabular([columns[0]._replace(cells=kinds), *columns[1:]], look)
    if len(shown) < len(rows):
        yield left_out(len(rows) - len(shown), "row", look)


def _tree(rows: Sequence[_Row]) -> list[tuple[int, int]]:
    """Every row with its depth, each behind what it hangs from, children in the order of their places."""
    known = {row.handle: place for place, row in enumerate(rows) if row.handle != _NO_HANDLE or row.parent == "root"}
    below: dict[int, list[int]] = {}
    for place in sorted(range(len(rows)), key=lambda place: _order(rows[place])):
        above = rows[place].above
        below.setdefault(known.get(above, known.get(_discipline(above), -1)), []).append(place)
    found: dict[int, int] = {}
    # What a reading between two changes leaves hanging from nothing comes last.
    for place in (*below.get(-1, ()), *range(len(rows))):
        _add(place, 0, below, found)
    return list(found.items())


def _add(place: int, depth: int, below: Mapping[int, Sequence[int]], found: dict[int, int]) -> None:
    """A row and what hangs from it, each once."""
    if place not in found:
        found[place] = depth
        for child in below.get(place, ()):
            _add(child, depth + 1, below, found)


def _discipline(handle: str) -> str:
    """``10:`` of ``10:1``."""
    return handle.partition(":")[0] + ":"


def _order(row: _Row) -> tuple[bool, int, int, int]:
    """What hangs from the root comes first; then by number of the place, then of itself (hexadecimal, as tc writes)."""
    major, _, minor = row.handle.partition(":")
    return (row.parent != "root", _number(row.parent.partition(":")[2]), _number(major), _number(minor))


def _number(digits: str) -> int:
    return int(digits or "0", 16)


def _busiest(rows: Table, places: Sequence[int], most: int | None) -> list[int]:
    """The rows to show: those with the most bytes where there are too many."""
    if most is None or len(places) <= UNFOLDED:
        return list(places)
    amounts = np.nan_to_num(numbers(rows, "qdisc_bytes"))[list(places)]
    kept = np.sort(np.argsort(-amounts, kind="stable")[:UNFOLDED])
    return [places[place] for place in kept.tolist()]


def _is_told(rows: Sequence[_Row], places: Sequence[tuple[int, int]], tx: Table) -> bool:
    """Whether the rows beside the queues tell all of it: one discipline, or alike ones, one for each queue."""
    alike = len({row[1:2] + row[4:] for row in (rows[place] for place, _ in places[1:])}) <= 1
    flat = all(depth <= 1 for _, depth in places) and all(row.layer == "qdisc" for row in rows)
    known = bool(tx.columns["qdisc_bytes"].mask().all()) if "qdisc_bytes" in tx else False
    return alike and flat and (known or all(row.kind == "noqueue" for row in rows))


def _in_words(rows: Sequence[_Row], look: Look) -> Iterator[str]:
    """``mq, 4 pfifo_fast (bands 3)``; nothing where that tells no more than the kind."""
    counted = Counter((row.kind, row.options) for row in rows)
    if len(rows) < 2 and not any(options for _, options in counted):
        return
    told = [
        (f"{count} " if count > 1 else "") + figures.printable(kind) + (f" ({options})" if options else "")
        for (kind, options), count in counted.items()
    ]
    line = "disciplines: " + ", ".join(told)
    yield from (look.aside(part) for part in wrapped(line.split(), look.screen.width, " "))
