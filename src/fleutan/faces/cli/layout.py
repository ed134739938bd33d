# SPDX-License-Identifier: Apache-2.0
"""Columns of text fitted into a width.  Knows cells, not what they mean.

Written here because a crowd of flows has a hundred thousand rows: a general-purpose table
widget measures every cell again and takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

GAP = 2
ELLIPSIS = "…"
#: A column of this width is no burden to read when it is cut to it: an IPv4 address with its port.
COMFORT = 21


class Strip(NamedTuple):
    """One column.

    ``floor`` is the least width that it may be cut to (None: never cut); one that ``yields`` is
    cut to it before any other is.  A cell that is cut keeps what begins with the last ``tail``
    in it: the port of an address, the id behind a name.  Where not all columns fit, that with
    the greatest ``spare`` goes first, of equals the last; a ``luxury`` goes rather than that
    another is cut below COMFORT.
    """

    title: str
    cells: list[str]
    right: bool = False
    floor: int | None = None
    yields: bool = False
    tail: str = ""
    spare: int = 0
    luxury: bool = False


def cell_width(text: str) -> int:
    """Columns that the text takes on a terminal (Unicode Standard Annex 11)."""
    return len(text) if text.isascii() else sum(map(_sign_width, text))


def _sign_width(sign: str) -> int:
    from unicodedata import category, east_asian_width

    if category(sign) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(sign) in "WF" else 1


Kept = list[tuple[Strip, int]]


def fitted(strips: Sequence[Strip], width: int | None) -> Kept:
    """The strips that fit, each with its width.  None: any width."""
    kept = [(strip, max(map(cell_width, {strip.title, *strip.cells}))) for strip in strips]
    if width is None:
        return kept
    while any(strip.luxury for strip, _ in kept) and _least(kept, COMFORT) > width:
        _leave_out([place for place, (strip, _) in enumerate(kept) if strip.luxury], kept)
    while len(kept) > 1 and _least(kept) > width:
        _leave_out(range(len(kept)), kept)
    return _shrunk(kept, width)


def _leave_out(places: Sequence[int], kept: Kept) -> None:
    del kept[max(places, key=lambda place: (kept[place][0].spare, place))]


def _least(kept: Kept, comfort: int = 0) -> int:
    """The width that the strips need at least."""
    floors = [
        natural if strip.floor is None else min(natural, max(strip.floor, comfort * (not strip.yields)))
        for strip, natural in kept
    ]
    return sum(floors) + GAP * (len(kept) - 1)


def _shrunk(kept: Kept, width: int) -> Kept:
    """Those that yield lose what they can, then the widest, column by column; at last even what may not be cut."""
    widths = [natural for _, natural in kept]
    floors = [natural if strip.floor is None else min(natural, strip.floor) for strip, natural in kept]
    excess = sum(widths) + GAP * (len(kept) - 1) - width
    for place, (strip, natural) in enumerate(kept):
        if strip.yields and excess > 0:
            widths[place] = max(natural - excess, floors[place])
            excess -= natural - widths[place]
    for _ in range(excess):
        loose = [place for place, floor in enumerate(floors) if widths[place] > floor]
        widths[max(loose or range(len(kept)), key=widths.__getitem__)] -= 1
    return [(strip, max(wide, 1)) for (strip, _), wide in zip(kept, widths, strict=True)]


def cut(text: str, width: int, tail: str = "", ellipsis: str = ELLIPSIS) -> str:
    """The text in at most ``width`` columns, what is left out shown by an ellipsis.

    What begins with the last ``tail`` in the text stays where it leaves room for a few signs
    before it.
    """
    if cell_width(text) <= width:
        return text
    kept = text[text.rfind(tail) :] if tail and tail in text else ""
    room = width - 1 - cell_width(kept)
    if room < 2:
        return _head(text, width - 1) + ellipsis
    start = text[: len(text) - len(kept)]
    if kept and start.isascii():  # the end of an address says as much as its start
        kept = start[len(start) - room // 2 :] + kept
        room -= room // 2
    return _head(start, room) + ellipsis + kept


def _head(text: str, width: int) -> str:
    """As many of the first signs as fit."""
    if text.isascii():
        return text[: max(width, 0)]
    taken = 0
    for place, sign in enumerate(text):
        taken += _sign_width(sign)
        if taken > width:
            return text[:place]
    return text


def pad(text: str, width: int, right: bool = False) -> str:
    """The text in exactly ``width`` columns where it is not wider."""
    blank = " " * (width - cell_width(text))
    return blank + text if right else text + blank


def wrapped(parts: Iterable[str], width: int | None, gap: str = "  ") -> Iterator[str]:
    """The parts side by side, in as many lines as they need; a part that is too wide alone is cut."""
    line = ""
    for part in parts:
        if line and width is not None and cell_width(line + gap + part) > width:
            yield line
            line = ""
        line = line + gap + part if line else part if width is None else cut(part, width)
    if line:
        yield line


def lines(strips: Sequence[Strip], width: int | None, heading: bool = True, ellipsis: str = ELLIPSIS) -> Iterator[str]:
    """The table's lines, without trailing blanks."""
    kept = fitted(strips, width)
    if heading:
        yield _line([pad(cut(strip.title, wide, "", ellipsis), wide, strip.right) for strip, wide in kept])
    columns = [_padded(strip, wide, ellipsis) for strip, wide in kept]
    yield from map(_line, zip(*columns, strict=True))


def _padded(strip: Strip, width: int, ellipsis: str) -> list[str]:
    """Each distinct cell once: of a crowd most are alike."""
    known = {}
    for cell in set(strip.cells):
        if len(cell) <= width and cell.isascii():  # then str does it, ten times faster
            known[cell] = cell.rjust(width) if strip.right else cell.ljust(width)
        else:
            known[cell] = pad(cut(cell, width, strip.tail, ellipsis), width, strip.right)
    return [known[cell] for cell in strip.cells]


def _line(cells: Sequence[str]) -> str:
    return (" " * GAP).join(cells).rstrip()
