# SPDX-License-Identifier: Apache-2.0
"""What each view looks like as text: a table, or bars with a table beside them.

Takes finished Tables and draws them; sorts nothing, filters nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fleutan.analysis.groups import Grouped
from fleutan.analysis.latency import Distribution, extremes
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import Strip, cell_width, cut, lines
from fleutan.faces.cli.terminal import Screen
from fleutan.fields import BY_NAME, find
from fleutan.table import Table
from fleutan.views import ENDS, View

#: How narrow a column may be cut before it is left out, by field.
FLOORS = {
    "proc": 10,
    "comm": 8,
    "exe": 12,
    "cmdline": 12,
    "cgroup": 12,
    "unit": 12,
    "local": 15,
    "remote": 15,
    "src": 12,
    "dst": 12,
    "evidence": 24,
    "hint": 24,
}
#: Headings that are shorter than the field's name.
TITLES = {"bytes_sent": "TX", "bytes_received": "RX", "delivery_rate": "RATE", "proc": "OWNER", "acked_rate": "ACKED"}
VERDICTS = {"loss": "red", "rwnd": "magenta", "sndbuf": "magenta", "cwnd": "yellow", "pacing": "yellow", "app": "green"}
BAR = 30
#: How many flows --lat shows before it folds those between the extremes.
UNFOLDED = 40
GRADES = ("green", "yellow", "magenta", "red")


@dataclass(frozen=True)
class Look:
    """How to draw: the screen, with headings or not, and names for addresses where they are known."""

    screen: Screen
    heading: bool = True
    names: figures.Names | None = None


def strips(table: Table, names: Sequence[str], look: Look) -> list[Strip]:
    """The columns of a table of flows as text."""
    return [_strip(name, figures.cells(table, name, look.names)) for name in names]


def _strip(name: str, cells: list[str]) -> Strip:
    found = BY_NAME.get(name)
    right = found is not None and found.type in ("int", "float") and name not in ("pid", "uid")
    return Strip(TITLES.get(name, name.upper()), cells, right, FLOORS.get(name), name in ENDS)


def flows_page(table: Table, names: Sequence[str], look: Look) -> Iterator[str]:
    """One line a flow."""
    yield from lines(strips(table, names, look), look.screen.width, look.heading)


def latency_page(
    table: Table, spread: Distribution, look: Look, thresholds_ms: Sequence[float], every: bool
) -> Iterator[str]:
    """The distribution of round-trip times, then a bar for every flow, the quickest first.

    ``table`` has flows with a round-trip time only, ascending.
    """
    if not spread.flows:
        yield "no TCP flow with a round-trip time"
        return
    if look.heading:
        yield look.screen.paint(_latency_title(spread), "bold")
        yield ""
    yield from histogram(spread, look, thresholds_ms)
    yield look.screen.rule(_width(look))
    yield from _latency_flows(table, look, thresholds_ms, every)


def _latency_title(spread: Distribution) -> str:
    named = [f"{name} {figures.time_us(value)}" for name, value in spread.quantiles.items()]
    return f"{spread.flows:,} TCP flows   round-trip time: {'  '.join(named)}".replace("p50", "median")


def _width(look: Look) -> int:
    return min(look.screen.width or 100, 120)


def histogram(spread: Distribution, look: Look, thresholds_ms: Sequence[float]) -> Iterator[str]:
    """A bar a bin, the number of flows behind it, then the bin."""
    edges = spread.edges.tolist()
    counts = spread.counts.tolist()
    room = max(min(_width(look) - 36, 80), 8)
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        bar = look.screen.bar(count / max(counts), room)
        painted = look.screen.paint(bar, grade(low, thresholds_ms)) + " " * (room - cell_width(bar))
        label = figures.time_us(low) if low == high else f"{figures.time_us(low)} - {figures.time_us(high)}"
        yield f"{painted} {count:>9,}  [{label}]"


def grade(rtt_us: float, thresholds_ms: Sequence[float]) -> str:
    """The colour of a round-trip time: one step worse for every threshold that it reaches."""
    passed = sum(rtt_us >= step * 1e3 for step in thresholds_ms)
    return GRADES[min(passed, len(GRADES) - 1)]


def _latency_flows(table: Table, look: Look, thresholds_ms: Sequence[float], every: bool) -> Iterator[str]:
    shown = extremes(len(table), len(table) if every else UNFOLDED)
    quick = table.take(np.asarray(shown.low))
    slow = table.take(np.asarray(shown.high, np.int64))
    longest = float(table["rtt"][-1])
    if look.heading:
        yield look.screen.paint("round-trip time per flow, ascending (least of late behind it)", "bold")
    yield from _bars(quick, look, thresholds_ms, longest)
    if shown.folded:
        low, high = (figures.time_us(float(table["rtt"][row])) for row in (shown.low[-1], shown.high[0]))
        yield look.screen.paint(f"... {shown.folded:,} flows from {low} to {high} folded: --all shows them", "dim")
        yield from _bars(slow, look, thresholds_ms, longest)


def _bars(table: Table, look: Look, thresholds_ms: Sequence[float], longest: float) -> Iterator[str]:
    room = BAR if _width(look) >= 90 else 10
    beside = [
        Strip("", [figures.time_us(value) for value in table["rtt"].tolist()], right=True),
        Strip("", [f"({text})" for text in figures.cells(table, "min_rtt")], right=True),
        *strips(table, ("local", "remote", "proc"), look),
    ]
    width = None if look.screen.width is None else look.screen.width - room - 1
    for rtt, line in zip(table["rtt"].tolist(), lines(beside, width, heading=False), strict=True):
        bar = look.screen.bar(rtt / longest, room)
        yield look.screen.paint(bar, grade(rtt, thresholds_ms)) + " " * (room - cell_width(bar) + 1) + line


def limits_page(table: Table, summary: Sequence[tuple[str | None, int]], view: View, look: Look) -> Iterator[str]:
    """How many flows each verdict has, then a line or two a flow: the figures, and the hint."""
    if look.heading:
        counts = "  ".join(f"{verdict or 'not known'} {count:,}" for verdict, count in summary)
        yield look.screen.paint(f"what limits the flows: {counts or 'no flow'}", "bold")
        yield ""
    names = [name for name in view.columns if name not in ("evidence", "hint")]
    width = look.screen.width
    rows = list(lines(strips(table, names, look), width, look.heading))
    if look.heading and rows:
        yield rows.pop(0)
    details = zip(*(figures.cells(table, name) for name in ("limit", "evidence", "hint")), strict=True)
    for row, (verdict, evidence, hint) in zip(rows, details, strict=True):
        yield look.screen.paint(row, VERDICTS[verdict]) if verdict in VERDICTS else row
        if evidence != figures.UNKNOWN:
            text = f"    {evidence} -> {hint}"
            yield look.screen.paint(text if width is None else cut(text, width), "dim")


def groups_page(grouped: Grouped, names: Sequence[str], look: Look) -> Iterator[str]:
    """One line a group, and one for those that are folded."""
    columns = [grouped.names.index(name) for name in dict.fromkeys(names) if name in grouped.names]
    found = [_group_strip(grouped, column) for column in columns]
    yield from lines(found, look.screen.width, look.heading)


def _group_strip(grouped: Grouped, column: int) -> Strip:
    name = grouped.names[column]
    is_key = name in grouped.by
    write = str if is_key else figures.measure(name)
    rows = [*grouped.rows, *([grouped.others] if grouped.others else [])]
    cells = [figures.UNKNOWN if row[column] is None else figures.printable(write(row[column])) for row in rows]
    if grouped.others:
        cells[-1] = f"({grouped.folded:,} more)" if column == 0 else "" if is_key else cells[-1]
    field = find(name)
    title = TITLES.get(field.name, field.name) if field else name.replace("_us", "").replace("_", " ")
    return Strip(title.upper(), cells, right=not is_key, floor=12 if is_key else None)
