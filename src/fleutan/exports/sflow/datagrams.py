# SPDX-License-Identifier: Apache-2.0
"""Samples become datagrams: as many in each as there is room for, numbered one after another."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

_HEAD = {4: struct.Struct("!II4sIIII"), 16: struct.Struct("!II16sIIII")}
_WORD = 0xFFFF_FFFF


class Samples(NamedTuple):
    """Many samples one behind the other, and where each ends."""

    octets: bytes
    ends: Sequence[int]

    def each(self) -> list[bytes]:
        """One by one: for what is small."""
        return [self.octets[start:end] for start, end in pairwise((0, *self.ends))]


class Datagrams:
    """The datagrams of one agent; what waits in ``waiting`` goes with the next that is full, or is flushed.

    ``agent`` are the 4 or 16 octets of its address, ``octets`` how long a datagram may be at the
    most; a sample that is longer goes alone.  ``sent`` counts datagrams, ``samples`` what is in
    them.
    """

    def __init__(self, agent: bytes, sub_agent: int, octets: int) -> None:
        self._agent, self._sub_agent, self._octets = agent, sub_agent, octets
        self._head = _HEAD[len(agent)]
        self._parts: list[bytes] = []
        self._size = self._head.size
        self.sent = self.samples = 0
        #: Samples that are not in a datagram yet.
        self.waiting = 0

    def add(self, samples: Iterable[bytes], uptime_ms: int) -> list[bytes]:
        """Takes samples; gives the datagrams that are full."""
        return [
            datagram for sample in samples for datagram in self.add_many(Samples(sample, (len(sample),)), uptime_ms)
        ]

    def add_many(self, samples: Samples, uptime_ms: int) -> list[bytes]:
        """As ``add``: what goes together is not taken apart before."""
        full, (octets, ends) = [], samples
        first = start = 0
        while first < len(ends):
            last = bisect_right(ends, start + self._octets - self._size, first)
            if last == first and not self.waiting:
                last += 1
            if last > first:
                self._wait(octets[start : ends[last - 1]], last - first)
                first, start = last, ends[last - 1]
            if first < len(ends):
                full.append(self._made(uptime_ms))
        return full

    def _wait(self, part: bytes, many: int) -> None:
        self._parts.append(part)
        self._size += len(part)
        self.waiting += many

    def flush(self, uptime_ms: int) -> list[bytes]:
        """The datagram of what waits, if anything does."""
        return [self._made(uptime_ms)] if self.waiting else []

    def _made(self, uptime_ms: int) -> bytes:
        self.sent += 1
        kind = 1 if len(self._agent) == 4 else 2
        numbers = (self._sub_agent, self.sent & _WORD, uptime_ms & _WORD, self.waiting)
        made = b"".join((self._head.pack(5, kind, self._agent, *numbers), *self._parts))
        self.samples += self.waiting
        self._parts, self._size, self.waiting = [], self._head.size, 0
        return made
