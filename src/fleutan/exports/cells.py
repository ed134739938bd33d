# SPDX-License-Identifier: Apache-2.0
"""Cells: one column of a Table as text of a fixed width, many rows at a time.

A cell writes its text into a slice of a matrix of bytes, one row of the matrix a row of the
table; bytes that are not needed become NUL.  Numbers are rendered by numpy, four digits at a
time; text and lists are encoded once a distinct value.  What stands between
cells, and what becomes of the NULs, is the business of ``grid``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.column import Column
from fleutan.exports import addresses
from fleutan.fields import Type

Bytes = NDArray[np.uint8]
#: Four bytes of text as they lie in memory.
Four = NDArray[np.uint32]

#: Longer words are not padded into the matrix: a mark stands for them.
LONGEST = 128
#: No UTF-8 text contains this byte (RFC 3629, section 1), so it can stand for a long word.
MARK = b"\xff"

#: The fraction digits that numpy writes, and the largest number of that many that a double
#: holds beyond doubt (15 significant digits): such a decimal is the shortest one.
_FRACTION = 10**8
_EXACT = 1e15


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a format spells what is not a number; ``null`` has at most four bytes, ``quote`` one."""

    null: bytes
    quote: bytes
    text: Callable[[str], bytes]
    ints: Callable[[Sequence[int]], bytes]


class Cell(Protocol):
    """Writes one column; ``width`` is a multiple of four."""

    width: int

    def write(self, rows: slice, out: Bytes) -> None:
        """Fills all of ``out``, ``(rows, width)`` uint8, with the text of those rows."""


def cell_of(type_: Type, column: Column, dialect: Dialect) -> Cell:
    """The cell that writes a column of that type of the catalogue."""
    if type_ == "address":
        return AddressCell(column, dialect)
    if type_ in ("text", "ints", "octets"):
        encode = _encoder(type_, dialect)
        codes, words = _used(column)
        return WordCell(codes, [encode(word) for word in words], dialect.null)
    if type_ == "bool":
        return WordCell(np.where(column.mask(), column.values, -1), [b"false", b"true"], dialect.null)
    return FloatCell(column, dialect.null) if type_ == "float" else IntCell(column, dialect.null)


def _encoder(type_: Type, dialect: Dialect) -> Callable[[Any], bytes]:
    """How a word of that type is written; octets are hexadecimal."""
    if type_ == "octets":
        return lambda word: dialect.text(word.hex())
    return dialect.text if type_ == "text" else dialect.ints


def _used(column: Column) -> tuple[NDArray[Any], Sequence[Any]]:
    """Codes and words without most of what no row says: a few rows of a large table keep all its words."""
    words = column.words or ()
    if len(words) <= len(column):
        return column.values, words
    used, codes = np.unique(np.append(column.values, -1), return_inverse=True)
    return codes[:-1] - 1, [words[code] for code in used[1:].tolist()]


class WordCell:
    """Text by code; ``long`` are the words that only a mark stands for, by code: those of more than ``longest``."""

    def __init__(self, codes: NDArray[Any], words: Sequence[bytes], null: bytes, longest: int = LONGEST) -> None:
        self.codes = codes
        self.long = {code: word for code, word in enumerate(words) if len(word) > longest}
        short = [*(MARK if code in self.long else word for code, word in enumerate(words)), null]
        self.width = -max(map(len, short)) // 4 * -4 or 4
        self._words = np.array(short, f"S{self.width}").view(f"V{self.width}")
        self._is_long = np.array([word is MARK for word in short], np.bool_)

    def write(self, rows: slice, out: Bytes) -> None:
        """Code −1 finds ``null``, the last of the words."""
        out.view(self._words.dtype)[:, 0] = self._words[self.codes[rows]]

    def long_at(self, rows: slice) -> NDArray[np.intp]:
        """Which of the rows have a long word, by their place among them."""
        return np.flatnonzero(self._is_long[self.codes[rows]])


