# SPDX-License-Identifier: Apache-2.0
"""A verdict a flow, and below it what speaks for it and what could be done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import cell_width, wrapped
from fleutan.faces.cli.pages import Look, flow_count, strips, tabular
from fleutan.table import Table
from fleutan.views import View

COLOURS = {
    **dict.fromkeys(("loss",), "red"),
    **dict.fromkeys(("rwnd", "sndbuf"), "magenta"),
    **dict.fromkeys(("cwnd", "pacing"), "yellow"),
    "app": "green",
    **dict.fromkeys(("idle", figures.UNKNOWN), "dim"),
}
_INDENT = "    "
_TO = "-> "


def page(
    table: Table,
    names: Sequence[str],
    counted: Sequence[tuple[str | None, int]],
    look: Look,
    view: View,
) -> Iterator[str]:
    """How many flows each verdict has, then each flow with its evidence and hint."""
    if look.heading:
        yield from _summary(counted, look)
        yield ""
    rows = tabular(strips(table, names, look, view), look)
    if look.heading:
        yield next(rows)
    details = zip(*(table.column(name).objects() for name in ("limit", "evidence", "hint")), strict=True)
    for row, (verdict, evidence, hint) in zip(rows, details, strict=True):
        mark = verdict or figures.UNKNOWN
        yield look.screen.paint(mark, COLOURS[mark]) + row[len(mark) :]
        yield from _details(evidence, hint, look)


def _summary(counted: Sequence[tuple[str | None, int]], look: Look) -> Iterator[str]:
    total = flow_count(sum(count for _, count in counted))
    verdicts = [f"{verdict or 'not known'} {count:,}" for verdict, count in counted]
    yield from map(look.title, wrapped([total, *verdicts], look.screen.width))


def _details(evidence: str | None, hint: str | None, look: Look) -> Iterator[str]:
    """In one line where they fit; else the hint begins a line of its own."""
    if not evidence:
        return
    hint = f"{_TO}{hint}" if hint else ""
    room = None if look.screen.width is None else max(look.screen.width - len(_INDENT), 20)
    if room is None or cell_width(f"{evidence} {hint}") <= room:
        yield f"{_INDENT}{evidence} {look.aside(hint)}".rstrip()
        return
    yield from (_INDENT + line for line in wrapped(evidence.split(), room, " "))
    for number, line in enumerate(wrapped(hint.removeprefix(_TO).split(), room - len(_TO), " ")):
        yield _INDENT + look.aside((" " * len(_TO) if number else _TO) + line)
