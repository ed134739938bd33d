# SPDX-License-Identifier: Apache-2.0
"""Who sends what: a row an exporter, and below what of it could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleutan.faces.cli.pages import Look, strips, summary, tabular
from fleutan.sources.exporters import Problem
from fleutan.table import Table
from fleutan.views.exporters import VIEW


def page(table: Table, problems: Iterable[Problem], look: Look) -> Iterator[str]:
    """The exporters that sent most first; columns that are 0 in every row are left out."""
    if not len(table):
        yield "no datagram"
        return
    datagrams = int(table.columns["datagrams"].values.sum())
    exporters = len(table)
    said = (f"{datagrams:,} datagrams", f"{exporters:,} {'exporter' if exporters == 1 else 'exporters'}")
    yield from summary(said, look)
    names = [name for name in VIEW.columns if name not in VIEW.luxuries or _is_there(table, name)]
    yield from tabular(strips(table, names, look, VIEW), look)
    for problem in problems:
        yield look.cut(f"{problem.times:,} x {problem.where}: {problem.reason}")


def _is_there(table: Table, name: str) -> bool:
    column = table.columns[name]
    if column.words is not None:
        return bool(column.mask().any())
    return bool((column.mask() & column.values.reshape(len(table), -1).any(axis=1)).any())
