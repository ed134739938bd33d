# SPDX-License-Identifier: Apache-2.0
"""Counts of sampled traffic multiplied by the sampling rate, and how sure they are."""

from __future__ import annotations

import numpy as np

from fleutan.column import Column
from fleutan.table import Table

#: What is counted of looked-at packets only.
COUNTS = ("packets", "bytes", "reverse_packets", "reverse_bytes")
_MOST = (1 << 63) - 1


def scaled(table: Table) -> Table:
    """The table with its counts multiplied by ``sampling_rate``, where that is known.

    A product that 64 bits do not hold is the largest number that they do.
    """
    rate = table.columns["sampling_rate"]
    factor = np.where(rate.mask(), rate.values, 1)
    columns = {name: table.columns[name] for name in COUNTS if name in table}
    return table.with_columns({name: Column(product(one.values, factor), one.known) for name, one in columns.items()})


def product(values: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """``(n,)`` int64 counts times factors; what 64 bits do not hold is the largest number that they do."""
    fits = values <= _MOST // np.maximum(factor, 1)
    return np.where(fits, values * np.where(fits, factor, 0), _MOST)
