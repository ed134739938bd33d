# SPDX-License-Identifier: Apache-2.0
"""Figures over time as signs: a sparkline in one line, a chart in several, verdicts as letters.

A place without a sign is a point that is not known; nothing at all is drawn as the base line.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.views.ranking import SEVERITY

Floats = NDArray[np.float32]


class Signs(NamedTuple):
    """What there is to draw with: so many columns, and whether signs beyond ASCII are understood."""

    width: int
    blocks: bool = True


_EIGHTHS = " ▁▂▃▄▅▆▇█"
#: The base line, then what stands for more and more; the second for screens that know ASCII only.
_SPARKS = ("▁▂▃▄▅▆▇█", "_.:-=+*#")
_BASE = ("▁", "_")
#: The letter that stands for each verdict, in the order of SEVERITY.
LETTERS = dict(zip(SEVERITY, "LRSCPA.", strict=True))


def spark(values: Floats, width: int, blocks: bool = True) -> str:
    """The last points, one a sign, in so many columns, the newest at the right; the greatest is full."""
    values = values[-width:] if width else values[:0]
    steps = _SPARKS[not blocks]
    known = np.isfinite(values)
    most = float(values[known].max(initial=0))
    levels = np.zeros(len(values), np.int64)
    if most > 0:
        positive = known & (values > 0)
        levels[positive] = np.clip(np.ceil(values[positive] / most * (len(steps) - 1)), 1, len(steps) - 1)
    signs = (steps[level] if sure else " " for level, sure in zip(levels.tolist(), known.tolist(), strict=True))
    return "".join(signs).rjust(width)


def chart(values: Floats, width: int, height: int, blocks: bool = True) -> list[str]:
    """The same in so many lines, the top one first."""
    if height <= 1:
        return [spark(values, width, blocks)]
    values = values[-width:]
    known = np.isfinite(values)
    most = float(values[known].max(initial=0))
    eighths = np.where(known, np.nan_to_num(values), 0) / (most or 1) * height * 8
    found = np.where(known & (values > 0), np.maximum(np.rint(eighths), 1), 0).astype(np.int64)
    lines = []
    for line in reversed(range(height)):
        parts = np.clip(found - 8 * line, 0, 8).tolist()
        base = zip(parts, known.tolist(), strict=True)
        signs = (_sign(part, blocks) if part or line or not sure else _BASE[not blocks] for part, sure in base)
        lines.append("".join(signs).rjust(width))
    return lines


def _sign(eighths: int, blocks: bool) -> str:
    if blocks:
        return _EIGHTHS[eighths]
    return " " if not eighths else "." if eighths < 4 else "#"


def verdicts(places: Floats, width: int) -> str:
    """The letter of each verdict (by its place in SEVERITY), the newest at the right."""
    letters = [LETTERS[word] for word in SEVERITY]
    last = places[-width:].tolist() if width else []
    return "".join(letters[int(place)] if place == place else " " for place in last).rjust(width)  # noqa: PLR0124  # NaN
