# SPDX-License-Identifier: Apache-2.0
"""Rows of small Tables as plain values, and lines as pieces of bytes.  No form is known here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from fleutan.column import Column
from fleutan.exports.gnuplot import Picture, foot, head
from fleutan.table import Table

#: What stands for an unknown value.
UNKNOWN = "-"
#: Lines that are joined into one piece.
_LINES = 4096


def rows(table: Table, *names: str) -> Iterator[tuple[Any, ...]]:
    """The named columns row by row; what is unknown, or a column that is not there, is None."""
    columns = [table.columns[name].objects() if name in table else [None] * len(table) for name in names]
    return zip(*columns, strict=True)


def shown(value: Any) -> Any:
    """The value, or the sign for what is unknown."""
    return UNKNOWN if value is None else value


def pieces(lines: Iterable[str]) -> Iterator[bytes]:
    """The lines, each ended, joined into pieces of many."""
    lines = iter(lines)
    while some := list(islice(lines, _LINES)):
        yield ("\n".join(some) + "\n").encode(errors="replace")


def script(picture: Picture, batches: Iterable[Iterable[str]]) -> Iterator[bytes]:
    """A script for gnuplot that holds these lines of data, batch by batch as they come."""
    yield from pieces(head(picture))
    drawn = False
    for batch in batches:
        for piece in pieces(batch):
            drawn = True
            yield piece
    yield from pieces(foot(picture, drawn))


def parts(table: Table, most: int) -> Iterator[Table]:
    """The table in parts of at most so many rows, none of them copied."""
    if len(table) <= most:
        yield table
        return
    for first in range(0, len(table), most):
        some = slice(first, first + most)
        columns = {
            name: Column(column.values[some], None if column.known is None else column.known[some], column.words)
            for name, column in table.columns.items()
        }
        yield Table(table.kind, columns, table.reading)


def printable(text: str) -> str:
    """The text as one word: blanks and what no terminal should be sent replaced."""
    return "".join("_" if sign.isspace() else sign if sign.isprintable() else "?" for sign in text)


def absent(rows_: int) -> Column:
    """A column of unknown integers."""
    return Column(np.zeros(rows_, np.int64), np.zeros(rows_, np.bool_))
