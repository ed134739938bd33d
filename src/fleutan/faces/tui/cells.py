# SPDX-License-Identifier: Apache-2.0
"""The columns of a tab: how wide each is, which fit, and the text of the lines that are seen.

Widths follow from the screen and the kind of addresses alone, so that columns do not move about
with what stands in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fleutan.address import is_ipv4
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import cut, pad
from fleutan.faces.tui import charts
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.tabs import COUNT, TREND
from fleutan.fields import BY_NAME
from fleutan.table import Table

#: A piece of text and what it is, by a name in ``app.STYLES``.
Piece = tuple[str, str]
Line = list[Piece]


class Shape(NamedTuple):
    """The least, a fair and the greatest width of a column; what is cut keeps its end from the last ``tail`` on."""

    least: int
    fair: int
    most: int
    right: bool = False
    tail: str = ""


#: An IPv4 address with its port, and the longest IPv6 address that is met (RFC 5952) with its port.
_IPV4, _IPV6 = 21, 45
_SHAPES = {
    "proc": Shape(10, 14, 24, tail="("),
    "proto": Shape(4, 4, 7),
    "local": Shape(10, 17, _IPV4, tail="#"),
    "remote": Shape(10, 17, _IPV4, tail="#"),
    "dst": Shape(10, 15, _IPV4 - 6),
    "state": Shape(6, 7, 11),
    "user": Shape(6, 6, 12),
    "unit": Shape(10, 16, 40),
    "rtt": Shape(6, 6, 7, right=True),
    "tx_rate": Shape(8, 8, 9, right=True),
    "rx_rate": Shape(8, 8, 9, right=True),
    "retrans_rate": Shape(6, 6, 6, right=True),
    "limit": Shape(6, 6, 6),
    "cpu": Shape(4, 4, 4, right=True),
    "dev": Shape(6, 8, 16),
    "direction": Shape(3, 3, 3),
    "queue": Shape(5, 5, 5, right=True),
    "event": Shape(8, 14, 14),
    "meaning": Shape(12, 30, 80),
    COUNT: Shape(6, 6, 7, right=True),
    TREND: Shape(8, 8, 120),
}
#: What stays as long as it can, in its least width too.
_KEPT = ("proc", "remote", "tx_rate", "rx_rate")
_FIGURE, _WORD = Shape(6, 8, 10, right=True), Shape(8, 12, 30)
TITLES = {
    "proc": "OWNER",
    "tx_rate": "TX",
    "rx_rate": "RX",
    "retrans_rate": "RETR/S",
    "dst": "PEER",
    "direction": "WAY",
    "hop_count": "HOPS",
    "path_loss": "LOST",
    "path_end": "END",
    "connections": "FLOWS",
    "rx_packets": "RX PKT",
    "tx_packets": "TX PKT",
    "cpu_softirq": "SOFTIRQ",
    "cpu_busy": "BUSY",
    "softnet_dropped": "DROPPED",
    "time_squeeze": "SQUEEZED",
    "qdisc_bytes": "LET OUT",
    "qdisc_packets": "PACKETS",
    "qdisc_drops": "DROPS",
    "backlog_bytes": "BACKLOG",
    "bql_inflight": "INFLIGHT",
}
#: What stands of a closed flow in the columns that say how it fares.
_CLOSED = "closed"
_ENDING = ("state", "limit")
_LIMITS = {"loss": "bad", "rwnd": "warn", "sndbuf": "warn", "cwnd": "warn", "pacing": "note", "idle": "dim"}
#: From this width on there is room for wider gaps.
_ROOMY = 100


class Fitted(NamedTuple):
    """A column that fits: its name, its shape, its width."""

    name: str
    shape: Shape
    width: int


def fitted(model: Model, width: int) -> tuple[list[Fitted], int]:
    """The columns of the open tab that fit, and the gap between them."""
    gap = 2 if width >= _ROOMY else 1
    names = list(model.columns())
    shapes = {name: _shape(name, model) for name in names}
    for name in model.tab.spare:
        if name in names and name not in _KEPT and sum(shapes[name].fair + gap for name in names) - gap > width:
            names.remove(name)
    while len(names) > 1 and sum(shapes[name].least + gap for name in names) - gap > width:
        names.remove(next((name for name in model.tab.spare if name in names), names[-1]))
    fair = {name: shapes[name].fair for name in names}
    room = width - gap * (len(names) - 1)
    widths = fair if sum(fair.values()) <= room else {name: shapes[name].least for name in names}
    left = room - sum(widths.values())
    while left > 0 and (growing := [name for name in names if widths[name] < shapes[name].most]):
        for name in growing[:left]:
            widths[name] += 1
        left -= len(growing)
    return [Fitted(name, shapes[name], max(min(widths[name], width), 1)) for name in names], gap


def _shape(name: str, model: Model) -> Shape:
    shape = _SHAPES.get(name)
    if shape is None:
        return _FIGURE if BY_NAME[name].type in ("int", "float") else _WORD
    if name in ("local", "remote", "dst") and _has_ipv6(model.table):
        shape = shape._replace(most=_IPV6 if shape.tail else _IPV6 - 6)
    if name == model.tab.by:  # members stand below it, by their own names
        shape = shape._replace(least=16, fair=24, most=60, right=False)
    return shape


def _has_ipv6(table: Table) -> bool:
    columns = [table.columns[name] for name in ("src", "dst") if name in table]
    return any((column.mask() & ~is_ipv4(column.values)).any() for column in columns)


def heading(model: Model, columns: Sequence[Fitted], gap: int, blocks: bool) -> Line:
    """The titles; that of the order has a mark."""
    order = model.order()
    mark = ("▼" if order.down else "▲") if blocks else ("v" if order.down else "^")
    texts = []
    for name, shape, width in columns:
        title = TITLES.get(name) or name.upper().replace("_", " ")
        if name == order.column:
            title = f"{title[: width - 1]}{mark}"
        texts.append(pad(cut(title, width, "", "."), width, shape.right))
    return [((" " * gap).join(texts), "heading")]


def rows(
    model: Model, columns: Sequence[Fitted], gap: int, height: int, blocks: bool, names: figures.Names | None
) -> list[Line]:
    """The lines that are seen, ``height`` at most."""
    if not len(model.lines):
        return []
    seen = slice(model.top, model.top + height)
    flows, groups = model.lines.rows[seen], model.lines.groups[seen]
    drawn = _Seen(model, flows, groups, blocks, names)
    texts = [drawn.column(column) for column in columns]
    ellipsis = "…" if blocks else "~"
    found = []
    for number, style in enumerate(drawn.styles()):
        line: Line = []
        for (name, shape, width), cells in zip(columns, texts, strict=True):
            text = pad(cut(cells[number], width, shape.tail, ellipsis), width, shape.right)
            line += [(text, style or _style(name, cells[number])), (" " * gap, style)]
        found.append(line[:-1])
    return found


def _style(name: str, text: str) -> str:
    if name == TREND:
        return "trend"
    if name == "limit":
        return _LIMITS.get(text, "")
    return "bad" if name == "retrans_rate" and text not in ("0", figures.UNKNOWN) else ""


class _Seen:
    """The lines that are seen: which are flows, which groups, and the text of their cells."""

    def __init__(
        self, model: Model, rows_: np.ndarray, groups: np.ndarray, blocks: bool, names: figures.Names | None
    ) -> None:
        self._model, self._blocks, self._names = model, blocks, names
        self._of_flow, self._of_group = np.flatnonzero(rows_ >= 0), np.flatnonzero(rows_ < 0)
        self._rows, self._groups = rows_[self._of_flow], groups[self._of_group]
        self._flows = model.table.take(self._rows)
        self._nested = bool(model.tab.by)
        self._count = len(rows_)

    def styles(self) -> list[str]:
        """What each line is as a whole."""
        styles = [""] * self._count
        if "change" in self._flows:
            for place, change in zip(self._of_flow.tolist(), self._flows.column("change").objects(), strict=True):
                styles[place] = {"vanished": "dim", "appeared": "new"}.get(change or "", "")
        return styles

    def column(self, column: Fitted) -> list[str]:
        """The text of a column in every line."""
        texts = [""] * self._count
        for places, cells in (
            (self._of_flow, self._flow_cells(column)),
            (self._of_group, self._group_cells(column)),
        ):
            for place, cell in zip(places.tolist(), cells, strict=True):
                texts[place] = cell
        return texts

    def _flow_cells(self, column: Fitted) -> list[str]:
        model, flows = self._model, self._flows
        if self._nested and column.name == model.tab.by:
            parts = [figures.cells(flows, name, self._names) for name in model.tab.members]
            labels = (f"  {' '.join(words)}" for words in zip(*parts, strict=True))
            return [cut(label, column.width, "#", "…" if self._blocks else "~") for label in labels]
        if column.name == TREND:
            rates = model.history.rates(model.keys_of(self._rows), column.width)
            return [charts.spark(line, column.width, self._blocks) for line in rates]
        if column.name == COUNT:
            return [""] * len(flows)
        texts = figures.cells(flows, column.name, self._names)
        if column.name in _ENDING and "change" in flows:
            changes = flows.column("change").objects()
            return [_CLOSED if change == "vanished" else text for text, change in zip(texts, changes, strict=True)]
        return texts

    def _group_cells(self, column: Fitted) -> list[str]:
        model, groups = self._model, self._model.groups
        if groups is None:
            return []
        if column.name == COUNT:
            return [f"{count:,}" for count in groups.counts[self._groups].tolist()]
        if column.name == TREND:
            keys = map(model.member_keys, self._groups.tolist())
            totals = (model.history.total(members, column.width) for members in keys)
            return [charts.spark(total, column.width, self._blocks) for total in totals]
        texts = figures.cells(groups.table.take(self._groups), column.name, self._names)
        if column.name != model.tab.by:
            return texts
        marks = ("▾ ", "▸ ") if self._blocks else ("- ", "+ ")
        return [
            marks[not model.is_expanded(group)] + text for group, text in zip(self._groups.tolist(), texts, strict=True)
        ]
