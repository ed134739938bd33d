# SPDX-License-Identifier: Apache-2.0
"""What the output is: a terminal of some width, a pipe, with colour or without."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

_COLOURS = {"green": "32", "yellow": "33", "magenta": "35", "red": "31", "bold": "1", "dim": "2"}
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Screen:
    """``width`` is None where nothing has to fit: in a pipe or a file."""

    width: int | None = None
    colour: bool = False
    blocks: bool = True

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour or weight, where the output shows them."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.colour else text

    def bar(self, part: float, width: int) -> str:
        """A bar of ``part`` (0 to 1) of the width; what is not nothing is seen."""
        eighths = max(round(min(max(part, 0.0), 1.0) * width * 8), 1 if part > 0 else 0)
        if not self.blocks:
            return "#" * -(-eighths // 8)
        return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")

    def rule(self, width: int) -> str:
        """The line that ends a section."""
        return ("─" if self.blocks else "-") * width


def screen(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Screen:
    """What ``stream`` is; NO_COLOR and TERM=dumb are honoured (https://no-color.org)."""
    terminal = stream.isatty()
    encoding = (getattr(stream, "encoding", None) or "ascii").lower()
    colour = terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((80, 24)).columns if terminal else None
    return Screen(width, colour, encoding.startswith("utf"))
