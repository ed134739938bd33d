# SPDX-License-Identifier: Apache-2.0
"""Columns that are filled from many groups of records, in whatever order those come: numbers, and texts as octets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleutan.records import Records

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Rows:
    """So many rows of columns; what is not put into a row is 0 there, or empty, and unknown."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._values: dict[str, NDArray[Any]] = {}
        self._known: dict[str, Mask] = {}
        self._filled: dict[str, int] = {}
        self._here: Ints | slice = slice(None)

    def at(self, rows: Ints | slice) -> None:
        """Says which rows what comes next is put into."""
        self._here = rows

    def put(self, name: str, values: NDArray[Any], known: Mask | None = None) -> None:
        """``(n,)`` or ``(n, 2)`` values for these rows, and which of them are known (None: all)."""
        if len(values) == self._rows:
            self._values[name] = values if isinstance(self._here, slice) else self._scattered(values)
        else:
            if name not in self._values:
                self._values[name] = np.zeros((self._rows, *values.shape[1:]), values.dtype)
            elif values.itemsize > self._values[name].itemsize:  # a longer text
                self._values[name] = self._values[name].astype(values.dtype)
            self._values[name][self._here] = values
        if known is None:
            self._filled[name] = self._filled.get(name, 0) + len(values)
        if name not in self._known:
            self._known[name] = np.zeros(self._rows, np.bool_)
        self._known[name][self._here] = True if known is None else known

    def _scattered(self, values: NDArray[Any]) -> NDArray[Any]:
        whole = np.empty_like(values)
        whole[self._here] = values
        return whole

    def records(self) -> Records:
        """The columns in which something is known."""
        values, masks = {}, {}
        for name, column in self._values.items():
            mask = self._known[name]
            if self._filled.get(name, 0) == self._rows or mask.all():
                values[name] = column
            elif mask.any():
                column[~mask] = np.zeros((), column.dtype)
                values[name], masks[name] = column, mask
        return Records(self._rows, values, masks)
