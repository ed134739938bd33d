# SPDX-License-Identifier: Apache-2.0
"""What every reader of bytes returns: equal-length columns under the kernel's or the protocol's own names.

A name that a reader cannot give is absent; a row that lacks it is marked unknown.  No name is
translated and no unit is converted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
Known = NDArray[np.bool_]


class Records(NamedTuple):
    """``rows`` of them; ``values[name]`` has that length; ``known[name]`` only where rows lack it.

    Integers are int64 (unsigned 64-bit ones reinterpreted), addresses of the kernel ``(n, 4)`` uint32
    in network order as they lie in memory, those of protocols ``(n, 2)`` int64 halves (IPv4 as
    IPv4-mapped, as in ``address``), names ``S16`` bytes padded with NUL.
    """

    rows: int
    values: dict[str, Values]
    known: dict[str, Known]


def concatenate(parts: Iterable[Records]) -> Records:
    """One Records of all rows, in order; a name that a part lacks is unknown in its rows."""
    present = [part for part in parts if part.rows]
    if len(present) <= 1:
        return present[0] if present else Records(0, {}, {})
    names = list(dict.fromkeys(name for part in present for name in part.values))
    values: dict[str, Values] = {}
    known: dict[str, Known] = {}
    for name in names:
        shape = next(part.values[name] for part in present if name in part.values)
        values[name] = np.concatenate(
            [part.values.get(name, np.zeros((part.rows, *shape.shape[1:]), shape.dtype)) for part in present]
        )
        if any(name not in part.values or name in part.known for part in present):
            known[name] = np.concatenate([_known(part, name) for part in present])
    return Records(sum(part.rows for part in present), values, known)


def take(records: Records, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Records:
    """These rows, by number or mask."""
    at = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
    values = {name: column.take(at, axis=0) for name, column in records.values.items()}
    # Many names share a mask.
    masks = {id(known): known for known in records.known.values()}
    taken = {key: known.take(at) for key, known in masks.items()}
    return Records(len(at), values, {name: taken[id(known)] for name, known in records.known.items()})


def kinds(columns: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which rows of these columns, ``(n,)`` each, are the first of their kind, and of which kind each row is, ``(n,)``.

    Most columns of a batch have one value throughout; that is seen faster than sorted.
    """
    place = np.zeros(len(columns[0]), np.int64)
    first = np.zeros(min(1, len(place)), np.int64)
    for column in columns:
        if len(column) and (column != column[0]).any():
            each, here = np.unique(column, return_inverse=True)
            _, first, place = np.unique(place * len(each) + here, return_index=True, return_inverse=True)
    return first, place


def _known(part: Records, name: str) -> Known:
    if name in part.known:
        return part.known[name]
    return np.full(part.rows, name in part.values)


def fill(
    records: Records, name: str, values: Values, known: Known | None = None, rows: NDArray[np.int64] | None = None
) -> None:
    """Puts a column, or of the rows ``rows`` a part of it, where its rows know nothing yet.

    ``values`` and ``known`` have an entry a row; arrays that are given are never written to.
    """
    if rows is None and name not in records.values:
        records.values[name] = values
        if known is not None and not known.all():
            records.known[name] = known
        return
    if name in records.values and name not in records.known:
        return
    before = _known(records, name) if name in records.values else np.zeros(records.rows, np.bool_)
    rows = np.arange(records.rows) if rows is None else rows
    fresh = ~before[rows] if known is None else known & ~before[rows]
    whole = (
        records.values[name].copy()
        if name in records.values
        else np.zeros((records.rows, *values.shape[1:]), values.dtype)
    )
    whole[rows[fresh]] = values[fresh]
    mask = before.copy()
    mask[rows[fresh]] = True
    records.values[name] = whole
    records.known[name] = mask
    if mask.all():
        del records.known[name]
