# SPDX-License-Identifier: Apache-2.0
"""Fragments of UDP datagrams that come one by one, and the datagrams that they make.

What lives here is bounded in datagrams, octets and time; it reads no header but UDP's.  RFC 791
3.2, RFC 8200 4.5, RFC 5722 (what overlaps is discarded).  Fragments are rare among what exporters
send, so that each is a step of Python.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, NamedTuple, TypeAlias

from fleutan.protocols.capture import rejects

#: Datagrams that may wait for fragments at once; no IP packet carries more octets than these.
MOST_WAITING: Final = 1024
MOST_OCTETS: Final = 65535
#: Fragments of a datagram: the largest one in packets of 576 octets, which every link takes.
MOST_PARTS: Final = 120
#: How long they may, by the capture's clock: RFC 8200 4.5.
LONGEST_NS: Final = 60_000_000_000

#: Addresses (two halves each) and identification.
Key: TypeAlias = tuple[int, ...]


class Fragment(NamedTuple):
    """A part of a datagram: ``octets`` from ``offset`` on; whether more follow; the time."""

    key: Key
    offset: int
    more: bool
    octets: bytes
    at_ns: int


@dataclass
class _Waiting:
    since_ns: int
    parts: dict[int, bytes] = field(default_factory=dict)
    held: int = 0
    size: int | None = None

    def add(self, fragment: Fragment) -> bool:
        """Whether the fragment belongs to the others, of which it may be a copy."""
        end = fragment.offset + len(fragment.octets)
        before = self.parts.get(fragment.offset)
        if before is not None:
            return before == fragment.octets
        if not fragment.more:
            if self.size is not None:
                return False
            self.size = end
        self.parts[fragment.offset] = fragment.octets
        self.held += len(fragment.octets)
        # More octets than a packet has can only overlap.
        return bool(fragment.octets) and max(end, self.held) <= MOST_OCTETS and len(self.parts) <= MOST_PARTS

    def whole(self) -> bytes | None:
        """The datagram if no octet is missing; b"" if parts overlap."""
        if self.size is None or self.held < self.size:
            return None
        offsets = sorted(self.parts)
        joined = b"".join(self.parts[offset] for offset in offsets)
        ends = accumulate(len(self.parts[offset]) for offset in offsets)
        fits = len(joined) == self.size and offsets == [0, *ends][:-1]
        return joined if fits else b""


class Fragments:
    """Datagrams that wait for fragments; ``rejects`` counts what never became one."""

    def __init__(self) -> None:
        self.rejects: Counter[str] = Counter()
        self._waiting: dict[Key, _Waiting] = {}

    def add(self, fragment: Fragment) -> bytes | None:
        """The octets of the datagram that is whole with this fragment, its UDP header first."""
        self._forget(fragment.at_ns)
        waiting = self._waiting.setdefault(fragment.key, _Waiting(fragment.at_ns))
        whole = waiting.whole() if waiting.add(fragment) else b""
        if whole is not None:
            del self._waiting[fragment.key]
        if whole == b"":
            self.rejects[rejects.FRAGMENT_CONFLICT] += 1
        return whole or None

    def finish(self) -> None:
        """Counts the datagrams that were never complete."""
        self.rejects.update({rejects.FRAGMENT_MISSING: len(self._waiting)} if self._waiting else {})
        self._waiting.clear()

    def _forget(self, now_ns: int) -> None:
        """The oldest ones, if they wait too long or too many do."""
        while self._waiting:
            key, oldest = next(iter(self._waiting.items()))
            if len(self._waiting) < MOST_WAITING and now_ns - oldest.since_ns <= LONGEST_NS:
                return
            del self._waiting[key]
            self.rejects[rejects.FRAGMENT_MISSING] += 1
