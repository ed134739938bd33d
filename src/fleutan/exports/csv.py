# SPDX-License-Identifier: Apache-2.0
"""Tables as CSV (RFC 4180): a heading of the catalogue's keys, one record per row.

Text is quoted where the RFC asks for it; what is unknown is empty; lists are joined by spaces;
lines end in CR LF.  NUL, which few readers of CSV survive, and a lone surrogate, which is no
UTF-8, become U+FFFD.  Nothing else is changed: a spreadsheet may take ``=…`` for a formula.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from fleutan.exports.cells import Cell, Dialect
from fleutan.exports.grid import columns, written
from fleutan.table import Table

_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_NEEDS_QUOTES = re.compile('[",\r\n]')
_SPECIAL = re.compile('[",\r\n\0\ud800-\udfff]')


def _text(word: str) -> bytes:
    if _SPECIAL.search(word):
        word = _UNWRITABLE.sub("\ufffd", word)
        if _NEEDS_QUOTES.search(word):
            word = '"' + word.replace('"', '""') + '"'
    return word.encode()


DIALECT = Dialect(null=b"", quote=b"", text=_text, ints=lambda numbers: " ".join(map(str, numbers)).encode())

#: A lone empty value is quoted: readers skip an empty line.
_ALONE = replace(DIALECT, null=b'""', text=lambda word: _text(word) or b'""', ints=lambda n: DIALECT.ints(n) or b'""')


def lines(table: Table, header: bool = True) -> Iterator[bytes]:
    """The heading, unless ``header`` is false, and one record per row, in pieces of many."""
    if header:
        yield _line([field.key for field in table.fields()])
    parts: list[bytes | Cell] = []
    for column in columns(table, DIALECT if len(table.columns) > 1 else _ALONE):
        parts += (column, b",")
    yield from written([*parts[:-1], b"\r\n"], len(table))


def plain_lines(names: Sequence[str], rows: Iterable[Sequence[Any]], header: bool = True) -> Iterator[bytes]:
    """The same of plain values, under the given names: for small things."""
    if header:
        yield _line(names)
    for row in rows:
        yield _line(row)


def _line(values: Sequence[Any]) -> bytes:
    return (b",".join(map(_plain, values)) if len(values) > 1 else b"".join(map(_plain, values)) or b'""') + b"\r\n"


def _plain(value: Any) -> bytes:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return b""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return DIALECT.ints(value) if isinstance(value, (list, tuple)) else _text(str(value))
