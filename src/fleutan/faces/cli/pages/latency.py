# SPDX-License-Identifier: Apache-2.0
"""The distribution of round-trip times, and a bar for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from fleutan.analysis.latency import Distribution, Extremes
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import pad
from fleutan.faces.cli.pages import Look, beside_bars, flow_count, folded, strips, summary
from fleutan.table import Table
from fleutan.views import View

#: The colours of a bar by how many steps there are: the last is for what reaches them all.
GRADES = {1: ("green", "red"), 2: ("green", "yellow", "red"), 3: ("green", "yellow", "magenta", "red")}
_COLUMNS = ("rtt", "min_rtt", "local", "remote", "proc")


def page(
    table: Table, spread: Distribution, shown: Extremes, look: Look, steps_ms: Sequence[float], view: View
) -> Iterator[str]:
    """The distribution, then a bar a flow in the order of the table, which has no flow without a round-trip time.

    ``shown`` are the rows to show; those between its two ranges are folded.
    """
    if not spread.flows:
        yield "no TCP flow with a round-trip time"
        return
    yield from summary(_figures(spread), look)
    yield from histogram(spread, look, steps_ms)
    yield look.screen.rule()
    yield from _flows(table, shown, look, steps_ms, view)
    yield look.screen.rule()


def _figures(spread: Distribution) -> Iterator[str]:
    yield flow_count(spread.flows, "TCP ")
    named = {"p50": "median"}
    times = [f"{named.get(name, name)} {figures.time_us(value)}" for name, value in spread.quantiles.items()]
    yield f"rtt {times[0]}"
    yield from times[1:]


def histogram(spread: Distribution, look: Look, steps_ms: Sequence[float]) -> Iterator[str]:
    """A bar a bin, the number of flows behind it, then the bin."""
    labels = _bin_labels(spread.edges.tolist())
    counts = spread.counts.tolist()
    counted = max(len("FLOWS"), *(len(f"{count:,}") for count in counts))
    room = max(look.screen.picture - counted - max(map(len, labels)) - 3, 8)
    if look.heading:
        yield look.title(f"{pad('FLOWS BY RTT'[:room], room)} {'FLOWS':>{counted}}  RTT")
    for low, label, count in zip(spread.edges.tolist(), labels, counts, strict=False):
        bar = look.screen.bar(count / max(counts), room, grade(low, steps_ms))
        yield f"{bar} {count:>{counted},}  {label}"


def _bin_labels(edges: Sequence[int]) -> list[str]:
    """Every bin as ``[from - to]``, exact where rounding would make its edges alike."""
    short = [figures.time_us(edge) for edge in edges]
    alike = any(low == high for low, high in pairwise(short))
    texts = [f"{edge:,}us" for edge in edges] if alike and edges[0] != edges[-1] else short
    return [f"[{low}]" if low == high else f"[{low} - {high}]" for low, high in pairwise(texts)]


def grade(rtt_us: float, steps_ms: Sequence[float]) -> str:
    """The colour of a round-trip time: one step worse for every threshold that it reaches."""
    return GRADES[len(steps_ms)][sum(rtt_us >= step * 1e3 for step in steps_ms)]


def _flows(table: Table, shown: Extremes, look: Look, steps_ms: Sequence[float], view: View) -> Iterator[str]:
    rows = table.take(np.array([*shown.low, *shown.high], np.int64))
    rtts = rows["rtt"].tolist()
    longest = max(1, *rtts)
    bars = beside_bars(strips(rows, _COLUMNS, look, view), "RTT PER FLOW", look)
    if look.heading:
        yield bars.heading
    for place, (rtt, line) in enumerate(zip(rtts, bars.beside, strict=True)):
        if place == len(shown.low) and shown.folded:
            yield folded(shown.folded, _range(table, shown), look)
        yield look.screen.bar(rtt / longest, bars.room, grade(rtt, steps_ms)) + " " + line
    if shown.folded and not shown.high:
        yield folded(shown.folded, _range(table, shown), look)


def _range(table: Table, shown: Extremes) -> str:
    hidden = table["rtt"][len(shown.low) : len(shown.low) + shown.folded]
    low, high = (figures.time_us(edge) for edge in (hidden.min(), hidden.max()))
    return f" of {low}" if low == high else f" from {low} to {high}"
