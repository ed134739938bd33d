# SPDX-License-Identifier: Apache-2.0
"""Runs ``fleutan query``; imported only when it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC
from functools import partial, reduce
from typing import Any

import click

from fleutan.analysis.stack import stacked
from fleutan.errors import UsageError
from fleutan.exports import forms
from fleutan.exports.como import FORMATS, default_format
from fleutan.exports.como.options import Options, included
from fleutan.faces.cli import configured
from fleutan.faces.cli.figures import printable
from fleutan.faces.cli.interrupting import interruptible
from fleutan.faces.cli.lakes import lake_of
from fleutan.faces.cli.pages import Look, listing
from fleutan.faces.cli.query import WORDS
from fleutan.faces.cli.terminal import screen
from fleutan.past import parquet
from fleutan.past.engine import Limits
from fleutan.past.engines import opened
from fleutan.past.following import SETTLE, Following, following
from fleutan.past.jobs import lookups_of
from fleutan.past.modules import MODULES, answer
from fleutan.past.parameters import Moment, understood
from fleutan.past.request import Request
from fleutan.query.times import parse_duration
from fleutan.sources.names import services
from fleutan.table import Table

#: Forms that are no text.
BINARY = ("pcap", "pcapng", "parquet")


def query(words: Mapping[str, Any]) -> None:
    """Asks what the options say and writes the answer."""
    form = form_of(words)
    jobs = lookups_of(configured.of(click.get_current_context()).jobs)
    now_ns = time.time_ns()
    asked = understood(words["module"], parameters(words), Moment(now_ns, UTC if words["utc"] else None, jobs))
    for note in asked.notes:
        click.echo(f"fleutan: note: {printable(note)}", err=True)
    follow = follow_of(asked.request, words, now_ns, form)
    request = follow.asked(asked.request) if follow else asked.request
    options, told = options_of(request, words, follow), set[str]()
    with opened(words["engine"], lake_of(words["lake"]), Limits(words["memory"])) as lake, stoppable(lake):
        tables = follow.answer(request, partial(answer, lake), time.time_ns, time.sleep) if follow else None
        write(pieces(form, request, noting(tables or answer(lake, request), told), options), at_once=bool(follow))
    for note in sorted(told):
        click.echo(f"fleutan: note: {printable(note)}", err=True)
    for why, rows in options.left_out.items():
        click.echo(f"fleutan: note: {rows} rows were left out: {why}", err=True)


def form_of(words: Mapping[str, Any]) -> str:
    """The form that is asked for.  Raises UsageError for one that the module does not have, or no screen shows."""
    module = words["module"]
    if module not in MODULES:
        raise UsageError(f"no module is called {module[:40]!r}; there are {', '.join(MODULES)}")
    form = "plot" if words["plot"] else words["form"] or (default_format(module) if module in FORMATS else "text")
    if form not in (there := (*forms.forms_of(module), "text", "plot")):
        raise UsageError(f"{module} has no format {form[:40]!r}; it has {', '.join(there)}")
    if form in BINARY and sys.stdout.isatty():
        raise UsageError(f"{form} is not for a screen: write it to a file, as in > {module}.{form}")
    return str(form)


def follow_of(request: Request, words: Mapping[str, Any], now_ns: int, form: str) -> Following | None:
    """How the answer goes on, if it does."""
    if not words["wait"]:
        if words["settle"]:
            raise UsageError("--settle goes with --wait")
        return None
    settle_ns = parse_duration(words["settle"]) if words["settle"] else SETTLE
    return following(request, parameters(words), now_ns, settle_ns, form)


def stoppable(lake: Any) -> AbstractContextManager[None]:
    """Has Ctrl-C end the question that the lake works on; engines elsewhere are waited for where Python sees it."""
    return interruptible(getattr(lake, "interrupt", nothing))


def nothing() -> None:
    """There is nothing to interrupt."""


def write(pieces_: Iterable[bytes], at_once: bool = False) -> None:
    """Writes the pieces to standard output; each of an answer that goes on at once."""
    out = sys.stdout.buffer
    for piece in pieces_:
        out.write(piece)
        if at_once:
            out.flush()
    out.flush()


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


def options_of(request: Request, words: Mapping[str, Any], follow: Following | None = None) -> Options:
    """What forms need to know."""
    is_whole = request.module in ("topaddr", "topports") and request.interval_ns is None
    interval_ns = request.end_ns - request.start_ns if is_whole else request.fitting_ns
    side: Any = request.side
    return Options(
        follow.width_ns if follow else interval_ns,
        UTC if words["utc"] else None,
        words["url"] or "",
        names=services(),
        include=included(words["include"] or ""),
        side=side,
    )


def pieces(form: str, request: Request, tables: Iterable[Table], options: Options) -> Iterator[bytes]:
    """The answer in a form."""
    if form == "text":
        return _encoded(listing.page(tables, Look(screen(sys.stdout)), options.zone == UTC))
    if form == "plot":
        return _encoded(plotted(request, tables, options))
    if form == "parquet":
        return parquet.pieces(tables)
    head = {"start_ns": request.start_ns, "end_ns": request.end_ns}
    return forms.pieces(form, request.module, tables, options, head)


def _encoded(lines: Iterable[str]) -> Iterator[bytes]:
    encoding = screen(sys.stdout).encoding
    return (f"{line}\n".encode(encoding, "replace") for line in lines)


def plotted(request: Request, tables: Iterable[Table], options: Options) -> Iterator[str]:
    """The answer's measures by time, drawn in text."""
    from fleutan.faces.cli.pages.plot import page

    table = reduce(stacked, tables)
    measures = [name for name in ("bytes", "packets", "flows") if name in table][:2]
    if "time" not in table or not measures:
        raise UsageError(f"{request.module} cannot be plotted: it has no time, as traffic and flowcount have")
    return page(table, measures, Look(screen(sys.stdout)), options.zone == UTC)
