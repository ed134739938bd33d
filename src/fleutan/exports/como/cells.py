# SPDX-License-Identifier: Apache-2.0
"""Cells of fixed width for many rows: figures and words at the right of blanks, parts of a second.

They stand beside those of ``exports.cells``, which ``exports.grid`` writes; what is unknown is
a hyphen at the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleutan.address import distinct
from fleutan.column import Column
from fleutan.exports.cells import Bytes, IntCell, WordCell
from fleutan.exports.como.rows import UNKNOWN

#: Groups of four signs, in which integers are written: a hyphen, and a zero at the left and at the right.
_NULL = UNKNOWN.encode().rjust(4, b"\0")
_ZERO, _RIGHT_ZERO = np.frombuffer(b"0\0\0\0\0\0\0" + b"0", np.uint32)
_BLANK = ord(" ")
#: The digits of a number below a million, one a column.
_POWERS = 10 ** np.arange(5, -1, -1)


class Figures:
    """Integers, none of them negative, at the right of at least ``least`` signs."""

    def __init__(self, column: Column, least: int) -> None:
        self._cell = IntCell(column, _NULL)
        self._least = least
        self.width = max(self._cell.width, -(-least // 4) * 4)

    def write(self, rows: slice, out: Bytes) -> None:
        """NULs, then blanks where a digit could be, then digits."""
        out[:, : -self._cell.width] = 0
        self._cell.write(rows, out[:, self.width - self._cell.width :])
        last = out.view(np.uint32)[:, -1]
        last[last == _ZERO] = _RIGHT_ZERO
        tail = out[:, self.width - self._least :]
        tail[tail == 0] = _BLANK


class Microseconds:
    """A point and six digits: what nanoseconds have beyond whole seconds."""

    width = 8

    def __init__(self, column: Column) -> None:
        self._parts = column.values % 10**9 // 1000
        self._unknown = None if column.mask().all() else ~column.mask()

    def write(self, rows: slice, out: Bytes) -> None:
        """Blanks where it is unknown."""
        out[:, 0], out[:, 7] = ord("."), 0
        out[:, 1:7] = self._parts[rows, None] // _POWERS % 10 + ord("0")
        if self._unknown is not None:
            out[self._unknown[rows], :7] = _BLANK


def words(column: Column, least: int, spelled: Callable[[Any], str]) -> WordCell:
    """Text by code, each word of it in its own spelling, at the right of at least so many signs."""
    used, codes = np.unique(np.append(column.values, -1), return_inverse=True)
    known = column.words or ()
    return _cell(codes[:-1] - 1, [spelled(known[code]) for code in used[1:].tolist()], least)


def addresses(column: Column, least: int, spelled: Callable[[str], str] = str) -> WordCell:
    """Addresses, each in its own spelling, at the right of at least so many signs."""
    texts, codes = distinct(column.values)
    return _cell(np.where(column.mask(), codes, -1), list(map(spelled, texts)), least)


def seconds(column: Column, least: int, spelled: Callable[[int], str]) -> WordCell:
    """The whole seconds of nanoseconds in a spelling of their own."""
    used, codes = np.unique(column.values // 10**9, return_inverse=True)
    return _cell(np.where(column.mask(), codes, -1), [spelled(second) for second in used.tolist()], least)


def _cell(codes: NDArray[Any], texts: Sequence[str], least: int) -> WordCell:
    return WordCell(codes, [text.rjust(least).encode() for text in texts], UNKNOWN.rjust(least).encode())
