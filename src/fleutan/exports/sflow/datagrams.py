# SPDX-License-Identifier: Apache-2.0
"""Samples become datagrams: as many in each as there is room for, numbered one after another."""

from __future__ import annotations

import struct
from collections.abc import Iterable

_HEAD = {4: struct.Struct("!II4sIIII"), 16: struct.Struct("!II16sIIII")}
_WORD = 0xFFFF_FFFF


class Datagrams:
    """The datagrams of one agent; what waits in ``waiting`` goes with the next that is full, or is flushed.

    ``agent`` are the 4 or 16 octets of its address, ``octets`` how long a datagram may be at the
    most; a sample that is longer goes alone.  ``sent`` counts datagrams, ``samples`` what is in
    them.
    """

    def __init__(self, agent: bytes, sub_agent: int, octets: int) -> None:
        self._agent, self._sub_agent, self._octets = agent, sub_agent, octets
        self._head = _HEAD[len(agent)]
        self._samples: list[bytes] = []
        self._size = self._head.size
        self.sent = self.samples = 0

    @property
    def waiting(self) -> int:
        """Samples that are not in a datagram yet."""
        return len(self._samples)

    def add(self, samples: Iterable[bytes], uptime_ms: int) -> list[bytes]:
        """Takes samples; gives the datagrams that are full."""
        full = []
        size, most = self._size, self._octets
        for sample in samples:
            size += len(sample)
            if size > most and self._samples:
                full.append(self._made(uptime_ms))
                size = self._head.size + len(sample)
            self._samples.append(sample)
        self._size = size
        return full

    def flush(self, uptime_ms: int) -> list[bytes]:
        """The datagram of what waits, if anything does."""
        return [self._made(uptime_ms)] if self._samples else []

    def _made(self, uptime_ms: int) -> bytes:
        self.sent += 1
        many, kind = len(self._samples), 1 if len(self._agent) == 4 else 2
        numbers = (self._sub_agent, self.sent & _WORD, uptime_ms & _WORD, many)
        made = b"".join((self._head.pack(5, kind, self._agent, *numbers), *self._samples))
        self.samples += many
        self._samples, self._size = [], self._head.size
        return made
