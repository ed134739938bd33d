# SPDX-License-Identifier: Apache-2.0
"""Batches of packets as an agent takes them from its sources; what is made of them is known in ``sampled/``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from fleutan.programs.agent.pools import Pools
from fleutan.programs.agent.sampled.sockets import ALL, Told, of_packets
from fleutan.protocols.sflow.batches import Sampled
from fleutan.sources.packets.columns import Packets, Tap, Totals
from fleutan.sources.packets.deltas import Deltas
from fleutan.sources.packets.owning import Owners, with_owners

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Where packets come from."""

    def wait(self, seconds: float) -> None:
        """Waits until there are some, or so long."""

    def read(self) -> T_co | None:
        """What came since the last time, or a part of it; None or nothing where that is all."""


def a_moment(seconds: float) -> None:
    """Waits so long at most, and a tenth of a second at most.

    For what comes from the kernel one by one: its socket has room for more than comes meanwhile, a batch costs as much
    as some hundred packets in it, and as many as come in that time are read at once.
    """
    time.sleep(min(seconds, 0.1))


class Read(Generic[T]):
    """A source's packets as an agent takes them; ``wait`` in place of the source's own, if it is given."""

    def __init__(
        self,
        source: Source[T],
        convert: Callable[[T], Sampled | None],
        wait: Callable[[float], None] | None = None,
    ) -> None:
        self._source, self._convert = source, convert
        self.wait = wait or source.wait

    def batch(self, _: float) -> Sampled | None:
        """What came since the last time."""
        found = self._source.read()
        return None if found is None else self._convert(found)


class Sockets(Protocol):
    """What ``sources.packets.sampler.BpfSampler`` gives."""

    def wait(self, seconds: float) -> None:
        """Waits."""

    def read(self) -> Packets | None:
        """Packets."""

    def totals(self) -> dict[Tap, Totals]:
        """Counts of each sampler."""


class Both:
    """Packets that were sampled both ways of a device: one data source, whose packets are those of both.

    With ``owners`` they have who holds their sockets and how their connections fared.
    """

    def __init__(self, sampler: Sockets, told: Told = ALL, owners: Owners | None = None) -> None:
        self._sampler, self._told, self._owners, self._deltas = sampler, told, owners, Deltas()
        self._pools = Pools()
        self.wait = sampler.wait

    def batch(self, _: float) -> Sampled | None:
        """What came since the last time."""
        found = self._sampler.read()
        if found is None:
            return None
        if self._owners is not None:
            found = with_owners(self._deltas.of(found), self._owners)
        sums = self._sums()
        made = of_packets(found, sums, self._told)
        pool = self._pools.each(made.head["ds_index"], made.head["sample_pool"])
        self._pools.forget(frozenset(sums))
        return replace(made, head={**made.head, "sample_pool": pool})

    def _sums(self) -> dict[int, Totals]:
        sums: dict[int, Totals] = {}
        for tap, one in self._sampler.totals().items():
            pool, drops = sums.get(tap.ifindex, (0, 0))
            sums[tap.ifindex] = Totals(pool + one.pool, drops + one.drops)
        return sums
