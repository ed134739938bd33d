# SPDX-License-Identifier: Apache-2.0
"""A column: one field of every row of a Table.  Knows its own shape, and no other column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.protocols.spans import Spans, packed


class Slices(Sequence[Any]):
    """Byte strings in one buffer as the words of a column: none is an object before it is looked at."""

    def __init__(self, spans: Spans) -> None:
        self.spans = spans

    def __len__(self) -> int:
        return self.spans.rows

    def __getitem__(self, place: Any) -> Any:
        """The string of this number as bytes, or those of a slice as a list."""
        found = self.spans.take(np.atleast_1d(np.arange(len(self))[place])).strings()
        return found if isinstance(place, slice) else found[0]

    def gathered(self, codes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """The strings of these codes (−1: none) one behind the other, and the ``(n + 1,)`` places where each begins."""
        known = codes >= 0
        some = self.spans.take(codes[known].astype(np.int64))
        sizes = np.zeros(len(codes), np.int64)
        sizes[known] = some.sizes
        return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes))), packed(some)


Words = tuple[Any, ...] | Slices


@dataclass(frozen=True, slots=True)
class Column:
    """One field of every row.

    ``values`` is int64, float64 or bool; for addresses ``(n, 2)`` int64 halves; for text and
    lists and octets int32 codes into ``words`` (−1: unknown).  ``known`` marks the rows that have a
    value; None: all have (of coded columns the code says it).
    """

    values: NDArray[Any]
    known: NDArray[np.bool_] | None = None
    words: Words | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[Any]) -> Column:
        """The given rows (indices or mask), in that order."""
        known = None if self.known is None else self.known[rows]
        return Column(self.values[rows], known, self.words)

    def mask(self) -> NDArray[np.bool_]:
        """Which rows have a value."""
        if self.words is not None:
            coded: NDArray[np.bool_] = self.values >= 0
            return coded
        return np.ones(len(self), np.bool_) if self.known is None else self.known

    def objects(self) -> list[Any]:
        """Every row as a Python value (addresses as text), None where unknown."""
        if self.words is not None:
            table = [*self.words, None]
            return [table[code] for code in self.values.tolist()]
        plain = address.texts(self.values) if self.values.ndim == 2 else self.values.tolist()
        if self.known is None:
            return plain
        return [value if known else None for value, known in zip(plain, self.known.tolist(), strict=True)]


def text_column(values: Sequence[str | None]) -> Column:
    """A text column of Python strings; the words are in order of first appearance."""
    codes: dict[str | None, int] = {None: -1}
    rows = np.fromiter((codes.setdefault(value, len(codes) - 1) for value in values), np.int32, len(values))
    return Column(rows, None, tuple(word for word in codes if word is not None))
