# SPDX-License-Identifier: Apache-2.0
"""The rows of any answer under headings, Table by Table as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import Strip
from fleutan.faces.cli.pages import Look, strips, tabular
from fleutan.fields import require
from fleutan.table import Table
from fleutan.views import View


def page(tables: Iterable[Table], look: Look, utc: bool = False) -> Iterator[str]:
    """The lines; a heading again only where a Table knows of columns that none before it did.

    Columns that no row has known so far are left out, unless there is no row at all.
    """
    shown: tuple[str, ...] = ()
    empty: Table | None = None
    for table in tables:
        if not len(table):
            empty = table
            continue
        known = tuple(name for name, column in table.columns.items() if name in shown or column.mask().any())
        yield from _lines(table, known, look._replace(heading=look.heading and known != shown), utc)
        shown = known
    if empty is not None and not shown:
        yield from _lines(empty, tuple(empty.columns), look, utc)


def _lines(table: Table, names: tuple[str, ...], look: Look, utc: bool) -> Iterator[str]:
    return tabular(_columns(table, names, look, utc), look)


def _columns(table: Table, names: tuple[str, ...], look: Look, utc: bool) -> list[Strip]:
    view = View(table.kind, names, (), (), (), ())
    return [
        _in_utc(table, name, strip) if utc and _is_instant(name) else strip
        for name, strip in zip(names, strips(table, names, look, view), strict=True)
    ]


def _is_instant(name: str) -> bool:
    field = require(name)
    return field.unit == "ns" and field.kind == "label"


def _in_utc(table: Table, name: str, strip: Strip) -> Strip:
    values = table.columns[name].objects()
    return strip._replace(cells=[figures.UNKNOWN if at is None else figures.instant(at, utc=True) for at in values])
