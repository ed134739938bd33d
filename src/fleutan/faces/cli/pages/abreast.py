# SPDX-License-Identifier: Apache-2.0
"""Bars side by side: where something ran, where its packets were received and where sent, a line for each CPU.

A bar before other columns is drawn by ``beside_bars``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import GAP, Strip, cell_width, cut, lines, pad
from fleutan.faces.cli.pages import UNFOLDED, Look, tabular
from fleutan.faces.cli.pages.qdiscs import left_out
from fleutan.faces.cli.pages.volume import TX_RX
from fleutan.table import Table

#: Bars that are shorter tell nothing: then the figures stand alone.
_LEAST = 2

#: On a host of so many CPUs each has its line, also where nothing was.
FEW_CPUS = 8
#: The bars of a CPU: heading, colour, how wide the figures are.
BARS = {
    "run_time": ("RAN", "yellow", 7),
    "rx_packets": ("RECEIVED", TX_RX[1], 5),
    "tx_packets": ("SENT", TX_RX[0], 5),
}
ESTIMATED = "run_time_estimated"

Amounts = Mapping[int | None, float]


class Host(NamedTuple):
    """The CPUs that the host has, each with its NUMA node; whether it has several nodes."""

    nodes: Mapping[int | None, int | None]
    several: bool


class Measure(NamedTuple):
    """One bar of every row: ``parts`` of a full one, and the figures behind them, ``wide`` columns at the least."""

    title: str
    colour: str
    parts: Sequence[float]
    figures: Sequence[str]
    wide: int


def host_of(found: Table | None) -> Host:
    """The host of a table ``cpus``."""
    if not found:
        return Host({}, False)
    known = found.columns["numa_node"].objects() if "numa_node" in found else [None] * len(found)
    nodes = dict(zip(found.columns["cpu"].objects(), known, strict=True))
    nodes.pop(None, None)
    return Host(nodes, len({node for node in nodes.values() if node is not None}) > 1)


def by_cpu(amounts: Mapping[str, Amounts], host: Host, look: Look, most: int | None) -> Iterator[str]:
    """A line a CPU, its bars side by side, each as a share of all CPUs."""
    shares = {name: _shares(amounts[name]) for name in BARS if name in amounts}
    places = _places(shares, host)
    shown = _largest(shares, places, most)
    measures = [
        Measure(title, colour, [shares[name].get(cpu, 0.0) for cpu in shown], _figures(name, amounts, shown), wide)
        for name, (title, colour, wide) in BARS.items()
        if name in shares
    ]
    labels = [Strip("CPU", [figures.UNKNOWN if cpu is None else str(cpu) for cpu in shown], True)]
    if host.several:
        nodes = [host.nodes.get(cpu) for cpu in shown]
        labels.append(Strip("NODE", [figures.UNKNOWN if node is None else str(node) for node in nodes], True))
    yield from abreast(measures, labels, look)
    if len(shown) < len(places):
        yield left_out(len(places) - len(shown), "CPU", look)


def _shares(amounts: Amounts) -> dict[int | None, float]:
    total = sum(amounts.values())
    return {cpu: amount / total for cpu, amount in amounts.items() if total}


def _places(shares: Mapping[str, Amounts], host: Host) -> list[int | None]:
    """The CPUs of a block: all of a small host, else those that have a part in it; the unknown one last."""
    found = {cpu for parts in shares.values() for cpu, part in parts.items() if part}
    if len(host.nodes) <= FEW_CPUS:
        found |= set(host.nodes)
    return sorted(found, key=lambda cpu: (cpu is None, cpu or 0))


def _largest(shares: Mapping[str, Amounts], places: Sequence[int | None], most: int | None) -> list[int | None]:
    """The CPUs to show, in their order: of many those with the greatest parts."""
    if most is None or len(places) <= UNFOLDED:
        return list(places)
    parts = [-sum(found.get(cpu, 0.0) for found in shares.values()) for cpu in places]
    return [places[place] for place in sorted(np.argsort(parts, kind="stable")[:UNFOLDED].tolist())]


def _figures(name: str, amounts: Mapping[str, Amounts], places: Sequence[int | None]) -> list[str]:
    """What stands behind the bars; nothing is known of the time of a process that never was seen to run."""
    values = [amounts[name].get(cpu, 0.0) for cpu in places]
    if name != "run_time":
        return [figures.count(value) for value in values]
    if not any(values):
        return [figures.UNKNOWN] * len(places)
    estimated = amounts.get(ESTIMATED, {})
    return [
        ("~" if estimated.get(cpu) else "") + figures.time_us(value) for cpu, value in zip(places, values, strict=True)
    ]


def abreast(measures: Sequence[Measure], labels: Sequence[Strip], look: Look) -> Iterator[str]:
    """A line for every row, and the heading above them; where it is narrow the last label goes, then the bars."""
    wide = [max(map(cell_width, (" " * measure.wide, *measure.figures))) for measure in measures]
    heading, *rows = lines(labels, None)
    behind = max(map(cell_width, (heading, *rows)))
    room = (look.screen.picture - behind - sum(wide)) // len(measures) - GAP - 1
    if room < _LEAST and len(labels) > 1:
        yield from abreast(measures, labels[:-1], look)
    elif room < _LEAST:
        shown = [Strip(measure.title, list(measure.figures), True, spare=1) for measure in measures]
        yield from tabular([*shown, *labels], look)
    else:
        if look.heading:
            titles = [_titled(measure, room + 1 + width, look) for measure, width in zip(measures, wide, strict=True)]
            yield look.title((" " * GAP).join([*titles, heading]))
        for row, label in enumerate(rows):
            bars = [_bar(measure, row, room, width, look) for measure, width in zip(measures, wide, strict=True)]
            yield (" " * GAP).join([*bars, label])


def _titled(measure: Measure, width: int, look: Look) -> str:
    return pad(cut(measure.title, width, "", look.screen.ellipsis), width)


def _bar(measure: Measure, row: int, room: int, wide: int, look: Look) -> str:
    return f"{look.screen.bar(measure.parts[row], room, measure.colour)} {pad(measure.figures[row], wide, True)}"
