# SPDX-License-Identifier: Apache-2.0
"""Tables as JSON (RFC 8259): one document, or one object per line.

Keys are the catalogue's, with their units; addresses are text, what is unknown is null.  What
is always valid: UTF-8, and no number that is not finite.  A lone surrogate in a text, which
neither UTF-8 nor most readers of JSON take, becomes U+FFFD.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

import numpy as np

from fleutan.exports.cells import Cell, Dialect
from fleutan.exports.grid import columns, written
from fleutan.table import Table

_SURROGATES = re.compile("[\ud800-\udfff]")
_SEPARATORS = (",", ":")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text).encode()


def _text(word: str) -> bytes:
    return _utf8(encode_basestring(word))


DIALECT = Dialect(
    null=b"null",
    quote=b'"',
    text=_text,
    ints=lambda numbers: json.dumps(numbers, separators=_SEPARATORS).encode(),
)


def lines(table: Table) -> Iterator[bytes]:
    """One object per row and line, in pieces of many lines."""
    return _objects(table, b"", b"\n")


def document(
    table: Table,
    head: Mapping[str, Any],
    section: str = "flows",
    sections: Mapping[str, Table | Sequence[Any]] | None = None,
) -> Iterator[bytes]:
    """One document: ``head``, the table as ``section``, then further sections.

    Its ``schema`` is ``fleutan/SECTION/1`` unless ``head`` says another; the rest is as in
    ``plain_document``.
    """
    start = {"schema": f"fleutan/{section}/1", **head}
    return plain_document(start, {section: table, **(sections or {})})


def plain_lines(values: Iterable[Any]) -> Iterator[bytes]:
    """Plain values, one a line: for small things.  Raises TypeError as ``plain_document`` does."""
    return (_value(value) + b"\n" for value in values)


def plain_document(head: Mapping[str, Any], sections: Mapping[str, Table | Sequence[Any]]) -> Iterator[bytes]:
    """One object: the members of ``head``, then each section, an array of rows or of plain values.

    What is not finite becomes null.  Raises TypeError for a value that JSON does not know.
    """
    mark = b"{"
    for name, value in head.items():
        yield mark + _value(name) + b":" + _value(value)
        mark = b","
    for name, content in sections.items():
        yield mark + _value(name) + b":["
        pieces = _objects(content, b",\n", b"") if isinstance(content, Table) else _values(content)
        yield next(pieces, b",")[1:]
        yield from pieces
        yield b"\n]"
        mark = b","
    yield b"}\n" if mark == b"," else b"{}\n"


def _objects(table: Table, before: bytes, after: bytes) -> Iterator[bytes]:
    parts: list[bytes | Cell] = []
    mark = before + b"{"
    for field, column in zip(table.fields(), columns(table, DIALECT), strict=True):
        parts += (mark + _text(field.key) + b":", column)
        mark = b","
    return written([*parts, b"}" + after], len(table))


def _values(values: Sequence[Any]) -> Iterator[bytes]:
    return (b",\n" + _value(value) for value in values)


def _value(value: Any) -> bytes:
    return _utf8(json.dumps(_finite(value), separators=_SEPARATORS, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    """The value with null for what is not finite, and numpy's scalars as Python's."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(member) for member in value]
    return value
