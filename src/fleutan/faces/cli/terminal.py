# SPDX-License-Identifier: Apache-2.0
"""What the output is: a terminal of some size, a pipe, with colour or without."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple, TextIO

_COLOURS = {
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "red": "31",
    "bold": "1",
    "dim": "2",
}
_EIGHTHS = " ▏▎▍▌▋▊▉"
#: Without a terminal nothing has to fit, but bars and rules have to end somewhere.
PICTURE = 100
#: A rule or a bar that is wider than this is no better to read.
WIDEST = 120


class Screen(NamedTuple):
    """Where text goes.

    ``width`` is None where nothing has to fit: in a pipe or a file.  ``moves`` says that what
    stands there can be written over, ``height`` how many lines stand at once.  ``blocks`` says
    that signs beyond ASCII are understood, ``encoding`` how they are written.
    """

    width: int | None = None
    height: int = 24
    moves: bool = False
    colour: bool = False
    blocks: bool = True
    encoding: str = "utf-8"

    @property
    def picture(self) -> int:
        """The width of what is drawn rather than written: bars with what stands beside them, rules."""
        return min(self.width or PICTURE, WIDEST)

    @property
    def ellipsis(self) -> str:
        """One sign that stands for what is left out."""
        return "…" if self.blocks else "~"

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour or weight, where the output shows them."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.colour and text else text

    def bar(self, part: float, width: int, colour: str = "") -> str:
        """A bar of ``part`` (0 to 1) of the width, and blanks up to it; what is not nothing is seen."""
        eighths = max(round(min(max(part, 0.0), 1.0) * width * 8), 1 if part > 0 else 0)
        if self.blocks:
            bar = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
        else:
            bar = "#" * -(-eighths // 8)
        return (self.paint(bar, colour) if colour else bar) + " " * (width - len(bar))

    def stack(self, parts: tuple[float, float], width: int, colours: tuple[str, str]) -> str:
        """Two bars end to end in whole signs, told apart by sign and colour, and blanks up to the width."""
        whole = min(sum(parts), 1.0)
        signs = max(round(whole * width), 1 if whole > 0 else 0)
        first = round(signs * parts[0] / sum(parts)) if signs else 0
        marks = "█▒" if self.blocks else "#="
        drawn = ((marks[0] * first, colours[0]), (marks[1] * (signs - first), colours[1]))
        return "".join(self.paint(text, colour) for text, colour in drawn) + " " * (width - signs)

    def rule(self) -> str:
        """The line that ends a section."""
        return ("─" if self.blocks else "-") * self.picture


def screen(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Screen:
    """What ``stream`` is; COLUMNS, LINES, NO_COLOR and TERM=dumb are honoured (https://no-color.org)."""
    terminal = stream.isatty()
    encoding = stream.encoding or "ascii"
    moves = terminal and environ.get("TERM") not in ("dumb", "", None)
    blocks = encoding.lower().startswith("utf") and _locale(environ) not in ("C", "POSIX")
    if not terminal:
        return Screen(blocks=blocks, encoding=encoding)
    columns, lines = _size(stream, environ)
    return Screen(columns, lines, moves, moves and not environ.get("NO_COLOR"), blocks, encoding)


def _size(stream: TextIO, environ: Mapping[str, str]) -> tuple[int, int]:
    """What the environment says, else what the terminal says, else that of a VT100."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, lines = 0, 0
    return _set(environ, "COLUMNS") or columns or 80, _set(environ, "LINES") or lines or 24


def _set(environ: Mapping[str, str], name: str) -> int:
    said = environ.get(name, "")
    return int(said) if said.isdecimal() else 0


def _locale(environ: Mapping[str, str]) -> str:
    """The locale of characters as it is set, if it is (locale(7))."""
    return next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "")
