# SPDX-License-Identifier: Apache-2.0
"""Where the time of each path goes: its flows, and a bar a hop for what that adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.paths import Hop, Path, Step, flows_of, steps
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import Strip, wrapped
from fleutan.faces.cli.pages import Bars, Look, beside_bars, flow_count, strips, summary, tabular
from fleutan.faces.cli.pages.hops import (
    FLOWS,
    ended,
    heading,
    least_rtts,
    lost,
    shown,
    times,
    told,
    who,
)
from fleutan.table import Table

#: Of a hop that answers late while what goes through it does not come late.
_SLOW = "slow reply"
_REPLY = "slow reply: it answers late, but what goes on through it does not come late"
_SPREAD = "{}: half of the distance in which the middle half of its answers lies"
#: The colours of a bar: where loss comes in as well, and elsewhere.
_LOSING, _PLAIN = "red", "green"

Ints = NDArray[np.int64]
_Hops = Sequence[tuple[Path, Hop, Step]]

_NO_ROWS: Ints = np.zeros(0, np.int64)


def page(table: Table, paths: Sequence[Path], look: Look) -> Iterator[str]:
    """A section a path: its flows, then a bar a hop; the widest of all is that of the hop that adds the most."""
    yield from summary(told(table, paths), look)
    if not paths:
        yield "no path"
        return
    rows, of_flows = flows_of(table), least_rtts(table)
    hops = [[*zip([path] * len(path.hops), path.hops, steps(path), strict=True)] for path in paths]
    every = [hop for those in hops for hop in those]
    bars = beside_bars(_columns(every, look), "ADDED", look)
    drawn = _bars(every, bars, look)
    for path, those, flows in zip(paths, hops, _flows(table, rows, paths, look), strict=True):
        yield from _title(path, len(rows.get(path.id, ())), of_flows, look)
        yield from flows
        if those and look.heading:
            yield bars.heading
        yield from islice(drawn, len(those)) if those else ["no hop"]
        yield look.screen.rule()
    yield from _explained(every, look)


def _title(path: Path, flows: int, of_flows: Mapping[str, float], look: Look) -> Iterator[str]:
    """Which path, how many flows take it, its round-trip time and theirs; how it ended."""
    rtts = times(path, of_flows)
    said = (heading(path), flow_count(flows), f"rtt {rtts}" if rtts else "", ended(path))
    words = (look.cut(part) for part in said if part)
    yield from map(look.title, wrapped(words, look.screen.width))


def _flows(table: Table, rows: Mapping[str, Ints], paths: Sequence[Path], look: Look) -> Iterator[list[str]]:
    """The flows of each path as lines; their columns are as wide in all of them."""
    theirs = [rows.get(path.id, _NO_ROWS) for path in paths]
    names = [name for name in shown(table, FLOWS.columns) if name != "path"]
    lines = tabular(strips(table.take(np.concatenate(theirs)), names, look, FLOWS), look)
    above = [next(lines)] if look.heading else []
    for those in theirs:
        yield [*above, *islice(lines, len(those))] if names and len(those) else []


def _columns(hops: _Hops, look: Look) -> list[Strip]:
    """A row a hop: what it adds and how sure that is, its own time and loss, who it is."""
    sure = _sign(look)
    spreads = [step.spread_us for _, _, step in hops]
    return [
        Strip("HOP", [f"{step.ttl}" for _, _, step in hops], True),
        Strip("ADDED", [_time(step.added_us) for _, _, step in hops], True),
        Strip(sure, [f"{sure}{_time(spread / 2)}" if spread is not None else "" for spread in spreads], True, spare=1),
        Strip("RTT", [_time(hop.rtt_us) for _, hop, _ in hops], True, spare=1),
        Strip("LOST", [lost(step.loss) for _, _, step in hops], True, spare=1),
        Strip("ROUTER", [who(path, hop) for path, hop, _ in hops], floor=15),
        *_slow(hops),
    ]


def _slow(hops: _Hops) -> list[Strip]:
    cells = [_SLOW if step.slow_reply else "" for _, _, step in hops]
    return [Strip("NOTE", cells, spare=1)] if any(cells) else []


def _explained(hops: _Hops, look: Look) -> Iterator[str]:
    """What stands on the page without explaining itself."""
    for telling, sentence in (
        (any(step.slow_reply for _, _, step in hops), _REPLY),
        (any(step.spread_us is not None for _, _, step in hops), _SPREAD.format(_sign(look))),
    ):
        if telling:
            yield from map(look.aside, wrapped(sentence.split(), look.screen.width, " "))


def _sign(look: Look) -> str:
    return "±" if look.screen.blocks else "+-"


def _time(time_us: float | None) -> str:
    return figures.UNKNOWN if time_us is None else figures.time_us(time_us)


def _bars(hops: _Hops, bars: Bars, look: Look) -> Iterator[str]:
    greatest = max((step.added_us or 0.0 for _, _, step in hops), default=0.0) or 1.0
    for (_, _, step), line in zip(hops, bars.beside, strict=True):
        colour = _LOSING if step.loss else _PLAIN
        yield f"{look.screen.bar((step.added_us or 0.0) / greatest, bars.room, colour)} {line}".rstrip(" ")