class IntCell:
    """Integers of 64 bits."""

    def __init__(self, column: Column, null: bytes) -> None:
        self._values = column.values
        self._known = None if column.mask().all() else column.mask()
        self._null = _four(null)
        known = column.values[column.mask()]
        least, most = (int(known.min()), int(known.max())) if len(known) else (0, 0)
        self._signed = least < 0
        groups = -(-len(str(max(most, -least))) // 4)
        self.width = 4 * (groups + self._signed)

    def write(self, rows: slice, out: Bytes) -> None:
        """A group for the sign where a value of the column is negative, then the digits."""
        values, words = self._values[rows], out.view(np.uint32)
        if self._known is not None:
            values = np.where(self._known[rows], values, 0)
        if self._signed:
            words[:, 0] = np.where(values < 0, _four(b"-"), 0)
            unsigned = values.view(np.uint64)
            values, words = np.where(values < 0, -unsigned, unsigned), words[:, 1:]
        _write_digits(values, words)
        if self._known is not None:
            words[:, -1] = np.where(self._known[rows], words[:, -1], self._null)


class FloatCell:
    """Floats in the fewest digits that give them back; what is not finite is unknown."""

    width = 24  # of the longest, -2.2250738585072014e-308

    def __init__(self, column: Column, null: bytes) -> None:
        self._known = column.mask() & np.isfinite(column.values)
        self._values = np.where(self._known, column.values, 0.0)
        self._null = null

    def write(self, rows: slice, out: Bytes) -> None:
        """Up to eight decimals: sign, two groups, point, two groups; any other by Python."""
        values, words, digits = self._values[rows], out.view(np.uint32), _digits()
        size = np.abs(values)
        with np.errstate(over="ignore"):
            scaled = np.rint(size * _FRACTION)
        plain = self._known[rows] & (scaled < _EXACT) & (scaled / _FRACTION == size)
        whole, fraction = np.divmod(np.where(plain, scaled, 0).astype(np.int64), _FRACTION)
        first, last = np.divmod(fraction, 10_000)
        words[:, 0] = np.where(np.signbit(values), _four(b"-"), 0)
        _write_digits(whole, words[:, 1:3])
        words[:, 3] = _four(b".")
        words[:, 4] = digits.first[first + 10_000 * (last > 0)]
        words[:, 5] = digits.last[last]
        odd = np.flatnonzero(~plain)
        texts = [repr(value).encode() if value else self._null for value in values[odd].tolist()]
        out[odd] = np.array(texts, f"S{self.width}").view(np.uint8).reshape(-1, self.width)


class AddressCell:
    """Addresses between quotes."""

    def __init__(self, column: Column, dialect: Dialect) -> None:
        known = column.mask()
        self._values, self._unknown = column.values, None if known.all() else ~known
        ipv6 = known & ~address.is_ipv4(column.values)
        self._ipv6 = ipv6 if ipv6.any() else None
        self._quote, self._null = _four(dialect.quote), _four(dialect.null)
        self._inner = addresses.IPV4_WIDTH if self._ipv6 is None else addresses.IPV6_WIDTH
        self.width = 4 + self._inner + 4

    def write(self, rows: slice, out: Bytes) -> None:
        """A quote, all as IPv4 and then the others in their place, a quote."""
        words, values = out.view(np.uint32), self._values[rows]
        words[:, 0] = words[:, -1] = self._quote
        addresses.write_ipv4(values[:, 1], words[:, 1:5])
        words[:, 5:-1] = 0
        if self._ipv6 is not None and len(some := np.flatnonzero(self._ipv6[rows])):
            out[some, 4:-4] = addresses.ipv6_texts(values[some])
        if self._unknown is not None and len(some := np.flatnonzero(self._unknown[rows])):
            words[some] = 0
            words[some, 0] = self._null


class _Digits(NamedTuple):
    """Four digits by number, 0 to 9,999; from 10,000 on with all of its zeros.

    ``upper`` and ``lowest`` drop the leading zeros of an integer, ``first`` and ``last`` the
    trailing ones of a fraction; 0 itself is one digit in ``lowest`` and ``first``, else none.
    """

    upper: Four
    lowest: Four
    first: Four
    last: Four


@cache
def _digits() -> _Digits:
    digits = np.arange(10_000)[:, None] // (1000, 100, 10, 1) % 10
    full = (digits + ord("0")).astype(np.uint8)
    leading = full * (np.maximum.accumulate(digits, axis=1) > 0)
    trailing = full * (np.maximum.accumulate(digits[:, ::-1], axis=1)[:, ::-1] > 0)
    tables = (np.concatenate([part, full]).view(np.uint32)[:, 0] for part in (leading, leading, trailing, trailing))
    found = _Digits(*tables)
    found.lowest[0] = found.first[0] = _four(b"0")
    return found


def _four(text: bytes) -> np.uint32:
    return np.uint32(int.from_bytes(text.ljust(4, b"\0"), sys.byteorder))


def _write_digits(values: NDArray[Any], out: Four) -> None:
    """Non-negative integers, right-aligned in ``(n, groups)``; the first group must suffice."""
    table = _digits().lowest
    for group in range(out.shape[1] - 1, 0, -1):
        above = values // 10_000
        within = (values - above * 10_000).view(np.int64)
        out[:, group] = table.take(within + 10_000 * (above > 0))
        values, table = above, _digits().upper
    out[:, 0] = table.take(values.view(np.int64))
