# SPDX-License-Identifier: Apache-2.0
"""Sequence numbers: each data source counts its samples for itself, from 1 (sFlow Version 5, section 4.2.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np

from fleutan.observed import Source
from fleutan.protocols.spans import Ints
from fleutan.records import kinds

_WORD = 0xFFFF_FFFF
#: Data sources that are remembered; the one that came first begins anew where there are more.
MOST = 1 << 16


class Numbers:
    """The samples of one kind that each data source has had."""

    def __init__(self) -> None:
        self._had: Counter[Source] = Counter()

    def next(self, source: Source) -> int:
        """The number of this source's next sample."""
        self._had[source] += 1
        self._bound()
        return self._had[source] & _WORD

    def many(self, ds_class: int, indexes: Ints) -> Ints:
        """The numbers of samples in a row, ``(n,)``: each of the data source at its place."""
        numbers = np.zeros(len(indexes), np.int64)
        first, place = kinds([indexes])
        for kind, index in enumerate(indexes[first].tolist()):
            rows = np.flatnonzero(place == kind)
            source = Source(ds_class, index)
            numbers[rows] = self._had[source] + 1 + np.arange(len(rows))
            self._had[source] += len(rows)
        self._bound()
        return numbers & _WORD

    def _bound(self) -> None:
        while len(self._had) > MOST:
            del self._had[next(iter(self._had))]

    def forget(self, gone: Collection[Source]) -> None:
        """Has these begin anew, should they come back."""
        for source in gone:
            self._had.pop(source, None)
