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

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Spans(NamedTuple):
    """Byte strings ``octets[start:start + size]``.

    ``octets`` is one-dimensional uint8, ``starts`` and ``sizes`` are ``(n,)`` int64; every string
    lies within ``octets``.  Nothing is copied where strings are taken from strings.
    """

    octets: NDArray[np.uint8]
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


def number(octets: NDArray[np.uint8], at: Ints, size: int) -> Ints:
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
