# SPDX-License-Identifier: Apache-2.0
"""Datagrams as columns: batches of what waits in several UDP sockets, taken by recvmmsg(2).

What lives here waits, receives and counts.  It opens no socket (``listening`` does) and knows
nothing of what the datagrams say.

Sources: recvmmsg(2), socket(7) on SO_TIMESTAMPNS and SO_RXQ_OVFL, ip(7) on IP_PKTINFO, RFC 3542.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple, Self

import numpy as np

from fleutan.linux import messages, rawsockets
from fleutan.linux.listening import Ear
from fleutan.linux.messages import Bytes, Ints
from fleutan.linux.rooms import Room

#: No UDP datagram is longer, jumbograms aside.
LONGEST = 1 << 16
_STAMP = (socket.SOL_SOCKET, 35)  # SO_TIMESTAMPNS
_DROPS = (socket.SOL_SOCKET, 40)  # SO_RXQ_OVFL
#: Where the header's destination address stands in in_pktinfo and in6_pktinfo, and how long it is.
_ENDS = {
    socket.AF_INET: ((socket.IPPROTO_IP, 8), 8, 4),
    socket.AF_INET6: ((socket.IPPROTO_IPV6, socket.IPV6_PKTINFO), 0, 16),
}
_SECOND = 1_000_000_000
_TIMESPEC = np.dtype("l")  # both members, where SO_TIMESTAMPNS is the old one


class Received(NamedTuple):
    """A batch of datagrams, a row each; within a socket in the order in which they came.

    A payload is ``octets[start:start + kept]``, ``octets`` uint8; ``sizes`` ``(n,)`` int64 say how
    long they were sent.  ``source`` and ``destination`` are ``(n, 2)`` int64 halves (IPv4 as
    IPv4-mapped), ``at_ns`` the kernel's time of reception (CLOCK_REALTIME, ns).
    """

    octets: Bytes
    starts: Ints
    kept: Ints
    sizes: Ints
    source: Ints
    sport: Ints
    destination: Ints
    dport: Ints
    at_ns: Ints


class Count(NamedTuple):
    """What came to a socket since it was heard: datagrams, their octets as sent, and what was lost.

    ``truncated`` are those that were longer than what is kept, ``dropped`` those that the kernel
    had no room for (of UDP it counts wrong checksums there, too).
    """

    datagrams: int = 0
    octets: int = 0
    truncated: int = 0
    dropped: int = 0


class Receiver:
    """Takes what comes to these sockets, ``rows`` datagrams at a time, of each ``longest`` octets at the most.

    The octets of a batch are overwritten by the ``batches``-th ``receive`` that gives one after it,
    and not before: with two, the one before last may still be worked on.  All other columns are the
    caller's own.  After a first datagram others are awaited for ``linger`` seconds, unless the batch
    before was full: few large batches cost less than many small ones.  Used with ``with``, which
    closes the sockets at its end.
    """

    def __init__(
        self, ears: Sequence[Ear], rows: int = 1024, longest: int = LONGEST, batches: int = 2, linger: float = 0.0
    ) -> None:
        self._hearings = [_Hearing(ear) for ear in ears]
        self._rows, self._longest, self._batches = rows, longest, batches
        self._linger, self._full = linger, False
        self._rooms: list[Room] = []
        self._turn = 0
        self._held = ExitStack()
        self.stopped = False

    def __enter__(self) -> Self:
        for hearing in self._hearings:
            self._held.enter_context(hearing.ear.socket)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._held.callback(os.close, self._wake)
        self._rooms = [Room(self._rows, self._longest) for _ in range(self._batches)]
        self._by_descriptor = {hearing.ear.socket.fileno(): hearing for hearing in self._hearings}
        self._waiting, self._lingering = select.poll(), select.poll()
        self._lingering.register(self._wake, select.POLLIN)
        for descriptor in (self._wake, *self._by_descriptor):
            self._waiting.register(descriptor, select.POLLIN)
        return self

    def __exit__(self, *trouble: object) -> None:
        self.counts()  # for the last time
        self.stopped = True
        self._rooms = []
        self._held.close()

    def stop(self) -> None:
        """Ends a wait, and all later ones at once; may be called by a signal's handler and by any thread."""
        self.stopped = True
        if self._rooms:
            os.eventfd_write(self._wake, 1)

    def receive(self, seconds: float) -> Received | None:
        """Waits up to so long for a first datagram, and gives what there is; None where nothing came, or stopped.

        The wait is rounded up to milliseconds.  Raises FleutanError where a socket fails.
        """
        ready = self._ready(seconds)
        if self.stopped:
            return None
        room = self._rooms[0]
        parts = list(self._fill(room, [self._by_descriptor[descriptor] for descriptor in ready]))
        self._full = sum(len(part.sizes) for part in parts) == self._rows
        if not parts:
            return None
        self._rooms.append(self._rooms.pop(0))
        return parts[0] if len(parts) == 1 else _together(parts)

    def _ready(self, seconds: float) -> list[int]:
        """The descriptors at which something waits, and lingers where more may come."""
        ready = [descriptor for descriptor, _ in self._waiting.poll(max(0.0, seconds) * 1000)]
        if ready and self._linger and not self._full and not self.stopped:
            self._lingering.poll(self._linger * 1000)
            return [descriptor for descriptor, _ in self._waiting.poll(0)]
        return ready

    def _fill(self, room: Room, ready: Sequence[_Hearing]) -> Iterator[Received]:
        """What the sockets have, each its share of the room; another one has the first go the next time."""
        self._turn += 1
        first = 0
        for place in range(len(ready)):
            hearing = ready[(place + self._turn) % len(ready)]
            share = (self._rows - first) // (len(ready) - place)
            count = room.take(hearing.ear, first, share)
            if count:
                yield hearing.read(room, first, count)
            first += count

    def counts(self) -> list[Count]:
        """What came to each socket, and what the kernel dropped until now."""
        return [hearing.counted() for hearing in self._hearings]


