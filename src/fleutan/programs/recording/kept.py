# SPDX-License-Identifier: Apache-2.0
"""Tables as they are kept: the fields of their kind, each row with its time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fleutan.column import Column
from fleutan.lake.kinds_host import HOST
from fleutan.sources.words import unknown
from fleutan.table import Reading, Table

_US = 1_000


def of_interval(kind: str, table: Table, reading: Reading) -> Table:
    """The table as of this kind, its rows of the reading's interval."""
    rows = len(table)
    columns = {
        **table.columns,
        "time": Column(np.full(rows, reading.at_ns - reading.interval_ns, np.int64)),
        "interval": Column(np.full(rows, reading.interval_ns // _US, np.int64)),
    }
    return Table(kind, _chosen(kind, columns, rows), reading)


def lives(table: Table) -> Table:
    """Connections: each at the time of its end, of its beginning where it is open."""
    ended, began = table.columns["ended"], table.columns["began"]
    when = np.where(ended.mask(), ended.values, np.where(began.mask(), began.values, table.reading.at_ns))
    columns = {**table.columns, "time": Column(when)}
    return Table("lifecycle", _chosen("lifecycle", columns, len(table)), table.reading)


def _chosen(kind: str, columns: Mapping[str, Column], rows: int) -> dict[str, Column]:
    """The fields of a kind in their order; unknown what the columns lack."""
    return {name: columns[name] if name in columns else unknown(name, rows) for name in HOST[kind]}
