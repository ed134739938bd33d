# SPDX-License-Identifier: Apache-2.0
"""The last points of every flow: round-trip time, window, rates, retransmissions, verdict.

Memory is bounded: so many points of so many flows, as 32-bit floats in one array.  A flow that is
gone loses its place after a while; where places run short, those that carried nothing lose theirs
to those that do.  No clock here: a round is when ``record`` is called.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

#: What is kept of a flow; ``limit`` is the place of its verdict in a list that the caller has.
FIGURES = ("tx_rate", "rx_rate", "rtt", "cwnd", "retrans_rate", "limit")
RATES = ("tx_rate", "rx_rate")
#: 120 points of six figures of 20,000 flows are 58 MB.
POINTS = 120
FLOWS = 20_000
#: Rounds after which a flow that was not seen has no history any more.
GONE = 60
_FEWEST = 256


class History:
    """Rings of ``points`` rounds for at most ``flows`` flows, by their identity (int64)."""

    def __init__(self, points: int = POINTS, flows: int = FLOWS, gone: int = GONE) -> None:
        self.points = points
        self._flows = flows
        self._gone = gone
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self.rounds = 0
        self._times = np.zeros(self.points, np.int64)
        self._ring = np.empty((self.points, len(FIGURES), 0), np.float32)
        self._since = np.zeros(0, np.int64)
        self._seen = np.zeros(0, np.int64)
        self._owner = np.zeros(0, np.int64)
        self._free: list[int] = []
        self._index()

    def __len__(self) -> int:
        return len(self._keys)

    def record(self, keys: Ints, figures: Mapping[str, NDArray[np.float64]], at_ns: int) -> None:
        """Adds a point: of each of FIGURES a float a key, NaN where unknown.

        Of the same time as the last one, it is added to it.
        """
        if self.rounds and at_ns == self._times[(self.rounds - 1) % self.points]:
            self.rounds -= 1
        else:
            self._ring[self.rounds % self.points] = np.nan
            self._forget()
        places = self._places(keys)
        missing = np.flatnonzero(places < 0)
        if len(missing):
            rate = np.nan_to_num(figures["tx_rate"]) + np.nan_to_num(figures["rx_rate"])
            self._admit(keys[missing], rate[missing])
            places = self._places(keys)
        now = self.rounds % self.points
        self._times[now] = at_ns
        kept = places >= 0
        for number, name in enumerate(FIGURES):
            self._ring[now, number, places[kept]] = figures[name][kept]
        self._seen[places[kept]] = self.rounds
        self.rounds += 1

    def times(self, count: int | None = None) -> Ints:
        """When the last rounds were, the newest last (at most ``count``)."""
        return self._times[self._order(count)]

    def of(self, key: int, name: str, count: int | None = None) -> Floats:
        """A figure of one flow in the last rounds, the newest last; NaN where it is unknown."""
        return self._read(np.array([key], np.int64), FIGURES.index(name), self._order(count))[:, 0]

    def rates(self, keys: Ints, count: int) -> Floats:
        """What the flows sent and received in the last rounds: (flows, rounds), the newest last."""
        order = self._order(count)
        return _summed(np.stack([self._read(keys, FIGURES.index(name), order) for name in RATES])).T

    def total(self, keys: Ints, count: int) -> Floats:
        """What all of them together sent and received in the last rounds."""
        return _summed(self.rates(keys, count))

    def _order(self, count: int | None) -> Ints:
        """The places of the last rounds in the ring, the oldest first."""
        most = min(self.rounds, self.points, self.points if count is None else count)
        return np.arange(self.rounds - most, self.rounds) % self.points

    def _read(self, keys: Ints, figure: int, order: Ints) -> Floats:
        """(rounds, flows); unknown from before a flow had its place."""
        if not len(self._keys):
            return np.full((len(order), len(keys)), np.nan, np.float32)
        places = self._places(keys)
        found: Floats = self._ring[order[:, None], figure, places]
        rounds = np.arange(self.rounds - len(order), self.rounds)[:, None]
        found[(rounds < self._since[places]) | (places < 0)] = np.nan
        return found

    # -- places

    def _index(self) -> None:
        """The keys in order, and the place of each."""
        taken = np.flatnonzero(self._seen >= 0)
        order = np.argsort(self._owner[taken], kind="stable")
        self._keys, self._at = self._owner[taken][order], taken[order]

    def _places(self, keys: Ints) -> Ints:
        if not len(self._keys):
            return np.full(len(keys), -1, np.int64)
        near = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[near] == keys, self._at[near], -1)

    def _forget(self) -> None:
        old = np.flatnonzero((self._seen >= 0) & (self._seen < self.rounds - self._gone))
        if len(old):
            self._vacate(old)

    def _vacate(self, places: Ints) -> None:
        self._seen[places] = -1
        self._free += places.tolist()
        self._index()

    def _admit(self, keys: Ints, rates: NDArray[np.float64]) -> None:
        """Gives the keys places, the busiest first, as far as there are any."""
        self._grow(len(self._keys) + len(keys))
        busy = int(np.count_nonzero(rates))
        if busy > len(self._free):
            self._vacate(self._idle()[: busy - len(self._free)])
        chosen = np.argsort(-rates, kind="stable")[: len(self._free)]
        places = np.array([self._free.pop() for _ in chosen], np.int64)
        self._owner[places] = keys[chosen]
        self._since[places] = self._seen[places] = self.rounds
        self._index()

    def _grow(self, wanted: int) -> None:
        before = len(self._seen)
        size = min(max(_FEWEST, 1 << (wanted - 1).bit_length()), self._flows)
        if size <= before or wanted <= before:
            return
        ring = np.empty((self.points, len(FIGURES), size), np.float32)
        ring[:, :, :before] = self._ring
        ring[self.rounds % self.points, :, before:] = np.nan
        self._ring, more = ring, size - before
        self._since, self._owner = (np.append(old, np.zeros(more, np.int64)) for old in (self._since, self._owner))
        self._seen = np.append(self._seen, np.full(more, -1))
        self._free += range(size - 1, before - 1, -1)

    def _idle(self) -> Ints:
        """The places of flows that carried nothing in all that is remembered, the longest unseen first."""
        taken = np.flatnonzero(self._seen >= 0)
        idle = taken[~(self.rates(self._owner[taken], self.points) > 0).any(axis=1)]
        return idle[np.argsort(self._seen[idle], kind="stable")]


def _summed(stack: Floats) -> Floats:
    """The sum over the first axis of what is known, NaN where nothing is."""
    summed: Floats = np.where(np.isnan(stack).all(axis=0), np.float32(np.nan), np.nansum(stack, axis=0))
    return summed
