# SPDX-License-Identifier: Apache-2.0
"""Columns as Arrow: what DuckDB, pandas, polars and pyarrow read without copying numbers.

Numbers are handed over as they lie in memory.  Text becomes plain UTF-8, built by numpy from
the codes.  An address gives three columns: its text, and the signed halves as NAME_hi, NAME_lo.
Octets are binary.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import nanoarrow as na
import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.column import Column, Slices, Words
from fleutan.fields import require
from fleutan.protocols.spans import Spans, joined

#: Of texts with so few words the words are encoded once: batch after batch has the same.
_FEW = 1024


@cache
def _schema(type_: str) -> Any:
    """The Arrow type of a column's values, made once: to make one takes longer than to hand over an array."""
    made = {"int": na.int64, "float": na.float64, "bool": na.bool_, "text": na.large_string, "octets": na.large_binary}
    return na.c_schema(made[type_]())


class ArrowTable:
    """Offers the Arrow PyCapsule stream of some columns; every call gives a new stream.

    With ``row`` there is one more column of that name: the number of each row, from 0.  Without
    ``texts`` addresses are their halves only.
    """

    def __init__(self, columns: Mapping[str, Column], row: str | None = None, texts: bool = True) -> None:
        rows = next((len(column) for column in columns.values()), 0)
        children: dict[str, Any] = {}
        if row is not None:
            children[row] = _number("int", np.arange(rows), None)
        for name, column in columns.items():
            field = require(name)
            children |= _arrays(field.key, field.type, column, texts)
        self._array = na.c_array_from_buffers(
            na.struct({key: array.schema for key, array in children.items()}),
            rows,
            [None],
            children=list(children.values()),
        )

    @property
    def array(self) -> Any:
        """The columns as one struct array of nanoarrow."""
        return self._array

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return na.c_array_stream(self._array).__arrow_c_stream__(requested_schema)


def _arrays(key: str, type_: str, column: Column, texts: bool) -> dict[str, Any]:
    if type_ == "address":
        return (_addresses(key, column) if texts else {}) | _halves(key, column)
    if type_ in ("text", "octets"):
        return {key: _text(column.values, column.words or (), type_)}
    if type_ == "ints":
        return {key: _lists(column.values, tuple(column.words or ()))}
    if type_ == "bool":
        bits = np.packbits(column.values.astype(np.bool_), bitorder="little")
        return {key: na.c_array_from_buffers(_schema("bool"), len(column), [_validity(column.known), bits])}
    return {key: _number(type_, column.values, column.known)}


def _addresses(key: str, column: Column) -> dict[str, Any]:
    words, codes = address.distinct(column.values)
    if column.known is not None:
        codes = np.where(column.known, codes, -1).astype(np.int32)
    return {key: _text(codes, tuple(words))}


def _halves(key: str, column: Column) -> dict[str, Any]:
    halves = [np.ascontiguousarray(column.values[:, half]) for half in (0, 1)]
    return {f"{key}_{end}": _number("int", half, column.known) for end, half in zip(("hi", "lo"), halves, strict=True)}


def _number(type_: str, values: NDArray[Any], known: NDArray[np.bool_] | None) -> Any:
    wanted = np.ascontiguousarray(values, np.float64 if type_ == "float" else np.int64)
    return na.c_array_from_buffers(_schema(type_), len(values), [_validity(known), wanted])


def _validity(known: NDArray[np.bool_] | None) -> NDArray[np.uint8] | None:
    return None if known is None else np.packbits(known, bitorder="little")


def _text(codes: NDArray[np.int32], words: Words, type_: str = "text") -> Any:
    if not isinstance(words, Slices):
        words = Slices(joined(words) if type_ == "octets" else _encoded(words))
    offsets, octets = words.gathered(codes)
    validity = _validity(None if (codes >= 0).all() else codes >= 0)
    return na.c_array_from_buffers(_schema(type_), len(codes), [validity, offsets, octets])


def _encoded(words: tuple[str, ...]) -> Spans:
    return _encoded_once(words) if len(words) <= _FEW else joined([word.encode("utf-8", "replace") for word in words])


@lru_cache(64)
def _encoded_once(words: tuple[str, ...]) -> Spans:
    return joined([word.encode("utf-8", "replace") for word in words])


def _lists(codes: NDArray[np.int32], words: tuple[tuple[int, ...], ...]) -> Any:
    pool = np.array([member for word in words for member in word], np.int64)
    offsets, places = _gather(codes, np.array([len(word) for word in words], np.int64))
    members = na.c_array_from_buffers(na.int64(), len(places), [None, pool[places]])
    schema = na.large_list(na.int64())
    return na.c_array_from_buffers(schema, len(codes), [_validity(codes >= 0), offsets], children=[members])


def _gather(codes: NDArray[np.int32], lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets of every row, and for every output element its place in the pool of words."""
    padded = np.append(lengths, 0)  # code −1 finds the empty word at the end
    starts = np.concatenate([[0], np.cumsum(lengths)])
    row_lengths = padded[codes]
    offsets = np.zeros(len(codes) + 1, np.int64)
    np.cumsum(row_lengths, out=offsets[1:])
    places = np.repeat(starts[codes] - offsets[:-1], row_lengths) + np.arange(offsets[-1])
    return offsets, places
