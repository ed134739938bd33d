# SPDX-License-Identifier: Apache-2.0
"""Runs ``fleutan query`` and ``fleutan sql``; imported only when one of them runs."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC
from itertools import chain
from pathlib import Path
from typing import Any

import click

from fleutan.errors import UsageError
from fleutan.exports import csv, forms, json
from fleutan.exports.como import FORMATS, default_format
from fleutan.exports.como.options import Options
from fleutan.faces.cli import configured
from fleutan.faces.cli.figures import printable
from fleutan.faces.cli.pages import Look, strips, tabular
from fleutan.faces.cli.query import WORDS
from fleutan.faces.cli.terminal import screen
from fleutan.lake.listing import EVER
from fleutan.past.engine import Limits
from fleutan.past.engines import opened
from fleutan.past.jobs import lookups_of
from fleutan.past.modules import MODULES, answer
from fleutan.past.parameters import Moment, understood
from fleutan.past.request import Request
from fleutan.past.sql import Rows
from fleutan.query.times import parse_moment
from fleutan.sources.names import services
from fleutan.table import Table
from fleutan.views import View

#: What live_flows has.
LIVE = (
    *("proto", "family", "state", "src", "sport", "dst", "dport", "dev", "netns", "inode", "uid", "user", "pid"),
    *("comm", "unit", "container", "rtt", "rtt_var", "min_rtt", "cwnd", "mss", "retrans", "lost", "unacked"),
    *("bytes_sent", "bytes_acked", "bytes_received", "delivery_rate", "limit"),
)


def lake_of(directory: str | None) -> Path:
    """The lake's directory: as it is named, else as the environment and the user have it."""
    if directory:
        return Path(directory)
    if named := os.environ.get("FLEUTAN_LAKE"):
        return Path(named)
    if os.geteuid() == 0:
        return Path("/var/lib/fleutan/lake")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "fleutan/lake"


def query(words: Mapping[str, Any]) -> None:
    """Asks what the options say and writes the answer."""
    module = words["module"]
    if module not in MODULES:
        raise UsageError(f"no module is called {module!r}; there are {', '.join(MODULES)}")
    form = "plot" if words["plot"] else words["form"] or (default_format(module) if module in FORMATS else "text")
    if form not in (there := (*forms.forms_of(module), "text", "plot")):
        raise UsageError(f"{module} has no format {form!r}; it has {', '.join(there)}")
    jobs = lookups_of(configured.of(click.get_current_context()).jobs)
    asked = understood(module, parameters(words), Moment(time.time_ns(), UTC if words["utc"] else None, jobs))
    for note in asked.notes:
        click.echo(f"fleutan: note: {printable(note)}", err=True)
    out = sys.stdout.buffer
    told: set[str] = set()
    with opened(words["engine"], lake_of(words["lake"]), Limits(words["memory"])) as lake:
        options = options_of(asked.request, words)
        for piece in pieces(form, asked.request, noting(answer(lake, asked.request), told), options):
            out.write(piece)
        out.flush()
    for note in sorted(told):
        click.echo(f"fleutan: note: {printable(note)}", err=True)
    for why, rows in options.left_out.items():
        click.echo(f"fleutan: note: {rows} rows were left out: {why}", err=True)


def noting(tables: Iterable[Table], told: set[str]) -> Iterator[Table]:
    """The same Tables; what their readings lack is put into ``told``."""
    for table in tables:
        told.update(table.reading.notes)
        yield table


def parameters(words: Mapping[str, Any]) -> dict[str, str]:
    """The options as parameters."""
    found = {name: words[name] for _, name, *_ in WORDS if words[name] is not None}
    found["filter"] = " ".join(words["filter"])
    found |= {name: "" for name in ("use-src", "use-dst") if words[name.replace("-", "_")]}
    return found | ({"wait": "yes"} if words["wait"] else {})


