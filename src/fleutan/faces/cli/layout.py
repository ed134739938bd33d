# SPDX-License-Identifier: Apache-2.0
"""Columns of text fitted into a width.  Knows cells, not what they mean.

Written here because a crowd of flows has a hundred thousand rows: a general-purpose table
widget measures every cell again and takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GAP = 2
ELLIPSIS = "…"


@dataclass(slots=True)
class Strip:
    """One column: ``floor`` is the least width it may be cut to (None: never cut)."""

    title: str
    cells: list[str]
    right: bool = False
    floor: int | None = None
    cut_middle: bool = False


def cell_width(text: str) -> int:
    """Columns that the text takes on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def fitted(strips: Sequence[Strip], width: int | None) -> list[tuple[Strip, int]]:
    """The strips that fit, each with its width; the last ones go first.  None: any width."""
    kept = [(strip, max(map(cell_width, {strip.title, *strip.cells}))) for strip in strips]
    if width is None:
        return kept
    while len(kept) > 1 and _least(kept) > width:
        kept.pop()
    return _shrunk(kept, width)


def _least(kept: Sequence[tuple[Strip, int]]) -> int:
    floors = [natural if strip.floor is None else min(natural, strip.floor) for strip, natural in kept]
    return sum(floors) + GAP * (len(kept) - 1)


def _shrunk(kept: list[tuple[Strip, int]], width: int) -> list[tuple[Strip, int]]:
    widths = [natural for _, natural in kept]
    excess = sum(widths) + GAP * (len(kept) - 1) - width
    while excess > 0:
        loose = [
            index for index, (strip, _) in enumerate(kept) if strip.floor is not None and widths[index] > strip.floor
        ]
        if not loose:
            break
        widths[max(loose, key=widths.__getitem__)] -= 1
        excess -= 1
    return [(strip, wide) for (strip, _), wide in zip(kept, widths, strict=True)]


def cut(text: str, width: int, middle: bool = False) -> str:
    """The text in at most ``width`` columns, what is left out shown by an ellipsis."""
    if cell_width(text) <= width:
        return text
    if not text.isascii():
        from rich.cells import set_cell_size

        return set_cell_size(text, width - 1) + ELLIPSIS
    if middle and width > 8:
        tail = (width - 1) * 3 // 5
        return text[: width - 1 - tail] + ELLIPSIS + text[-tail:]
    return text[: width - 1] + ELLIPSIS


def pad(text: str, width: int, right: bool = False) -> str:
    """The text in exactly ``width`` columns where it is not wider."""
    blank = " " * (width - cell_width(text))
    return blank + text if right else text + blank


def lines(strips: Sequence[Strip], width: int | None, heading: bool = True) -> Iterator[str]:
    """The table's lines, without trailing blanks."""
    kept = fitted(strips, width)
    if heading:
        yield _line([pad(strip.title, wide, strip.right) for strip, wide in kept])
    columns = [_padded(strip, wide) for strip, wide in kept]
    yield from map(_line, zip(*columns, strict=True))


def _padded(strip: Strip, width: int) -> list[str]:
    known: dict[str, str] = {}
    for cell in strip.cells:
        if cell not in known:
            known[cell] = pad(cut(cell, width, strip.cut_middle), width, strip.right)
    return [known[cell] for cell in strip.cells]


def _line(cells: Sequence[str]) -> str:
    return (" " * GAP).join(cells).rstrip()
