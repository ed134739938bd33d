# SPDX-License-Identifier: Apache-2.0
"""Byte strings as 32-bit words in network order, as XDR (RFC 4506) lays everything out.

What lives here reads words at many places at once and knows no message.  ``spans`` is for bytes
at any place; where all begins at multiples of four, reading words is several times faster.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.spans import Ints, Spans

#: ::ffff:0:0, which an IPv4 address is added to, as the lower half of an IPv6 address.
MAPPED = 0xFFFF << 32
WORD = np.dtype(">u4")


class Words(NamedTuple):
    """Strings that begin at words: ``octets[4 * starts:ends]``.

    ``numbers`` is one-dimensional in network order; ``octets`` are the same bytes as uint8.
    ``starts`` are places of words and ``ends`` of octets, both ``(n,)`` int64.
    """

    numbers: NDArray[np.uint32]
    octets: NDArray[np.uint8]
    starts: Ints
    ends: Ints

    def at(self, places: Ints) -> Ints:
        """The words at these places as int64; of places beyond the buffer, another's."""
        return self.numbers.take(places, mode="clip").astype(np.int64) if len(self.numbers) else places * 0

    def blocks(self, places: Ints, width: int) -> Ints:
        """The ``width`` words from each of these places on, as ``(width, n)`` int64; beyond the buffer, others."""
        last = len(self.numbers) - width
        if int(places.max(initial=0)) > last:
            return self.at(np.add.outer(np.arange(width), places))
        # Overlapping blocks as one element each: numpy copies them whole, in half the time.
        overlapping: NDArray[np.void] = np.ndarray((last + 1,), f"V{4 * width}", self.numbers.data, strides=(4,))
        return overlapping[places].view(WORD).reshape(-1, width).T.astype(np.int64, order="C")

    def spans(self, places: Ints, sizes: Ints) -> Spans:
        """The strings of so many octets that begin at these words."""
        return Spans(self.octets, places << 2, sizes)


def words_of(spans: Spans) -> Words:
    """These strings as words, in place where each begins at a multiple of four in memory.

    Others are copied, once for each remainder: at most four times the part of the buffer that
    the strings lie in.
    """
    ends = spans.starts + spans.sizes
    whole = spans.octets[: len(spans.octets) & ~3]
    in_place = not (spans.starts & 3).any() and int(ends.max(initial=0)) <= len(whole)
    if in_place and (numbers := whole.view(WORD)).flags.aligned:
        return Words(numbers, whole, spans.starts >> 2, ends)
    return _copied(spans, ends)


def _copied(spans: Spans, ends: Ints) -> Words:
    """The buffer as often as needed, that of each remainder so shifted that its strings begin words."""
    first = int(spans.starts.min(initial=len(spans.octets)))
    size = (int(ends.max(initial=first)) - first + 3) & ~3
    shift = spans.starts - first & 3
    remainders = np.unique(shift)
    octets = np.empty((len(remainders), size), np.uint8)
    for copy, remainder in enumerate(remainders.tolist()):
        part = spans.octets[first + remainder : first + size]
        octets[copy, : len(part)] = part
        octets[copy, len(part) :] = 0
    starts = np.searchsorted(remainders, shift) * size + (spans.starts - first & ~3)
    whole = octets.reshape(-1)
    return Words(whole.view(WORD), whole, starts >> 2, starts + spans.sizes)


def mapped(numbers: Ints) -> Ints:
    """IPv4 addresses as ``(n, 2)`` halves of the IPv6 addresses that stand for them (RFC 4291, 2.5.5.2)."""
    halves = np.zeros((len(numbers), 2), np.int64)
    halves[:, 1] = numbers | MAPPED
    return halves


def halves(four: Ints) -> Ints:
    """IPv6 addresses given as ``(4, n)`` words, as ``(n, 2)`` halves."""
    return np.stack((four[0] << 32 | four[1], four[2] << 32 | four[3]), axis=1)
