# SPDX-License-Identifier: Apache-2.0
"""One flow in detail: whose it is, how it fares now, and how it fared in the last rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import cut, pad, wrapped
from fleutan.faces.tui import charts
from fleutan.faces.tui.cells import Line
from fleutan.faces.tui.charts import Signs
from fleutan.faces.tui.model import Model
from fleutan.fields import BY_NAME
from fleutan.table import Table

#: What is told, a line a group; what is not known is left out.
_FACTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("process", ("proc", "user", "unit", "container", "pod", "cmdline")),
    ("socket", ("netns", "dev", "cong", "ca_state", "cpu", "rx_queue", "tx_queue", "cookie")),
    ("latency", ("rtt", "rtt_var", "min_rtt", "rto")),
    ("window", ("cwnd", "ssthresh", "mss", "pmtu", "snd_wnd", "rcv_wnd", "unacked", "lost", "notsent")),
    ("buffers", ("rqueue", "rcvbuf", "wqueue", "sndbuf")),
    ("volume", ("bytes_sent", "bytes_acked", "bytes_received", "bytes_retrans", "retrans", "delivery_rate")),
    ("limits", ("pacing_rate", "busy", "rwnd_limited", "sndbuf_limited")),
)
_CHARTS = ("tx_rate", "rx_rate", "rtt", "cwnd", "retrans_rate")
_TITLE = 9
#: The width of a figure's name and value before its chart; below so many lines they stand beside it.
_LABEL = 23
_ROOM = 18
_GONE = "this flow is gone, and no longer remembered"


class Shown(NamedTuple):
    """The flow and all that is known of it: the one row of each."""

    flow: Table
    facts: Table


def lines(model: Model, height: int, signs: Signs, names: figures.Names | None) -> list[Line]:
    """The page: what limits the flow, its charts, which take the lines that are left of ``height``, and facts."""
    flow = model.watched_flow()
    if flow is None:
        return [[(cut(_GONE, signs.width), "dim")]]
    known = model.detail if model.detail is not None and len(model.detail) else flow
    head = [_title(flow, signs, names), [], *_verdict(flow, known, signs.width)]
    facts = [[], *_facts(known, signs.width)]
    return [*head, *_charts(model, height - len(head) - len(facts), signs), *facts]


def _title(flow: Table, signs: Signs, names: figures.Names | None) -> Line:
    local, remote, proto, state = (
        figures.cells(flow, name, names)[0] for name in ("local", "remote", "proto", "state")
    )
    if "change" in flow and flow.column("change").objects()[0] == "vanished":
        state = "closed"
    arrow = "→" if signs.blocks else "->"
    return [(cut(f"{proto} {local} {arrow} {remote}  {state}", signs.width), "heading")]


def _facts(known: Table, width: int) -> Iterator[Line]:
    for title, names in _FACTS:
        told = [(name, figures.cells(known, name)[0]) for name in names if name in known]
        texts = [f"{name.replace('_', ' ')} {text}" for name, text in told if text != figures.UNKNOWN]
        yield from _paragraph(title, texts, width)


def _paragraph(title: str, texts: Sequence[str], width: int, gap: str = "  ") -> Iterator[Line]:
    for line in wrapped(texts, max(width - _TITLE, 1), gap):
        yield [(pad(title, _TITLE), "dim"), (line, "")]
        title = ""


def _verdict(flow: Table, known: Table, width: int) -> Iterator[Line]:
    """What limits it in words; the page shows it of a flow that is open only."""
    limit = figures.cells(flow, "limit")[0]
    if limit == figures.UNKNOWN:
        return
    evidence = list(_words(known, "evidence"))
    yield from _paragraph("limit", [f"{limit}:", *evidence] if evidence else [limit], width, " ")
    yield from _paragraph("to do", list(_words(known, "hint")), width, " ")
    yield []


def _words(known: Table, name: str) -> Iterator[str]:
    text = figures.cells(known, name)[0] if name in known else figures.UNKNOWN
    return iter(()) if text == figures.UNKNOWN else iter(text.split(" "))


def _charts(model: Model, height: int, signs: Signs) -> list[Line]:
    """A chart of every figure that ever was more than nothing, and the verdicts; in a line each where room is short."""
    key = model.watched
    if key is None or not model.history.rounds:
        return [[("no history yet", "dim")]]
    short = height < _ROOM
    width = max(min(signs.width - (_LABEL if short else 0), model.history.points), 1)
    series = {name: model.history.of(key, name, width) for name in _CHARTS}
    series = {name: values for name, values in series.items() if (values > 0).any()}
    each = 1 if short else min((height - 3) // max(len(series), 1) - 1, 5)
    found: list[Line] = []
    for name, values in series.items():
        found += _chart(name, charts.chart(values, width, each, signs.blocks), values, short)
    limits = model.history.of(key, "limit", width)
    if np.isfinite(limits).any():
        found += _beside([(pad("limit", _LABEL), "dim")], [charts.verdicts(limits, width)], short)
    return [*found, *_beside([(" " * _LABEL, "")], [_axis(model, width)], short)[-1:]]


def _chart(name: str, lines_: Sequence[str], values: np.ndarray, short: bool) -> list[Line]:
    """A figure with its last value and its greatest."""
    write = figures.spelling(BY_NAME[name])
    last, most = float(values[-1]), write(round(float(np.nanmax(values)), 3))
    now = figures.UNKNOWN if np.isnan(last) else write(round(last, 3))
    label = [(pad(name.replace("_", " "), 13), "dim"), (pad(now, _LABEL - 13), "")]
    return _beside(label if short else [*label, (f"at most {most}", "dim")], lines_, short)


def _beside(label: Line, lines_: Sequence[str], short: bool) -> list[Line]:
    """The label before the only line, or above all of them."""
    if short:
        return [[*label, (lines_[0], "trend")]]
    return [label, *([(line, "trend")] for line in lines_)]


def _axis(model: Model, width: int) -> str:
    """How long ago the first point is, at its place."""
    times = model.history.times(width)
    ago = f"{figures.time_us(float(times[-1] - times[0]) / 1e3)} ago" if len(times) > 1 else ""
    blank = width - len(times)
    return (
        f"{' ' * blank}{ago}{'now'.rjust(width - blank - len(ago))}"
        if len(times) > len(ago) + 4
        else "now".rjust(width)
    )
