# SPDX-License-Identifier: Apache-2.0
"""A batch of datagrams as it was received, from a socket or from a capture file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.spans import Spans, aligned

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


def copied(datagrams: Datagrams) -> Datagrams:
    """The same datagrams in a buffer of their own: of what is received into may be used again."""
    return datagrams._replace(spans=aligned(datagrams.spans))


def together(batches: Sequence[Datagrams]) -> Datagrams:
    """The datagrams of one batch or more as one batch, in order."""
    if len(batches) == 1:
        return batches[0]
    spans = [batch.spans for batch in batches]
    sizes = np.array([len(one.octets) + 3 & ~3 for one in spans], np.int64)
    before = np.cumsum(sizes) - sizes
    octets = np.zeros(int(sizes.sum()), np.uint8)
    for one, at in zip(spans, before.tolist(), strict=True):
        octets[at : at + len(one.octets)] = one.octets
    starts = np.concatenate([one.starts + at for one, at in zip(spans, before.tolist(), strict=True)])
    whole = Spans(octets, starts, np.concatenate([one.sizes for one in spans]))
    columns = [np.concatenate(column) for column in zip(*(batch[1:] for batch in batches), strict=True)]
    return Datagrams(whole, *columns)
