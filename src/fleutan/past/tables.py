# SPDX-License-Identifier: Apache-2.0
"""What an engine answers, as Tables: Arrow batches become columns of the catalogue's fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import nanoarrow as na
import numpy as np
from numpy.typing import NDArray

from fleutan.column import Column, text_column
from fleutan.fields import require
from fleutan.table import Reading, Table

#: Text up to so many octets is told apart by numpy.
_SHORT = 64


def tables(stream: Any, kind: str, names: Sequence[str], reading: Reading) -> Iterator[Table]:
    """The batches of an Arrow stream whose columns are these fields, an address two; empty ones too, if all are."""
    some = False
    for batch in na.c_array_stream(stream):
        if batch.length:
            some = True
            yield Table(kind, _columns(batch.view(), names), reading)
    if not some:
        yield Table(kind, {name: _column(require(name).type, []) for name in names}, reading)


def _columns(view: Any, names: Sequence[str]) -> dict[str, Column]:
    columns, at = {}, 0
    for name in names:
        type_ = require(name).type
        width = 2 if type_ == "address" else 1
        columns[name] = _column(type_, [view.child(at + place) for place in range(width)])
        at += width
    return columns


def _column(type_: str, views: list[Any]) -> Column:
    if type_ == "address":
        halves = [_numbers(view, np.int64) for view in views] or [(np.zeros(0, np.int64), None)] * 2
        return Column(np.stack([values for values, _ in halves], axis=1), halves[0][1])
    if type_ in ("text", "octets", "ints"):
        return _words(type_, views[0]) if views else Column(np.zeros(0, np.int32), None, ())
    dtype = {"float": np.float64, "bool": np.bool_}.get(type_, np.int64)
    return Column(*_numbers(views[0], dtype)) if views else Column(np.zeros(0, dtype))


def _known(view: Any) -> NDArray[np.bool_] | None:
    """Which rows have a value; None: all."""
    if not view.null_count:
        return None
    bits = np.unpackbits(np.asarray(view.buffer(0)).view(np.uint8), bitorder="little")
    return bits[view.offset : view.offset + view.length].astype(np.bool_)


def _numbers(view: Any, dtype: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    if dtype is np.bool_:
        bits = np.unpackbits(np.asarray(view.buffer(1)).view(np.uint8), bitorder="little")
        return bits[view.offset : view.offset + view.length].astype(np.bool_), _known(view)
    if view.storage_type == "na" or view.n_buffers < 2:
        return np.zeros(view.length, dtype), np.zeros(view.length, np.bool_)
    values, known = np.asarray(view.buffer(1))[view.offset : view.offset + view.length], _known(view)
    if known is not None and values.dtype.kind == "f":
        values = np.where(known, values, 0)  # what stands where nothing is known may be no number
    return values.astype(dtype), known


def _words(type_: str, view: Any) -> Column:
    if type_ == "ints":
        return _lists(view)
    offsets = np.asarray(view.buffer(1))[view.offset : view.offset + view.length + 1].astype(np.int64)
    pool = np.asarray(view.buffer(2)).view(np.uint8)
    known = _known(view)
    lengths = np.diff(offsets)
    if type_ == "octets":
        octets = pool.tobytes()
        words = tuple(octets[start:end] for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))
        codes = np.arange(len(words), dtype=np.int32)
        return Column(codes if known is None else np.where(known, codes, -1).astype(np.int32), None, words)
    if lengths.max(initial=0) > _SHORT:
        text = pool.tobytes()
        pairs = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        plain: list[str | None] = [text[start:end].decode("utf-8", "replace") for start, end in pairs]
        if known is not None:
            plain = [word if has else None for word, has in zip(plain, known.tolist(), strict=True)]
        return text_column(plain)
    return _coded(pool, offsets[:-1], lengths, known)


def _coded(pool: NDArray[np.uint8], starts: NDArray[Any], lengths: NDArray[Any], known: Any) -> Column:
    """Short text by numpy: each distinct word once."""
    width = max(1, int(lengths.max(initial=0)))
    places = starts[:, None] + np.arange(width)
    inside = np.arange(width) < lengths[:, None]
    padded = np.where(inside, pool.take(places, mode="clip") if len(pool) else 0, 0).astype(np.uint8)
    distinct, codes = np.unique(np.ascontiguousarray(padded).view(f"S{width}").reshape(-1), return_inverse=True)
    words = tuple(word.decode("utf-8", "replace") for word in distinct.tolist())
    codes = codes.reshape(-1).astype(np.int32)
    return Column(codes if known is None else np.where(known, codes, -1).astype(np.int32), None, words)


def _lists(view: Any) -> Column:
    offsets = np.asarray(view.buffer(1))[view.offset : view.offset + view.length + 1].tolist()
    members = np.asarray(view.child(0).buffer(1)).tolist()
    lists = [tuple(members[start:end]) for start, end in pairwise(offsets)]
    words = list(dict.fromkeys(lists))
    number = {word: code for code, word in enumerate(words)}
    known = _known(view)
    codes = np.array([number[one] for one in lists], np.int32)
    return Column(codes if known is None else np.where(known, codes, -1).astype(np.int32), None, tuple(words))
