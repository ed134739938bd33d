# SPDX-License-Identifier: Apache-2.0
"""Dropped packets with their first octets and the reason, as many in a second as are wanted; the rest counted.

The layout is that of bpf/discards.bpf.c, and stands here a second time.  What a reason is called is
read in ``reasons``, the name of a place in the kernel in ``drops``; what becomes of them is decided
in ``sources``.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Collection
from contextlib import ExitStack
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import UsageError
from fleutan.linux.capabilities import LIBBPF
from fleutan.linux.libbpf import BpfObject, Runs
from fleutan.linux.maps import Map
from fleutan.linux.proc import PROC
from fleutan.linux.ringbuffer import HEAD, RingBuffer

_OBJECT = os.path.join(os.path.dirname(__file__), "bpf", "discards.bpf.o")
PROGRAM = "kfree_skb"

Ints = NDArray[np.int64]
Octets = NDArray[np.uint8]

DIRECTION_UNKNOWN, RECEIVED, SENT = range(3)
#: sFlow's header_protocol; NONE where no header could be found.
NONE, ETHERNET, IPV4, IPV6 = 0, 1, 11, 12
#: Octets of a packet that can be kept, and packets in a second that can be told, at most.
LONGEST, FASTEST = 256, 100_000
#: Reasons from here on are those of modules: they are never passed over.
REASONS = 256
#: Places that can be passed over at most.
HIDDEN = 4096

#: struct discard: numpy type, members in order, up to the header.
_LAYOUT = (
    ("i8", "at_ns location cookie"),
    ("u4", "reason netns input device length"),
    ("u2", "ethertype size"),
    ("u1", "protocol direction"),
    ("V6", "padding"),
)
RECORD = np.dtype([(name, kind) for kind, names in _LAYOUT for name in names.split()])
_SETTINGS = struct.Struct("=4QQ4I")
_LEAST_ROOM, _MOST_ROOM = 1 << 16, 8 << 20


class Discarded(NamedTuple):
    """Dropped packets in order, a row each; ``(n,)`` int64 but for ``octets``, uint8.

    ``at_ns`` is UTC; ``location`` the address in the kernel; ``cookie`` that of the socket, 0 for
    none; ``reason`` the kernel's number; ``netns`` the network namespace's inode, 0 where unknown;
    ``input`` the ifIndex that received it, 0 for none; ``device`` the one that it was at, 0 for none;
    ``ethertype`` as the kernel has it; ``direction`` RECEIVED, SENT or DIRECTION_UNKNOWN.
    ``protocol`` says how its header begins (NONE, ETHERNET, IPV4, IPV6), which is
    ``octets[start:start + size]``; ``length`` is that of the packet from there on, and of what the
    kernel put together from many packets the sum.
    """

    octets: Octets
    start: Ints
    size: Ints
    at_ns: Ints
    location: Ints
    cookie: Ints
    reason: Ints
    netns: Ints
    input: Ints
    device: Ints
    length: Ints
    ethertype: Ints
    protocol: Ints
    direction: Ints


class Discarding:
    """The program that tells of dropped packets, in the kernel while the context lasts.

    It tells of ``limit`` packets a second, and of as many at once after a quiet second, with the first ``header``
    octets of each.  ``passed_over`` are reasons that it does not look at; with ``hides`` there may be
    places too (``hide``).  Packets of other network namespaces than the calling thread's are told unless
    ``only_own``.  Making one raises UsageError for numbers that are none; entering raises NotSupported with the
    reason: it takes root, or CAP_BPF and CAP_PERFMON, and Linux 5.17 (where drops have reasons).
    """

    def __init__(
        self,
        limit: int = 100,
        header: int = 128,
        passed_over: Collection[int] = (),
        hides: bool = False,
        only_own: bool = False,
        path: str = _OBJECT,
        library: str = LIBBPF,
    ) -> None:
        if not 1 <= limit <= FASTEST:
            raise UsageError(f"{limit} dropped packets a second cannot be told; at least 1 and at most {FASTEST} can")
        if not 16 <= header <= LONGEST:
            raise UsageError(f"{header} octets of a packet cannot be kept; at least 16 and at most {LONGEST} can")
        self._limit, self._header = limit, header
        self._passed_over = passed_over
        self._flags = hides, only_own
        self._path, self._library = path, library

    def __enter__(self) -> Self:
        with open(self._path, "rb") as file:
            elf = file.read()
        self.netns = os.stat(f"{PROC}/thread-self/ns/net").st_ino
        sizes = {"records": room(self._limit)}
        loaded = BpfObject("discards", elf, self._settings(), sizes=sizes, library=self._library)
        with ExitStack() as held:
            self._programs = held.enter_context(loaded)
            self._ring = held.enter_context(RingBuffer(self._programs.map("records"), self._library))
            self._suppressed, self._hidden, self._events = (
                Map(self._programs.map(name), self._library) for name in ("suppressed", "hidden", "events")
            )
            self._suppressed.put(bytes(4), bytes(self._suppressed.value_size))
            self.attach()
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def attach(self) -> None:
        """The program runs, as it does from the beginning.  Raises NotSupported."""
        self._programs.attach(PROGRAM)

    def detach(self) -> None:
        """The program runs no more, and drops cost nothing, until ``attach``; what it told can be read."""
        self._programs.detach(PROGRAM)

    def wait(self, seconds: float) -> None:
        """Waits so long at most, or until there is more than can wait longer."""
        self._ring.wait(seconds)

    def read(self) -> Discarded:
        """What was told since the last call."""
        found = self._ring.read()
        return parse(found.octets, found.starts, time.time_ns() - time.monotonic_ns())

    def suppressed(self) -> dict[int, int]:
        """How many were not told since the beginning, by ifIndex; 0 for other namespaces and unknown devices.

        Raises FleutanError.
        """
        found = self._suppressed.read()
        keys = np.frombuffer(found.keys, np.uint32).tolist()
        counts = np.frombuffer(found.values, np.int64).reshape(len(keys), -1).sum(axis=1).tolist() if keys else []
        return {key: count for key, count in zip(keys, counts, strict=True) if count}

    def events(self) -> int:
        """How often the program was called since the beginning, also for what it passed over.  Raises FleutanError."""
        return int(np.frombuffer(self._events.get(bytes(4)) or b"", np.int64).sum())

    def missed(self) -> int:
        """How many came while the program ran already on the same CPU; nothing is known of them."""
        return self.runs().recursion_misses

    def runs(self) -> Runs:
        """What the program cost so far, where the kernel counts it (``libbpf.counting_runs``)."""
        return self._programs.runs(PROGRAM)

    def hide(self, locations: Collection[int]) -> None:
        """Passes over what is dropped at these places from now on, as far as there is room.  Raises FleutanError."""
        for location in locations:
            if len(self._hidden.read().keys) < 8 * HIDDEN:
                self._hidden.put((location & (1 << 64) - 1).to_bytes(8, sys.byteorder), bytes(4))

    def _settings(self) -> bytes:
        """The program's constants."""
        bits = sum(1 << reason for reason in set(self._passed_over) if 0 <= reason < REASONS)
        words = [bits >> shift & (1 << 64) - 1 for shift in range(0, REASONS, 64)]
        return _SETTINGS.pack(*words, 1_000_000_000 // self._limit, self.netns, self._header, *self._flags)


def room(limit: int) -> int:
    """Octets of a ring that holds two seconds of so many, within bounds: a power of 2."""
    wanted = 2 * limit * (HEAD + RECORD.itemsize + LONGEST)
    return min(max(1 << (wanted - 1).bit_length(), _LEAST_ROOM), _MOST_ROOM)


def parse(octets: Octets, starts: Ints, ahead_ns: int) -> Discarded:
    """Records that begin at ``starts``; ``ahead_ns`` is how far UTC is ahead of CLOCK_MONOTONIC."""
    heads = octets[starts[:, None] + np.arange(RECORD.itemsize)].view(RECORD).reshape(len(starts))
    columns = {name: heads[name].astype(np.int64) for name in RECORD.names or () if name != "padding"}
    columns["at_ns"] += ahead_ns
    return Discarded(octets, starts + RECORD.itemsize, **columns)
