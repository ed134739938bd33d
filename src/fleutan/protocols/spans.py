# SPDX-License-Identifier: Apache-2.0
"""Byte strings that lie in one buffer: the datagrams of a batch, the frames of a file, headers in samples.

What lives here reads numbers in network order at many places at once, never beyond a string's
end, and knows no protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Octets = NDArray[np.uint8]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Strings are copied as rows of one width where that takes at most twice their octets and so many more.
_SPARE = 1 << 16


class Spans(NamedTuple):
    """Byte strings ``octets[start:start + size]``.

    ``octets`` is one-dimensional uint8, ``starts`` and ``sizes`` are ``(n,)`` int64; every string
    lies within ``octets``.  Nothing is copied where strings are taken from strings.
    """

    octets: Octets
    starts: Ints
    sizes: Ints

    @property
    def rows(self) -> int:
        """How many strings."""
        return len(self.starts)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Spans:
        """These strings, by number or mask."""
        return Spans(self.octets, self.starts[rows], self.sizes[rows])

    def strings(self) -> list[bytes]:
        """Each as bytes of its own: for what is small."""
        whole = self.octets.data
        ends = (self.starts + self.sizes).tolist()
        return [bytes(whole[start:end]) for start, end in zip(self.starts.tolist(), ends, strict=True)]


def joined(strings: Sequence[bytes]) -> Spans:
    """These byte strings in one buffer."""
    sizes = np.fromiter(map(len, strings), np.int64, len(strings))
    ends = np.cumsum(sizes)
    return Spans(np.frombuffer(b"".join(strings), np.uint8), ends - sizes, sizes)


def packed(spans: Spans) -> Octets:
    """The strings one behind the other, ``(sum of sizes,)``."""
    width = int(spans.sizes.max(initial=0))
    if not _are_alike(spans, width):
        return np.frombuffer(b"".join(spans.strings()), np.uint8)
    block = wide(spans, width)
    if block.size == spans.sizes.sum():
        return block.reshape(-1)
    return block[np.arange(width) < spans.sizes[:, None]]


def aligned(spans: Spans) -> Spans:
    """The same strings in a buffer of their own, each at a multiple of four."""
    width = (int(spans.sizes.max(initial=0)) + 3) & ~3
    if _are_alike(spans, width):
        return Spans(wide(spans, width).reshape(-1), np.arange(spans.rows) * width, spans.sizes)
    return joined([one + bytes(-len(one) & 3) for one in spans.strings()])._replace(sizes=spans.sizes)


def _are_alike(spans: Spans, width: int) -> bool:
    return spans.rows * width <= 2 * int(spans.sizes.sum()) + _SPARE


def wide(spans: Spans, width: int) -> Octets:
    """``(n, width)`` octets of the caller's own from each start on; what lies behind a string's end is any."""
    if not spans.rows or not width:
        return np.zeros((spans.rows, width), np.uint8)
    first, last = int(spans.starts.min()), int(spans.starts.max())
    octets = spans.octets[first : last + width]
    if len(octets) < last - first + width:
        octets = np.concatenate((octets, np.zeros(last - first + width - len(octets), np.uint8)))
    # Overlapping rows as one element each: numpy copies them whole.
    overlapping: NDArray[np.void] = np.ndarray((last - first + 1,), f"V{width}", octets.data, strides=(1,))
    return overlapping[spans.starts - first].view(np.uint8).reshape(-1, width)


def texts(spans: Spans, most: int) -> NDArray[np.bytes_]:
    """``(n,)`` the strings as numpy has them, their first ``most`` octets, padded with NUL."""
    width = max(min(int(spans.sizes.max(initial=0)), most), 1)
    if not len(spans.octets):
        return np.zeros(spans.rows, f"S{width}")
    block = spans.octets.take(spans.starts[:, None] + np.arange(width), mode="clip")
    block[np.arange(width) >= spans.sizes[:, None]] = 0
    return block.view(f"S{width}").reshape(-1)


def number(octets: Octets, at: Ints, size: int) -> Ints:
    """The unsigned numbers of ``size`` octets (1 to 8) in network order at ``at``.

    They are int64, those of 8 octets reinterpreted.  ``at`` may be any place:
    what lies beyond the buffer is read as another place's value, and the caller's bounds say that
    it is not known.
    """
    found = np.zeros(len(at), np.int64)
    if not len(octets):
        return found
    for place in range(size):
        found = found << 8 | octets.take(at + place, mode="clip")
    return found
