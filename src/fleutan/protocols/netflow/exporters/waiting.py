# SPDX-License-Identifier: Apache-2.0
"""Data sets that came before their template, kept for a while in case it comes.

Bounded by time, by octets in all and by octets of one exporter; what is given up is noted under
its reason.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.arrived import Arrived, scoped
from fleutan.protocols.netflow.wire.headers import Heads
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.netflow.wire.sets import Sets
from fleutan.protocols.netflow.wire.templates import Scope

#: How long a set waits; how many octets wait in all, and of one scope.
NS = 300 * 10**9
OCTETS = 8 << 20
OCTETS_OF_ONE = 512 << 10
# A set's own weight beside its octets.
_WEIGHT = 512


class Waiting(NamedTuple):
    """A set without a template, with what its datagram's header said (the fields of ``headers.Heads``)."""

    scope: Scope
    number: int
    head: tuple[int | tuple[int, int], ...]
    octets: bytes
    since_ns: int


class Room:
    """All that wait, the oldest first."""

    def __init__(self) -> None:
        self._sets: deque[Waiting] = deque()
        self._octets = 0
        self._of: Counter[Scope] = Counter()

    def __len__(self) -> int:
        return len(self._sets)

    @property
    def octets(self) -> int:
        """How many octets they are, each with its own weight."""
        return self._octets

    def fits(self, scope: Scope, size: int) -> bool:
        """Whether there is room for a set of so many octets."""
        weight = size + _WEIGHT
        return self._octets + weight <= OCTETS and self._of.get(scope, 0) + weight <= OCTETS_OF_ONE

    def add(self, one: Waiting) -> None:
        """Keeps a set, for which there is room."""
        self._sets.append(one)
        self._count(one, len(one.octets) + _WEIGHT)

    def expire(self, now_ns: int, noted: Rejects) -> None:
        """Gives up those that waited too long."""
        while self._sets and now_ns - self._sets[0].since_ns > NS:
            one = self._sets.popleft()
            self._count(one, -len(one.octets) - _WEIGHT)
            noted.add(rejects.WAITED, [-1])

    def release(self, learned: Collection[tuple[Scope, int]]) -> list[Waiting]:
        """Takes out those whose template is there now."""
        if not self._sets or not learned:
            return []
        ready = [one for one in self._sets if (one.scope, one.number) in learned]
        if ready:
            self._sets = deque(one for one in self._sets if (one.scope, one.number) not in learned)
            for one in ready:
                self._count(one, -len(one.octets) - _WEIGHT)
        return ready

    def _count(self, one: Waiting, weight: int) -> None:
        self._octets += weight
        self._of[one.scope] += weight
        if not self._of[one.scope]:
            del self._of[one.scope]


def with_waited(since: Arrived, waited: list[Waiting]) -> Arrived:
    """The sets that had waited, each with its own head, and then those that came since."""
    body = b"".join(one.octets for one in waited)
    sizes = np.array([len(one.octets) for one in waited])
    own = np.arange(len(waited))
    before = Sets(own, np.array([one.number for one in waited]), np.cumsum(sizes) - sizes, sizes)
    old = Heads(*map(np.array, zip(*(one.head for one in waited), strict=True)))
    after = since.sets._replace(head=since.sets.head + len(waited), start=since.sets.start + len(body))
    return scoped(
        np.concatenate((np.frombuffer(body, np.uint8), since.octets)),
        Heads(*map(np.concatenate, zip(old, since.heads, strict=True))),
        Sets(*map(np.concatenate, zip(before, after, strict=True))),
    )


def waiting(since: Arrived, row: int) -> Waiting:
    """A set of the batch, as it waits for its template."""
    head, number, start, size = (int(column[row]) for column in since.sets)
    said = tuple(column[head].tolist() for column in since.heads._replace(datagram=-np.ones_like(since.heads.version)))
    octets = since.octets[start : start + size].tobytes()
    return Waiting(since.scopes[since.scope[row]], number, said, octets, int(since.heads.received_ns[head]))
