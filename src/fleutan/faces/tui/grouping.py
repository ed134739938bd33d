# SPDX-License-Identifier: Apache-2.0
"""The rows of a table by what they share, with their sums: a row a group, and who its members are.

Made by numpy, since a key press must be answered at once: grouping 10,000 flows takes a few
milliseconds.  Which groups there are to choose from stands in ``tabs``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.figures import float_column, int_column, numbers
from fleutan.column import Column
from fleutan.faces.tui import identity
from fleutan.fields import BY_NAME
from fleutan.table import Table

Ints = NDArray[np.int64]

#: What is added up; of the others that are figures, the median is the group's.
SUMS = (
    "tx_rate",
    "rx_rate",
    "segs_out_rate",
    "segs_in_rate",
    "retrans_rate",
    "bytes_sent",
    "bytes_received",
    "retrans",
)


@dataclass(frozen=True)
class Groups:
    """``table`` has a row a group, ``ids`` and ``counts`` (int64) too; ``rows`` are the members, group by group."""

    table: Table
    ids: Ints
    counts: Ints
    rows: Ints
    starts: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def members(self, group: int) -> Ints:
        """The rows of the grouped table that belong to a group."""
        return self.rows[self.starts[group] : self.starts[group + 1]]


def grouped(table: Table, by: str, names: tuple[str, ...]) -> Groups:
    """The groups by a field; what is unknown is a group.

    Their table has the field and those of ``names`` that ``table`` has: figures as sums or
    medians, of anything else what the first member says.
    """
    ids, first, codes = np.unique(identity.of_values(table.column(by)), return_index=True, return_inverse=True)
    counts = np.bincount(codes, minlength=len(ids))
    columns = {by: table.column(by).take(first)}
    for name in (name for name in names if name in table and name != by):
        figure = BY_NAME[name].kind in ("gauge", "counter")
        columns[name] = _figure(table, name, codes, len(ids)) if figure else table.column(name).take(first)
    starts = np.append(0, np.cumsum(counts))
    return Groups(Table("groups", columns, table.reading), ids, counts, np.argsort(codes, kind="stable"), starts)


def _figure(table: Table, name: str, codes: Ints, groups: int) -> Column:
    values = numbers(table, name)
    found = _sums(values, codes, groups) if name in SUMS else _medians(values, codes, groups)
    return float_column(found, 3) if BY_NAME[name].type == "float" else int_column(found)


def _sums(values: NDArray[np.float64], codes: Ints, groups: int) -> NDArray[np.float64]:
    known = np.isfinite(values)
    counts = np.bincount(codes[known], minlength=groups)
    return np.where(counts, np.bincount(codes[known], values[known], groups), np.nan)


def _medians(values: NDArray[np.float64], codes: Ints, groups: int) -> NDArray[np.float64]:
    """Of an even number the lower of the two in the middle: a value that was measured."""
    known = np.isfinite(values)
    values, codes = values[known], codes[known]
    counts = np.bincount(codes, minlength=groups)
    ordered = values[np.lexsort((values, codes))]
    middle = np.cumsum(counts) - counts + np.maximum(counts - 1, 0) // 2
    return np.where(counts, np.append(ordered, np.nan)[np.minimum(middle, len(ordered))], np.nan)
