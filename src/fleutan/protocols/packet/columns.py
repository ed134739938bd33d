# SPDX-License-Identifier: Apache-2.0
"""Columns as they fill, name by name, from groups of rows.

What lives here knows neither headers nor octets.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np
from numpy.typing import NDArray

from fleutan.records import Known, Records, Values

Ints = NDArray[np.int64]


class Columns:
    """The wanted names of ``everything`` (all row numbers); ``wanted`` None means every name.

    What is put first in a row stays, and an array that is put belongs to the columns from then on.
    """

    def __init__(self, everything: Ints, wanted: Container[str] | None) -> None:
        self.everything = everything
        self._wanted = wanted
        self._values: dict[str, Values] = {}
        self._known: dict[str, Known] = {}

    def wants(self, name: str) -> bool:
        """Whether this name becomes a column."""
        return not name.startswith("_") and (self._wanted is None or name in self._wanted)

    def put(self, name: str, rows: Ints, values: Values) -> None:
        """These values, which are known, in these rows."""
        if not self.wants(name) or not len(rows):
            return
        if name not in self._values:
            if rows is self.everything:
                self._values[name] = values
                return
            self._begin(name, rows, values)
        elif name in self._known:
            self._fill(self._values[name], self._known[name], rows, values)

    def _begin(self, name: str, rows: Ints, values: Values) -> None:
        column = np.zeros((len(self.everything), *values.shape[1:]), values.dtype)
        known = np.zeros(len(self.everything), np.bool_)
        column[rows], known[rows] = values, True
        self._values[name], self._known[name] = column, known

    @staticmethod
    def _fill(column: Values, known: Known, rows: Ints, values: Values) -> None:
        before = known[rows]
        if before.any():
            rows, values = rows[~before], values[~before]
        column[rows] = values
        known[rows] = True

    def records(self) -> Records:
        """All columns; no mask where all rows are known."""
        known = {name: mask for name, mask in self._known.items() if not mask.all()}
        return Records(len(self.everything), self._values, known)
