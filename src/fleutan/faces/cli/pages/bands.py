# SPDX-License-Identifier: Apache-2.0
"""Columns side by side, row by row, in as many bands below one another as the width needs.

Made for paths, whose number has no limit.  What the cells say is the business of ``hops``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from fleutan.faces.cli.layout import GAP, cell_width, cut, pad
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.terminal import PICTURE

#: No name takes more on a terminal: an IPv6 address.
_NAME = 39
#: What goes on in the next line is this far to the right.
_INDENT = 2


class Entry(NamedTuple):
    """One line of a cell: who, how far away in time, what is told always, and ``more`` where there is room for it.

    ``who`` stands behind ``number``, and is cut to ``floor`` (None: to that of an address) before
    what is ``told`` goes on in further lines.
    """

    who: str
    time: str = ""
    told: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    colour: str = ""
    number: str = ""
    floor: int | None = None


#: Lines of which each is one thing, or words that run on.
Cell = Sequence[Entry] | str


class Row(NamedTuple):
    """One row of all columns: what stands at the left of every band, and a cell a column."""

    label: str
    cells: Sequence[Cell]
    colour: str = ""


class _Size(NamedTuple):
    """A column: names in full and cut, numbers and times, what is told; in all: at the least, with all, and more."""

    name: int
    floor: int
    time: int
    told: frozenset[int]
    least: int
    natural: int
    full: int

    def name_in(self, width: int) -> int:
        """The width of names in a column of this width: they leave room for the most of what is told."""
        room = width - self.time
        told = max((told for told in self.told if self.floor + told <= room), default=0)
        return max(min(self.name, room - told), 1)


_Line = tuple[str, str]


def bands(rows: Sequence[Row], look: Look) -> Iterator[str]:
    """The rows, band by band, with a rule between two; a row that says nothing in a band is not in it.

    Without a terminal bands end where pictures do, but nothing is cut or left out.
    """
    gutter = max((cell_width(row.label) for row in rows), default=0) + GAP
    whole = max((look.screen.width or PICTURE) - gutter, 1)
    sizes = [_size([row.cells[place] for row in rows], whole, look) for place in range(len(rows[0].cells))]
    for first, widths in _packed(sizes, whole):
        if first:
            yield look.screen.rule()
        for row in rows:
            cells = row.cells[first : first + len(widths)]
            if any(cells):
                shaped = [
                    list(_lines(cell, size, width, look))
                    for cell, size, width in zip(cells, sizes[first:], widths, strict=False)
                ]
                yield from _joined(row, shaped, widths, gutter, look)


def _size(cells: Sequence[Cell], whole: int, look: Look) -> _Size:
    """What a column needs: that another finds room beside it goes before names in full, and before one line a hop."""
    entries = [entry for cell in cells if not isinstance(cell, str) for entry in cell]
    words = max((cell_width(cell) for cell in cells if isinstance(cell, str)), default=1)
    name = max((cell_width(entry.who) for entry in entries), default=1)
    floor = max((min(cell_width(entry.who), entry.floor or _NAME) for entry in entries), default=1)
    time = max((_beside([entry.time]) * bool(entry.time) + len(entry.number) for entry in entries), default=0)
    told = frozenset(_beside(entry.told) for entry in entries)
    full = max((_beside(entry.told + entry.more) for entry in entries), default=0)
    natural, full = max(words, name + time + max(told, default=0)), max(words, name + time + full)
    if look.screen.width is None:
        return _Size(name, name, time, told, full, full, full)
    word = max((cell_width(word) for cell in cells if isinstance(cell, str) for word in cell.split()), default=1)
    least = min(natural, max(floor + time, word, (whole - GAP) // 2), whole)
    return _Size(name, floor, time, told, least, min(natural, whole), min(full, whole))


def _beside(parts: Sequence[str]) -> int:
    return sum(cell_width(part) + 1 for part in parts)


def _packed(sizes: Sequence[_Size], whole: int) -> Iterator[tuple[int, list[int]]]:
    """The bands: the first column of each, and the widths of those in it."""
    first = 0
    while first < len(sizes):
        end, used = first + 1, sizes[first].least
        while end < len(sizes) and used + GAP + sizes[end].least <= whole:
            used += GAP + sizes[end].least
            end += 1
        yield first, _widened(sizes[first:end], whole - used)
        first = end


def _widened(sizes: Sequence[_Size], spare: int) -> list[int]:
    """What is left goes to what columns tell always, then to what they tell where there is room; the first first."""
    widths = [size.least for size in sizes]
    for wishes in ([size.natural for size in sizes], [size.full for size in sizes]):
        for place, wish in enumerate(wishes):
            gain = max(min(wish - widths[place], spare), 0)
            widths[place] += gain
            spare -= gain
    return widths


def _lines(cell: Cell, size: _Size, width: int, look: Look) -> Iterator[_Line]:
    if isinstance(cell, str):
        yield from ((line, "") for line in _flowing("", cell.split(), (), width, look, 0))
        return
    name = size.name_in(width)
    for entry in cell:
        start = entry.number + pad(cut(entry.who, name, "", look.screen.ellipsis), name)
        if entry.time:
            start += pad(entry.time, size.time - len(entry.number), True)
        indent = len(entry.number) + _INDENT
        for line in _flowing(start.rstrip(" "), entry.told, entry.more, width, look, indent):
            yield line, entry.colour


def _flowing(line: str, told: Sequence[str], more: Sequence[str], width: int, look: Look, indent: int) -> Iterator[str]:
    """The parts behind the line, and in further ones what of ``told`` finds no room there."""
    for part in told:
        if line.strip() and cell_width(line) + 1 + cell_width(part) > width:
            yield cut(line, width, "", look.screen.ellipsis)
            line = " " * indent + part
        else:
            line = f"{line} {part}" if line else part
    for part in more:
        if cell_width(line) + 1 + cell_width(part) <= width:
            line += " " + part
    yield cut(line, width, "", look.screen.ellipsis)


def _joined(
    row: Row, cells: Sequence[Sequence[_Line]], widths: Sequence[int], gutter: int, look: Look
) -> Iterator[str]:
    """The lines of one row of a band."""
    label = row.label
    for lines in zip_longest(*cells, fillvalue=("", "")):
        painted = _painted(label, row.colour, gutter, look)
        for (text, colour), width in zip(lines, widths, strict=True):
            painted += _painted(text, colour or row.colour, width + GAP, look)
        yield painted.rstrip(" ")
        label = ""


def _painted(text: str, colour: str, width: int, look: Look) -> str:
    """The text in its colour, and blanks up to the width."""
    blank = " " * (width - cell_width(text))
    return (look.screen.paint(text, colour) if colour else text) + blank
