# SPDX-License-Identifier: Apache-2.0
"""Datagrams whose records have no template yet, kept as they came until it does, for a while.

Bounded by octets and by time; what is given up is passed on without its records.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np

from fleutan.protocols.anonymous.canvas import aligned
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.wire.templates import Scope
from fleutan.protocols.spans import Ints, Spans

#: How many octets are held in all, and how long, by the times of reception.
OCTETS = 2 << 20
NS = 300 * 10**9
# A datagram's own weight beside its octets.
_WEIGHT = 128
Key = tuple[Scope, int]


class Held:
    """Datagrams that wait, the oldest first, and the templates that they wait for."""

    def __init__(self) -> None:
        self._parts: list[Datagrams] = []
        self._lacked: set[Key] = set()
        self._octets = 0

    def __len__(self) -> int:
        return sum(len(part.at_ns) for part in self._parts)

    def fits(self, datagrams: Datagrams) -> bool:
        """Whether there is room for all of these."""
        return self._octets + _weight(datagrams) <= OCTETS

    def add(self, datagrams: Datagrams, lacked: AbstractSet[Key]) -> None:
        """Keeps a copy of these, for which there is room, and what they wait for."""
        if len(datagrams.at_ns):
            self._parts.append(datagrams._replace(spans=aligned(datagrams.spans)))
            self._octets += _weight(datagrams)
            self._lacked |= lacked

    def release(self, learned: AbstractSet[Key]) -> Datagrams | None:
        """Takes all out where one may be read now."""
        return self._taken(len(self._parts)) if self._lacked & learned else None

    def expire(self, now_ns: int) -> Datagrams | None:
        """Takes out those that waited too long."""
        old = [int(part.at_ns.max()) < now_ns - NS for part in self._parts]
        return self._taken(old.index(False) if False in old else len(old)) if any(old[:1]) else None

    def end(self) -> Datagrams | None:
        """Takes all out."""
        return self._taken(len(self._parts)) if self._parts else None

    def _taken(self, parts: int) -> Datagrams:
        taken, self._parts = joined(self._parts[:parts]), self._parts[parts:]
        self._octets -= _weight(taken)
        if not self._parts:
            self._lacked.clear()
        return taken


def joined(parts: list[Datagrams]) -> Datagrams:
    """All datagrams of at least one part, in order, in one buffer."""
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(len(part.spans.octets) for part in parts[:-1])]).tolist()
    starts: Ints = np.concatenate([part.spans.starts + at for part, at in zip(parts, before, strict=True)])
    octets, sizes = (np.concatenate([part.spans[place] for part in parts]) for place in (0, 2))
    columns = (np.concatenate(column) for column in zip(*(part[1:] for part in parts), strict=True))
    return Datagrams(Spans(octets, starts, sizes), *columns)


def _weight(datagrams: Datagrams) -> int:
    return int(datagrams.spans.sizes.sum()) + _WEIGHT * len(datagrams.at_ns)
