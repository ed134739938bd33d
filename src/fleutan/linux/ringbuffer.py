# SPDX-License-Identifier: Apache-2.0
"""A BPF ring buffer, read where it lies: what programs wrote, as byte strings in one array.

What lives here knows how entries lie in the ring (kernel/bpf/ringbuf.c) and nothing of what is in
them.  The ring is known by its map's file descriptor, which its object owns (``libbpf``).
"""

from __future__ import annotations

import select
from contextlib import ExitStack
from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fleutan.linux.capabilities import LIBBPF
from fleutan.linux.maps import Map

Octets = NDArray[np.uint8]
Ints = NDArray[np.int64]

#: Before each entry: its length with two bits, and what only the kernel needs (struct bpf_ringbuf_hdr).
HEAD = 8
_BUSY, _DISCARDED = 1 << 31, 1 << 30
_LENGTH = _DISCARDED - 1


class Entries(NamedTuple):
    """What was written, in order: entry ``i`` is ``octets[starts[i]:][:sizes[i]]``.

    ``octets`` is uint8 and the caller's own; ``starts``, multiples of 8, and ``sizes`` are ``(n,)``
    int64.
    """

    octets: Octets
    starts: Ints
    sizes: Ints


NOTHING = Entries(np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))


class RingBuffer:
    """A ring of entries of any size, from ``with`` on; it has one reader.

    Its pages are mapped: one for our position, one for the kernel's, then the entries twice in a
    row, so that what waits is always one piece.
    """

    def __init__(self, descriptor: int, library: str = LIBBPF) -> None:
        self._descriptor = descriptor
        self._library = library

    def __enter__(self) -> Self:
        self.room = Map(self._descriptor, self._library).max_entries
        with ExitStack() as held:
            ours = mmap(self._descriptor, PAGESIZE, MAP_SHARED, PROT_READ | PROT_WRITE)
            both = PAGESIZE + 2 * self.room
            theirs = mmap(self._descriptor, both, MAP_SHARED, PROT_READ, offset=PAGESIZE)
            # The mappings go with the last array that looks at them.
            self._consumed = np.frombuffer(ours, np.uint64, 1)
            self._produced = np.frombuffer(theirs, np.uint64, 1)
            self._pages = np.frombuffer(theirs, np.uint8, offset=PAGESIZE)
            # Edge-triggered: it is woken when the program says so, not whenever something waits.
            self._woken = held.enter_context(select.epoll())
            self._woken.register(self._descriptor, select.EPOLLIN | select.EPOLLET)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        del self._consumed, self._produced, self._pages
        self._held.close()

    def fileno(self) -> int:
        """A descriptor that can be read from once a program has woken the reader, until ``wait`` is called."""
        return self._woken.fileno()

    def wait(self, seconds: float) -> None:
        """Waits so long at most, or until a program wakes the reader."""
        self._woken.poll(seconds)

    @property
    def waiting(self) -> int:
        """How many bytes of the ring are in use."""
        return int(self._produced[0]) - int(self._consumed[0])

    def read(self) -> Entries:
        """The entries that wait, up to the first that is still being written; they make room in the ring."""
        begin, end = int(self._consumed[0]), int(self._produced[0])
        if begin == end:
            return NOTHING
        first = begin % self.room
        waiting = self._pages[first : first + end - begin]
        # The heads are read before what they stand for, which is then all there.
        found = entries(waiting)
        octets = waiting[: found.end].copy()
        self._consumed[0] = begin + found.end
        return Entries(octets, found.starts, found.sizes)


class Found(NamedTuple):
    """Where entries lie: ``starts`` and ``sizes`` of those that are whole, ``end`` behind the last of them."""

    starts: Ints
    sizes: Ints
    end: int


def entries(waiting: Octets) -> Found:
    """The entries of a piece of a ring, which begins with a head."""
    words = waiting.view(np.uint32)[::2]
    heads = _heads(words)
    lengths = words[heads].astype(np.int64)
    busy = np.flatnonzero(lengths & _BUSY)
    whole = int(busy[0]) if len(busy) else len(heads)
    end = HEAD * int(heads[whole] if whole < len(heads) else len(words))
    kept = np.flatnonzero(~lengths[:whole] & _DISCARDED)
    return Found(HEAD * (heads[kept] + 1), lengths[kept] & _LENGTH, end)


def _heads(words: NDArray[np.uint32]) -> Ints:
    """The places of the heads, of which each tells where the next one is.

    Entries of one size are equally far from each other, and looked at together; others one after the other,
    which takes 0.2 us each.
    """
    step = _step(int(words[0])) if len(words) else 1
    places = np.arange(0, len(words), step)
    if len(words) % step == 0 and not ((words[places] ^ words[:1]) & _LENGTH).any():
        return places
    heads, at, every = [], 0, words.data
    while at < len(every):
        heads.append(at)
        at += _step(every[at])
    return np.array(heads, np.int64)


def _step(head: int) -> int:
    """From a head to the next one, in places of 8 octets."""
    return 1 + ((head & _LENGTH) + 7) // 8
