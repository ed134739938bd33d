# SPDX-License-Identifier: Apache-2.0
"""The rows of two Tables in one, one behind the other, and the owners that they refer to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fleutan.column import Column
from fleutan.table import Table

#: The related table of who holds which socket, and the column that refers to it.
_OWNERS, _OWNER = "owners", "owner"


def stacked(first: Table, second: Table) -> Table:
    """The rows of ``first``, then those of ``second``, with the columns of ``first``.

    What ``second`` lacks is unknown in its rows.  Owners are numbered anew, so that those of
    ``second`` are not taken for those of ``first``.
    """
    if not len(second):
        return first
    related = dict(first.related)
    if _OWNERS in first.related and _OWNERS in second.related:
        owners, others = first.related[_OWNERS], second.related[_OWNERS]
        shift = 1 + max((_most(table, _OWNER) for table in (first, owners)), default=-1)
        others = _shifted(others.take(np.isin(others.columns[_OWNER].values, second.columns[_OWNER].values)), shift)
        second = _shifted(second, shift)
        related[_OWNERS] = replace(owners, columns=_columns(owners, others))
    return replace(first, columns=_columns(first, second), related=related)


def _most(table: Table, name: str) -> int:
    return int(table.columns[name].values.max(initial=-1))


def _shifted(table: Table, shift: int) -> Table:
    column = table.columns[_OWNER]
    return table.with_columns({_OWNER: Column(column.values + shift, column.known)})


def _columns(first: Table, second: Table) -> dict[str, Column]:
    return {name: _joined(column, second.columns.get(name), len(second)) for name, column in first.columns.items()}


def _joined(column: Column, more: Column | None, rows: int) -> Column:
    if more is None:
        more = _unknown(column, rows)
    if column.words is not None:
        return _joined_words(column, more)
    known = None if column.known is None and more.known is None else np.append(column.mask(), more.mask())
    return Column(np.concatenate([column.values, more.values]), known)


def _unknown(like: Column, rows: int) -> Column:
    if like.words is not None:
        return Column(np.full(rows, -1, like.values.dtype), None, ())
    return Column(np.zeros((rows, *like.values.shape[1:]), like.values.dtype), np.zeros(rows, np.bool_))


def _joined_words(column: Column, more: Column) -> Column:
    known, others = column.words or (), more.words or ()
    if known == others:
        return Column(np.append(column.values, more.values), None, known)
    words = [*known]  # some may be alike: octets are not told apart
    index = {word: code for code, word in enumerate(words)}
    codes = np.full(len(others) + 1, -1, column.values.dtype)  # code −1 finds the last
    for code in np.unique(more.values[more.values >= 0]).tolist():
        codes[code] = index.setdefault(others[code], len(words))
        if codes[code] == len(words):
            words.append(others[code])
    return Column(np.append(column.values, codes[more.values]), None, tuple(words))
