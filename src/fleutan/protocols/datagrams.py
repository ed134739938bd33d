# SPDX-License-Identifier: Apache-2.0
"""A batch of datagrams as it was received, from a socket or from a capture file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.spans import Spans

Ints = NDArray[np.int64]


class Datagrams(NamedTuple):
    """UDP payloads, a row each, in the order in which they came.

    ``spans`` are the payloads as far as they were received, ``sizes`` ``(n,)`` how long they were
    sent.  ``source`` and ``destination`` are addresses in ``(n, 2)`` int64 halves (IPv4 as
    IPv4-mapped), ``sport`` and ``dport`` ports, ``at_ns`` the time of reception (UTC nanoseconds;
    of a file, as it says).
    """

    spans: Spans
    sizes: Ints
    source: Ints
    sport: Ints
    destination: Ints
    dport: Ints
    at_ns: Ints

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Datagrams:
        """These rows, by number or mask."""
        return Datagrams(self.spans.take(rows), *(column[rows] for column in self[1:]))
