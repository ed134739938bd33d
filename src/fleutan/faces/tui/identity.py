# SPDX-License-Identifier: Apache-2.0
"""What a flow or a group is recognised by from one reading to the next: a 64-bit number.

The numbers of words and codes change with every reading, those made here do not, not even from
one run to another.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.alike import mixed
from fleutan.column import Column
from fleutan.table import Table

Ints = NDArray[np.int64]

#: What tells sockets without a cookie apart.
_TUPLE = ("proto", "src", "sport", "dst", "dport")
_UNKNOWN = np.uint64(0x9E3779B97F4A7C15)


def of_flows(table: Table) -> Ints:
    """A number for every row, by its network namespace and cookie, or by its 5-tuple there: (n,) int64."""
    spaces = _bits(table.columns["netns_inode"])
    cookie = table.columns["cookie"]
    numbers = mixed(mixed(spaces) ^ _bits(cookie))
    without = ~(cookie.mask() & (cookie.values != 0))
    if without.any():
        tuples = spaces[without]
        for name in _TUPLE:
            tuples = mixed(tuples ^ _bits(table.columns[name].take(without)))
        numbers[without] = tuples
    return numbers.view(np.int64)


def of_values(column: Column) -> Ints:
    """A number for every row, equal where the values are; unknown is a value too: (n,) int64."""
    return mixed(_bits(column)).view(np.int64)


def _bits(column: Column) -> NDArray[np.uint64]:
    values = column.values
    if column.words is not None:
        digests = [blake2b(str(word).encode("utf-8", "surrogateescape"), digest_size=8) for word in column.words]
        words = [int.from_bytes(digest.digest(), "little") for digest in digests]
        of_code = np.array([*words, int(_UNKNOWN)], np.uint64)
        return of_code.take(values)
    if values.ndim == 2:
        high, low = values.T.astype(np.int64).view(np.uint64)
        return np.where(column.mask(), mixed(high) ^ low, _UNKNOWN)
    if values.dtype == np.float64:
        values = values.view(np.int64)
    return np.where(column.mask(), values.astype(np.int64).view(np.uint64), _UNKNOWN)
