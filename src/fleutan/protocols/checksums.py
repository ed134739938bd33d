# SPDX-License-Identifier: Apache-2.0
"""The Internet checksum of many byte strings at once.

Source: RFC 1071; RFC 768 and RFC 8200 section 8.1 for UDP's.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.spans import Spans

Ints = NDArray[np.int64]

_WORD = np.dtype(np.uint16)


def summed(spans: Spans) -> Ints:
    """The sum of each string's 16-bit words in network order, of an odd last octet as if zero followed it.

    ``(n,)`` int64, carries added in: at most 0xFFFF.
    """
    totals = np.zeros(spans.rows, np.int64)
    for odd in (0, 1):  # words of memory begin at even places, or at odd ones
        [rows] = np.nonzero((spans.starts % 2 == odd) & (spans.sizes > 1))
        octets = spans.octets[odd:]
        words = octets[: len(octets) // 2 * 2].view(_WORD)
        totals[rows] = _words(words, (spans.starts[rows] - odd) // 2, spans.sizes[rows] // 2)
    [rows] = np.nonzero(spans.sizes % 2)
    last = spans.octets[(spans.starts + spans.sizes - 1)[rows]].astype(np.int64)
    totals[rows] += last << 8
    return folded(totals)


def folded(sums: Ints) -> Ints:
    """Sums with their carries added in, until they have 16 bits."""
    while (sums >> 16).any():
        sums = (sums & 0xFFFF) + (sums >> 16)
    return sums


def complement(sums: Ints) -> Ints:
    """What stands in a header for these sums."""
    return folded(sums) ^ 0xFFFF


def _words(words: NDArray[np.uint16], starts: Ints, sizes: Ints) -> Ints:
    """Sums in network order of runs of words, none of which is empty."""
    if not len(starts):
        return np.zeros(0, np.int64)
    last = starts + sizes == len(words)  # the end of the memory is no place that reduceat knows
    ends = starts + sizes - last
    sums = np.add.reduceat(words, np.stack([starts, ends], axis=1).reshape(-1), dtype=np.int64)[::2]
    sums[starts == ends] = 0
    sums[last] += words[-1]
    sums = folded(sums)
    return sums if sys.byteorder == "big" else (sums & 0xFF) << 8 | sums >> 8