class Drops:
    """The kernel's count of what it dropped, which has 32 bits, as a number that goes on."""

    def __init__(self) -> None:
        self.total = 0

    def told(self, count: int) -> None:
        """The count as it was some time; an older one than the last is known already."""
        ahead = (count - self.total) & 0xFFFF_FFFF
        if ahead < 1 << 31:
            self.total += ahead


class _Hearing:
    """A socket that is listened to: what is counted, and how its messages are read."""

    def __init__(self, ear: Ear) -> None:
        self.ear = ear
        self._count = Count()
        self._drops = Drops()
        self._places: dict[int, dict[tuple[int, int], int]] = {}

    def read(self, room: Room, first: int, count: int) -> Received:
        """The columns of messages that were received, counted."""
        rows = slice(first, first + count)
        sizes = room.messages["length"][rows].astype(np.int64)
        starts, kept = room.payloads(rows, sizes)
        source, sport = messages.senders(room.names[rows], self.ear.socket.family)
        destination, at_ns = self._told(room, rows)
        dport = np.full(count, self.ear.port)
        known = self._count
        truncated = int(np.count_nonzero(kept < sizes))
        self._count = Count(known.datagrams + count, known.octets + int(sizes.sum()), known.truncated + truncated)
        return Received(room.octets, starts, kept, sizes, source, sport, destination, dport, at_ns)

    def _told(self, room: Room, rows: slice) -> tuple[Ints, Ints]:
        """Destinations and times off the ancillary data, and the count of drops of the last datagram."""
        control, lengths = room.control[rows], room.messages["header"]["controllen"][rows]
        destination = np.empty((len(control), 2), np.int64)
        at_ns = np.empty(len(control), np.int64)
        for length in dict.fromkeys(lengths.tolist()):  # a message more about drops, from the first drop on
            same = lengths == length
            places = self._layout(control[same.argmax()], length)
            at_ns[same] = _times(control[same], places[_STAMP])
            destination[same] = self._ends(control[same], places)
        last = self._layout(control[-1], int(lengths[-1])).get(_DROPS)
        if last is not None:
            self._drops.told(int.from_bytes(control[-1, last : last + 4].tobytes(), sys.byteorder))
        return destination, at_ns

    def _layout(self, control: Bytes, length: int) -> dict[tuple[int, int], int]:
        """Where what is told stands.

        The kernel puts the same kinds in the same order, so that one length has one layout.
        """
        if length not in self._places:
            self._places[length] = messages.control_places(control[:length].tobytes())
        return self._places[length]

    def _ends(self, control: Bytes, places: dict[tuple[int, int], int]) -> Ints:
        if self.ear.address is not None:
            return messages.halves_of(self.ear.address)
        kind, offset, size = _ENDS[self.ear.socket.family]
        at = places[kind] + offset
        words = np.ascontiguousarray(control[:, at : at + size])
        return words.view(">i8").astype(np.int64) if size == 16 else messages.mapped(words.view(">u4")[:, 0])

    def counted(self) -> Count:
        """What came, with the drops of which no datagram has told yet."""
        if self.ear.socket.fileno() >= 0:
            self._drops.told(rawsockets.drops(self.ear.socket))
        return self._count._replace(dropped=self._drops.total)


def _times(control: Bytes, at: int) -> Ints:
    """SO_TIMESTAMPNS at one place of every row, in ns."""
    told = np.ascontiguousarray(control[:, at : at + 2 * _TIMESPEC.itemsize]).view(_TIMESPEC).astype(np.int64)
    times: Ints = told[:, 0] * _SECOND + told[:, 1]
    return times


def _together(parts: Sequence[Received]) -> Received:
    """One batch of what several sockets gave, by time."""
    columns = [np.concatenate(column) for column in list(zip(*parts, strict=True))[1:]]
    order = np.argsort(columns[-1], kind="stable")
    return Received(parts[0].octets, *(column[order] for column in columns))
