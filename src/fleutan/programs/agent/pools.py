# SPDX-License-Identifier: Apache-2.0
"""How many packets had come by when each of a batch's samples was drawn."""

from __future__ import annotations

import numpy as np

from fleutan.protocols.spans import Ints
from fleutan.records import kinds


class Pools:
    """The packets that had come by each data source before a batch.

    Samples are read many at a time, and the count of packets with them.  Some collectors (sfacctd) take a sample for
    what the pool grew by since the one before it: so between two readings it grows evenly, and is exact at the last
    sample of a batch.
    """

    def __init__(self) -> None:
        self._before: dict[int, int] = {}

    def each(self, sources: Ints, after: Ints) -> Ints:
        """The pool at each sample, ``(n,)``, of these ``sources``, whose pools are ``after`` when the batch ends."""
        first, place = kinds([sources])
        many = np.bincount(place, minlength=len(first))
        names, ends = sources[first].tolist(), after[first]
        before = np.array([self._before.get(name, 0) for name in names], np.int64)
        before = np.where(before > ends, 0, before)  # it counts anew
        self._before.update(zip(names, ends.tolist(), strict=True))
        return before[place] + (ends - before)[place] * _ordinals(place, many) // many[place]

    def forget(self, present: frozenset[int]) -> None:
        """Forgets data sources but these."""
        self._before = {name: pool for name, pool in self._before.items() if name in present}


def _ordinals(place: Ints, many: Ints) -> Ints:
    """Of each row, the how manieth of its kind it is, from 1 on."""
    order = np.argsort(place, kind="stable")
    found = np.empty(len(place), np.int64)
    found[order] = np.arange(1, len(place) + 1) - np.repeat(np.cumsum(many) - many, many)
    return found