def options_of(request: Request, words: Mapping[str, Any]) -> Options:
    """What forms need to know."""
    is_whole = request.module in ("topaddr", "topports") and request.interval_ns is None
    interval_ns = request.end_ns - request.start_ns if is_whole else request.fitting_ns
    side: Any = request.side
    return Options(interval_ns, UTC if words["utc"] else None, words.get("url") or "", names=services(), side=side)


def pieces(form: str, request: Request, tables: Iterable[Table], options: Options) -> Iterator[bytes]:
    """The answer in a form."""
    if form == "text":
        return text(tables)
    if form == "plot":
        return plotted(request, tables, options)
    head = {"start_ns": request.start_ns, "end_ns": request.end_ns}
    return forms.pieces(form, request.module, tables, options, head)


def text(tables: Iterable[Table]) -> Iterator[bytes]:
    """Rows under headings, as wide as the screen."""
    here = screen(sys.stdout)
    for table in tables:
        names = tuple(table.columns)
        view = View(table.kind, names, (), (), (), ())
        look = Look(here)
        for line in tabular(strips(table, list(names), look, view), look):
            yield f"{line}\n".encode(here.encoding, "replace")


def plotted(request: Request, tables: Iterable[Table], options: Options) -> Iterator[bytes]:
    """The answer's measures by time, drawn in text."""
    from fleutan.faces.cli.pages.plot import page

    here = screen(sys.stdout)
    for table in tables:
        measures = [name for name in ("bytes", "packets", "flows") if name in table][:2]
        if "time" not in table or not measures:
            raise UsageError(f"{request.module} cannot be plotted: it has no time, as traffic and flowcount have")
        for line in page(table, measures, Look(here), options.zone == UTC):
            yield f"{line}\n".encode(here.encoding, "replace")


def ask_sql(words: Mapping[str, Any]) -> None:
    """Asks in SQL and writes the answer."""
    from fleutan.past.sql import asked

    now_ns = time.time_ns()
    start_ns = parse_moment(words["from_"], now_ns, None) if words["from_"] else EVER[0]
    end_ns = parse_moment(words["to"], now_ns, None) if words["to"] else EVER[1]
    live = live_tables(words["statement"])
    out = sys.stdout.buffer
    with asked(lake_of(words["lake"]), words["statement"], (start_ns, end_ns), Limits(words["memory"]), live) as rows:
        for piece in _PLAIN[words["form"]](rows):
            out.write(piece)
        out.flush()


def live_tables(statement: str) -> dict[str, Table]:
    """The tables of this host's present that a statement names."""
    if not re.search(r"\blive_flows\b", statement, re.IGNORECASE):
        return {}
    from fleutan.live import Question, ask

    return {"live_flows": ask(Question(fields=LIVE, states="all"))}


def _text_rows(rows: Rows) -> Iterator[bytes]:
    """Columns as wide as the widest value of the first rows."""
    first = list(next(rows.batches, ()))
    cells = [rows.names, *([shown(value) for value in row] for row in first)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in chain(cells, ([shown(value) for value in row] for batch in rows.batches for row in batch)):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield f"{printable(line)}\n".encode()


def shown(value: Any) -> str:
    """A value of SQL as text; what is unknown is empty."""
    return "" if value is None else value.hex() if isinstance(value, bytes) else str(value)


def plain(value: Any) -> Any:
    """A value of SQL as JSON knows it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _objects(rows: Rows) -> Iterator[dict[str, Any]]:
    return (dict(zip(rows.names, map(plain, row), strict=True)) for batch in rows.batches for row in batch)


_PLAIN: Mapping[str, Callable[[Rows], Iterator[bytes]]] = {
    "text": _text_rows,
    "jsonl": lambda rows: json.plain_lines(_objects(rows)),
    "json": lambda rows: json.plain_document({"schema": "fleutan/sql/1"}, {"rows": list(_objects(rows))}),
    "csv": lambda rows: csv.plain_lines(rows.names, (list(map(plain, row)) for batch in rows.batches for row in batch)),
}
