# SPDX-License-Identifier: Apache-2.0
"""From options to a question, and from a Table to what is written: text, JSON or CSV.

A Plan is made once; it turns the Table of every round into an Answer.  Nothing is read and
nothing is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from fleutan.analysis import groups, latency, limits, order, volume
from fleutan.errors import UsageError
from fleutan.exports import csv
from fleutan.exports import json as json_export
from fleutan.faces.cli import figures, pages
from fleutan.faces.cli.flows import Options
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.terminal import Screen
from fleutan.fields import FIELDS, find, require
from fleutan.live import Question
from fleutan.table import Table
from fleutan.views import ENDS, View
from fleutan.views import flows as flows_view
from fleutan.views import latency as latency_view
from fleutan.views import limits as limits_view
from fleutan.views import volume as volume_view

#: On a terminal, a longer table of flows is cut here unless --top or --all says.
TERMINAL_ROWS = 200
_PROTOS = {"tcp": ("tcp", "mptcp"), "udp": ("udp", "udplite")}
#: What each view adds to the fields of a flow in JSON and CSV.
_ADDED = {"volume": volume.GIVES, "limits": limits.GIVES}
#: The measures of a group that each view shows as text, after the group's keys.
_GROUP_COLUMNS = {
    "flows": ("flows", "bytes_sent", "bytes_received", "retrans", "rtt_us_p50", "rtt_us_max"),
    "latency": ("flows", "rtt_us_min", "rtt_us_p50", "rtt_us_p90", "rtt_us_max"),
    "volume": ("flows", "bytes_sent", "bytes_received", "segs_out", "segs_in", "retrans_share"),
    "limits": ("flows", "bytes_sent", "bytes_received", "rtt_us_p50", "retrans_share"),
}
_GROUP_RATES = ("flows", "tx_rate_bps", "rx_rate_bps", "segs_out_rate_pps", "segs_in_rate_pps", "retrans_rate_pps")


@dataclass(frozen=True)
class Answer:
    """One round's answer: pieces of bytes, made while they are written."""

    bytes: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Plan:
    """What the options mean: the view, its columns, the order, and the question to ask."""

    options: Options
    view: View
    columns: tuple[str, ...]
    sort: tuple[str, ...]
    by: tuple[str, ...]
    bins: latency.Bins
    steps_ms: tuple[float, ...]
    question: Question

    @classmethod
    def of(cls, options: Options) -> Plan:
        """The plan; raises UsageError for what the options cannot mean."""
        view = _view(options)
        timed = options.interval is not None or options.watch or options.count is not None
        columns = _columns(options, view, timed)
        by = tuple(groups.key(name).name for name in _listed(options.group))
        if by and view is limits_view.VIEW:
            by = tuple(dict.fromkeys((*by, "limit")))
        sort = (order.parse(options.sort),) if options.sort and not by else _sort(view, timed)
        fields = _fields(columns, sort, by, view, timed)
        return cls(
            options,
            view,
            columns,
            sort,
            by,
            latency.Bins.parse(options.bins),
            _steps(options.thresh),
            _question(options, view, fields),
        )

    def answer(self, table: Table, screen: Screen, names: figures.Names | None = None) -> Answer:
        """What the table says to the question, drawn for the screen or written for programs."""
        if self.view.tcp_only:
            table = table.take(table.column("rtt").mask()) if self.view is latency_view.VIEW else table
        if self.by:
            return self._grouped(table, screen)
        rows = order.ordered(table, self.sort, self._top(screen))
        if self.options.form == "text":
            look = Look(screen, self.options.header, names)
            return Answer(lambda: _encoded(self._text(table, rows, look)))
        return Answer(lambda: self._machine(table, rows.select(self.columns)))

    def _top(self, screen: Screen) -> int:
        if self.options.top is not None:
            return self.options.top
        folds = self.options.form == "text" and screen.width is not None and self.view is not latency_view.VIEW
        return TERMINAL_ROWS if folds and not self.options.every else 0

    def _text(self, table: Table, rows: Table, look: Look) -> Iterator[str]:
        if self.view is latency_view.VIEW and not self.options.fields:
            spread = latency.distribution(table["rtt"], self.bins)
            yield from pages.latency_page(rows, spread, look, self.steps_ms, self.options.every)
        elif self.view is limits_view.VIEW and not self.options.fields:
            yield from pages.limits_page(rows, limits.summary(table), self.view, look)
        else:
            yield from pages.flows_page(rows, self.columns, look)
        yield from self._footer(table, rows, look)

    def _footer(self, table: Table, rows: Table, look: Look) -> Iterator[str]:
        if look.screen.width is None or not look.heading:
            return
        reading = table.reading
        when = figures.clock(reading.at_ns, self.options.utc)
        folded = f", {len(table) - len(rows):,} more: --top 0 shows all" if len(rows) < len(table) else ""
        yield look.screen.paint(
            f"{len(rows):,} flows{folded}   {reading.host} netns {reading.netns}   {when}   {reading.source}", "dim"
        )
        if self.options.watch:  # there is no other place on a live display
            yield from (look.screen.paint(f"note: {note}", "dim") for note in reading.notes)

    def _machine(self, table: Table, rows: Table) -> Iterator[bytes]:
        if self.options.form == "csv":
            yield from csv.lines(rows, header=self.options.header)
        elif self.options.form == "jsonl":
            yield from json_export.lines(rows)
        else:
            yield from json_export.document(rows, {"schema": f"fleutan/{self.view.name}/1", **self._head(table)})

    def _head(self, table: Table) -> dict[str, Any]:
        head = head_of(table)
        if self.view is latency_view.VIEW:
            head["distribution"] = latency.distribution(table["rtt"], self.bins).summary()
        if self.view is limits_view.VIEW:
            head["verdicts"] = {verdict or "unknown": count for verdict, count in limits.summary(table)}
        return head

    def _grouped(self, table: Table, screen: Screen) -> Answer:
        timed = "tx_rate" in table
        default = "tx_rate" if timed else "flows"
        grouped = groups.group(table, self.by, self.options.sort or default, self.options.top or 0)
        if self.options.form == "text":
            names = (*grouped.by, *(_GROUP_RATES if timed else _GROUP_COLUMNS[self.view.name]))
            look = Look(screen, self.options.header)
            return Answer(lambda: _encoded(pages.groups_page(grouped, names, look)))
        return Answer(lambda: self._grouped_machine(table, grouped))

    def _grouped_machine(self, table: Table, grouped: groups.Grouped) -> Iterator[bytes]:
        if self.options.form == "csv":
            yield from csv.plain_lines(grouped.names, grouped.rows, header=self.options.header)
        elif self.options.form == "jsonl":
            yield from json_export.plain_lines(grouped.dicts())
        else:
            head = {"schema": "fleutan/groups/1", **head_of(table), "others": grouped.others_dict()}
            yield from json_export.plain_document(head, {"groups": grouped.dicts()})


