# SPDX-License-Identifier: Apache-2.0
"""Sums over the rows of a Table that are alike in some fields, as a Table again.

For tables that stay columns on their way (traffic by queue, by CPU); groups that people ask for
are made in ``groups``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.figures import int_column, numbers
from fleutan.column import Column
from fleutan.table import Table

Ints = NDArray[np.int64]
_LEAST = np.iinfo(np.int64).min


def totals(table: Table, by: Sequence[str], counters: Sequence[str]) -> Table:
    """A row for every combination of ``by`` that occurs, in order of ``by``, with ``counters`` summed.

    The other columns are those of one of its rows.  An unknown key is a value of its own, an
    unknown counter counts as nothing.  A field that the table lacks is left out.
    """
    group, first = _groups(table, [name for name in by if name in table.columns])
    sums = {}
    for name in counters:
        if name in table.columns:
            counted = np.bincount(group, np.nan_to_num(numbers(table, name)), minlength=len(first))
            sums[name] = int_column(counted.astype(np.float64))
    return table.take(first).with_columns(sums)


def places(table: Table, by: Sequence[str]) -> Ints:
    """For every row the number of its combination, counted in the order of ``by``."""
    return _groups(table, [name for name in by if name in table.columns])[0]


def _groups(table: Table, by: Sequence[str]) -> tuple[Ints, Ints]:
    """The group of every row, and one row of every group."""
    keys = [part for name in by for part in _parts(table.columns[name])]
    if not keys or not len(table):
        return np.zeros(len(table), np.int64), np.arange(min(len(table), 1))
    order = np.lexsort(keys[::-1])
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    group = np.empty(len(order), np.int64)
    group[order] = np.cumsum(fresh) - 1
    return group, order[fresh]


def _parts(column: Column) -> list[Ints]:
    """A column as integers that sort as its values do; unknown ones are least."""
    if (words := column.words) is not None:
        ranks = np.full(len(words) + 1, -1, np.int64)  # the last is where the code −1 points
        ranks[sorted(range(len(words)), key=words.__getitem__)] = np.arange(len(words))
        return [ranks[column.values]]
    if column.values.ndim == 2:
        return [column.values[:, 0], column.values[:, 1]]
    values = column.values.astype(np.int64)
    return [values if column.known is None else np.where(column.known, values, _LEAST)]
