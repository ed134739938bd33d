# SPDX-License-Identifier: Apache-2.0
"""Tables as they are kept: the fields of their kind, each row with its time."""

from __future__ import annotations

import numpy as np

from fleutan.column import Column
from fleutan.lake.kinds_host import HOST
from fleutan.sources.words import unknown
from fleutan.table import Reading, Table

_US = 1_000


def chosen(kind: str, table: Table) -> Table:
    """The fields of a kind in their order; unknown what the table lacks."""
    rows = len(table)
    columns = {name: table.columns[name] if name in table else unknown(name, rows) for name in HOST[kind]}
    return Table(kind, columns, table.reading)


def of_interval(kind: str, table: Table, reading: Reading) -> Table:
    """The table as of this kind, its rows of the reading's interval."""
    when = _same(reading.at_ns - reading.interval_ns, len(table)), _same(reading.interval_ns // _US, len(table))
    return chosen(kind, table.with_columns(dict(zip(("time", "interval"), when, strict=True))))


def lives(table: Table) -> Table:
    """Connections: each at the time of its end, of its beginning where it is open."""
    ended, began = table.columns["ended"], table.columns["began"]
    when = np.where(ended.mask(), ended.values, np.where(began.mask(), began.values, table.reading.at_ns))
    return chosen("lifecycle", table.with_columns({"time": Column(when)}))


def _same(value: int, rows: int) -> Column:
    return Column(np.full(rows, value, np.int64))