def head_of(table: Table) -> dict[str, Any]:
    """What a JSON document says of the reading behind it."""
    reading = table.reading
    head: dict[str, Any] = {
        "host": reading.host,
        "netns": reading.netns,
        "at": datetime.fromtimestamp(reading.at_ns / 1e9, UTC).isoformat().replace("+00:00", "Z"),
        "source": reading.source,
    }
    if reading.interval_ns:
        head["interval_ms"] = reading.interval_ns // 10**6
    if reading.notes:
        head["notes"] = list(reading.notes)
    return head


def _view(options: Options) -> View:
    if options.lat:
        return latency_view.VIEW
    if options.vol:
        return volume_view.VIEW
    return limits_view.VIEW if options.limits else flows_view.VIEW


def _listed(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _columns(options: Options, view: View, timed: bool) -> tuple[str, ...]:
    """The columns that are shown or written, by catalogue name."""
    if options.fields == "all":
        return tuple(field.name for field in FIELDS if timed or field.name not in flows_view.INTERVAL_FIELDS)
    if options.fields:
        return tuple(name if name in ENDS else require(name).name for name in _spelled(options))
    if options.form == "text":
        return view.with_interval if timed and view.with_interval else view.columns
    timed_fields = flows_view.INTERVAL_FIELDS if timed else ()
    return (*flows_view.MACHINE_FIELDS, *_ADDED.get(view.name, ()), *timed_fields)


def _spelled(options: Options) -> Iterator[str]:
    """The names after --fields; for programs the ends of a flow are two fields each."""
    for name in _listed(options.fields):
        if name in ENDS and options.form != "text":
            yield from ENDS[name]
        else:
            yield name


def _sort(view: View, timed: bool) -> tuple[str, ...]:
    return ("-tx_rate", "-rx_rate") if timed and view.with_interval else view.order


def _fields(columns: Sequence[str], sort: Sequence[str], by: Sequence[str], view: View, timed: bool) -> tuple[str, ...]:
    """The catalogue fields that the answer needs."""
    grouped = [name for measure in groups.MEASURES for name in measure.needs] if by else []
    grouped = [name for name in grouped if timed or name not in flows_view.INTERVAL_FIELDS]
    special = {latency_view.VIEW.name: ("rtt", "min_rtt"), limits_view.VIEW.name: limits.GIVES}.get(view.name, ())
    named = (*(() if by else columns), *by, *grouped, *special, *(name.lstrip("-") for name in sort if not by))
    return tuple(dict.fromkeys(part for name in named for part in ENDS.get(name, (name,))))


def _question(options: Options, view: View, fields: tuple[str, ...]) -> Question:
    protos: tuple[str, ...] = ()
    for name in ("tcp", "udp"):
        protos += _PROTOS[name] if getattr(options, name) else ()
    if view.tcp_only and not protos:
        protos = _PROTOS["tcp"]
    return Question(
        filter=" ".join(options.filter),
        also=_processes(options),
        fields=fields,
        demanded=_demanded(options),
        protos=protos,
        family="ipv4" if options.ipv4 else "ipv6" if options.ipv6 else "",
        states="listening" if options.listening else "all" if options.all_states else "connected",
        thresholds=_thresholds(options.threshold),
    )


def _demanded(options: Options) -> frozenset[str]:
    """The fields that are asked for by name, rather than because the view has them."""
    named = [*_listed(options.group), (options.sort or "").partition(":")[0]]
    named += _listed(options.fields) if options.fields != "all" else []
    return frozenset(field.name for field in map(find, named) if field)


def _processes(options: Options) -> tuple[str, ...]:
    """The processes of -p as a filter of their own."""
    terms = [f"pid = {name}" if name.isdecimal() else f"comm = {quoted(name)}" for name in options.process]
    return (" or ".join(terms),) if terms else ()


def quoted(text: str) -> str:
    """The text as a quoted string of the filter language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _thresholds(settings: Sequence[str]) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise UsageError(f"--threshold {setting}: say NAME=NUMBER") from None
    return found


def _steps(text: str) -> tuple[float, ...]:
    try:
        steps = tuple(float(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"--thresh {text}: say milliseconds with commas between, such as 10,20,100") from None
    if list(steps) != sorted(steps) or not np.isfinite(steps).all():
        raise UsageError(f"--thresh {text}: the steps have to ascend")
    return steps


def _encoded(lines: Iterator[str]) -> Iterator[bytes]:
    for line in lines:
        yield line.encode("utf-8", "replace") + b"\n"
