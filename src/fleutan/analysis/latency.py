# SPDX-License-Identifier: Apache-2.0
"""How round-trip times are distributed: bins that fit them, quantiles, and the two ends.

Takes microseconds; which flows they belong to, and how a histogram is drawn, is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import UsageError

Ints = NDArray[np.int64]
Kind = Literal["log", "quantile", "linear"]

#: Steps of a decade that are round figures, from coarse to fine (the finer ones are E12, E24 of IEC 60063).
_DECADES: tuple[tuple[int, ...], ...] = (
    (100,),
    (100, 300),
    (100, 200, 500),
    (100, 150, 200, 300, 500, 700),
    (100, 120, 150, 180, 220, 270, 330, 390, 470, 560, 680, 820),
)
#: Widths of linear bins, times a power of ten.
_WIDTHS = (1, 2, 5)
_QUANTILES = {"p50": 50, "p90": 90, "p99": 99}
MOST_BINS = 1000
_SUITABLE = 12


class Bins(NamedTuple):
    """What bins to make: their kind, and how many at most (0: as many as suit the number of flows)."""

    kind: Kind = "log"
    most: int = 0

    @classmethod
    def parse(cls, text: str) -> Bins:
        """``log``, ``quantile`` or ``linear``, and ``:N`` for at most N bins.  Raises UsageError."""
        kind, colon, most = text.partition(":")
        for known in get_args(Kind):
            if kind == known and not colon:
                return cls(known)
            if kind == known and most.isascii() and most.isdigit() and 1 <= int(most) <= MOST_BINS:
                return cls(known, int(most))
        raise UsageError(f"bins {text!r}: say log, quantile or linear, and with :N at most N of 1 to {MOST_BINS}")


@dataclass(frozen=True)
class Distribution:
    """``counts[i]`` flows are in [edges[i], edges[i + 1]), in the last bin also its upper edge.

    ``edges`` (n + 1) and ``counts`` (n) are int64, edges in µs; no bin at either end is empty.
    ``quantiles`` holds min, p50, p90, p99 and max in µs: each the time of one of the flows
    (nearest rank).  Without flows there are no edges and no quantiles.
    """

    edges: Ints
    counts: Ints
    quantiles: dict[str, int]

    @property
    def flows(self) -> int:
        """How many flows were counted."""
        return int(self.counts.sum())

    def summary(self) -> dict[str, Any]:
        """The distribution in plain values, keys with their units."""
        edges = self.edges.tolist()
        bins = zip(edges, edges[1:], self.counts.tolist(), strict=False)
        return {
            "flows": self.flows,
            **{f"rtt_us_{name}": value for name, value in self.quantiles.items()},
            "bins": [{"from_us": first, "to_us": last, "flows": count} for first, last, count in bins],
        }


def distribution(rtt_us: NDArray[Any], bins: Bins = Bins()) -> Distribution:  # noqa: B008 (a value, not a variable)
    """The distribution of integers (a masked array counts without what it masks)."""
    values = np.sort(np.ma.compressed(rtt_us).astype(np.int64))
    if not len(values):
        return Distribution(np.zeros(0, np.int64), np.zeros(0, np.int64), {})
    edges = np.array(_edges(values, bins), np.int64)
    places = np.searchsorted(edges, values, side="right") - 1
    counts = np.bincount(np.minimum(places, len(edges) - 2), minlength=len(edges) - 1)
    ranks = {name: -(-len(values) * share // 100) - 1 for name, share in _QUANTILES.items()}
    chosen = {"min": 0, **ranks, "max": len(values) - 1}
    return Distribution(edges, counts, {name: int(values[rank]) for name, rank in chosen.items()})


def _edges(values: Ints, bins: Bins) -> list[int]:
    if values[0] == values[-1]:
        return [int(values[0])] * 2
    return _KINDS[bins.kind](values, bins.most or min(_SUITABLE, 2 + math.isqrt(len(values))))


def _linear(values: Ints, most: int) -> list[int]:
    """Bins of one width, 1, 2 or 5 times a power of ten, that begin at multiples of it."""
    least, greatest = int(values[0]), max(int(values[-1]), int(values[0]) + 1)
    widths = (step * 10**power for power in range(20) for step in _WIDTHS)
    tried = (range(least // width * width, greatest + width, width) for width in widths)
    return next(list(edges) for edges in tried if len(edges) - 1 <= most)


def _log(values: Ints, most: int) -> list[int]:
    """Round edges in a near constant ratio, the most that may be; a narrow range has linear bins.

    Zero, which has no place on such a scale, has a bin of its own below the others.
    """
    positive = values[values > 0]
    room = most - (len(positive) < len(values))
    if room < 1:
        return _linear(values, most)
    least, greatest = int(positive[0]), int(positive[-1])
    series = [_round_edges(steps, least, greatest) for steps in _DECADES]
    edges = max((edges for edges in series if len(edges) - 1 <= room), key=len, default=[])
    if not edges:
        edges = _round_edges(_DECADES[0], least, greatest, -(-(len(series[0]) - 1) // room))
    elif len(edges) - 1 < min(room, 4):
        edges = _linear(positive, room)
    return edges if room == most or edges[0] == 0 else [0, *edges]


def _round_edges(steps: tuple[int, ...], least: int, greatest: int, stride: int = 1) -> list[int]:
    """From the last round figure at or below ``least`` until one is not below ``greatest``."""
    figures = sorted({step * 10**power // 100 for power in range(40) for step in steps} - {0})
    first = max(place for place, figure in enumerate(figures) if figure <= least)
    last = next(place for place in range(first + stride, len(figures), stride) if figures[place] >= greatest)
    return figures[first : last + 1 : stride]


def _quantile(values: Ints, most: int) -> list[int]:
    """Bins of about as many flows each; equal times are never parted, so there may be fewer."""
    ranks = np.arange(most + 1) * (len(values) - 1) // most
    return [int(edge) for edge in np.unique(values[ranks])]


_KINDS: dict[Kind, Callable[[Ints, int], list[int]]] = {"log": _log, "quantile": _quantile, "linear": _linear}


class Extremes(NamedTuple):
    """Places in ascending order to show: the first ``low``, the last from ``high``; ``folded`` between."""

    low: range
    high: range
    folded: int


def extremes(count: int, most: int) -> Extremes:
    """Which of ``count`` sorted rows to show where at most ``most`` may be: the ends of the order."""
    if count <= most:
        return Extremes(range(count), range(count, count), 0)
    low = most // 2
    high = count - (most - low)
    return Extremes(range(low), range(high, count), high - low)
