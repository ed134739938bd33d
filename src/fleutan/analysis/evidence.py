# SPDX-License-Identifier: Apache-2.0
"""Sentences with figures in them, for many rows at once.

Figures are rounded to what is shown before the sentences are made, so each distinct sentence
is made once.  What the sentences say is the business of who asks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from string import Formatter

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.figures import Floats

#: What a unit is called from how many of it on.
_STEPS: Mapping[str, Sequence[tuple[float, str]]] = {
    "us": ((1, "us"), (1e3, "ms"), (1e6, "s"), (6e7, "min"), (3.6e9, "h"), (8.64e10, "d")),
    "ms": ((1, "ms"), (1e3, "s"), (6e4, "min"), (3.6e6, "h"), (8.64e7, "d")),
    "bytes": ((1, "bytes"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB")),
    "bps": ((1, "bps"), (1e3, "kbps"), (1e6, "Mbps"), (1e9, "Gbps"), (1e12, "Tbps")),
    "share": ((0.01, "%"),),
}
_DIGITS = {"share": 2}
_MOST_DIGITS = 3


def names(template: str) -> tuple[str, ...]:
    """The figures that a template names."""
    return tuple(dict.fromkeys(name for _, name, _, _ in Formatter().parse(template) if name))


def quantity(value: float, unit: str) -> str:
    """A figure as read: ``1.5 ms``, ``20 Mbps``, ``12 %``; a count as it is; ``?`` where unknown."""
    if math.isnan(value):
        return "?"
    if unit not in _STEPS:
        return f"{value:.0f}"
    steps = _STEPS[unit]
    size, name = next((step for step in reversed(steps) if value >= step[0]), steps[0])
    number = round(value / size, 9)
    return f"{number:.0f} {name}" if number >= 100 else f"{number:.3g} {name}"


def sentences(
    template: str, figures: Mapping[str, Floats], units: Mapping[str, str]
) -> tuple[NDArray[np.int64], list[str]]:
    """For every row the number of its sentence, and the distinct sentences.

    ``figures`` are the named figures of those rows, at least one and all of one length; a unit
    that is not known is a plain count.
    """
    shown = {name: _rounded(values, units[name]) for name, values in figures.items()}
    length = len(next(iter(shown.values())))
    codes, distinct = np.zeros(length, np.int64), min(length, 1)
    for values in shown.values():
        found, places = np.unique(values, return_inverse=True)
        found, codes = np.unique(codes * len(found) + places, return_inverse=True)
        distinct = len(found)
    examples = np.zeros(distinct, np.int64)
    examples[codes] = np.arange(length)
    columns = ([quantity(value, units[name]) for value in shown[name][examples].tolist()] for name in shown)
    return codes, [template.format(**dict(zip(shown, row, strict=True))) for row in zip(*columns, strict=True)]


def _rounded(values: Floats, unit: str) -> Floats:
    """To the digits that are shown, so that what reads alike is alike."""
    if unit not in _STEPS:
        return np.rint(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (np.floor(np.log10(np.abs(values))) - (_DIGITS.get(unit, _MOST_DIGITS) - 1))
        return np.where(values == 0, 0, np.rint(values / scale) * scale)
