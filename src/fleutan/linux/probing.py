# SPDX-License-Identifier: Apache-2.0
"""The way out for probes and the way in for what answers them: whole IP packets, by raw sockets.

What lives here opens, sends, waits and receives; it neither writes a probe nor reads an answer,
and decides nothing about when.  How it is done without privileges is in ``errorqueue``.

The kernel finds the route by source, destination and TOS of the packet, not by its protocol,
ports and flow label (raw(7)).  Where this host itself spreads flows over several devices by those,
probes go with their flow if they are sent through the device that ``egress.source_for`` names for
it; among several next hops behind one device they need not.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import NamedTuple, Self

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux import egress, rawsockets, tcpfilter
from fleutan.linux.egress import Sent
from fleutan.linux.tcpfilter import Peer

#: How many packets one call gives at most; each socket has an equal share, so that none starves another.
MOST_PACKETS = 1000
#: The shortest IP headers, by version.
_HEADERS = {4: 20, 6: 40}
#: No IP packet is longer.
_ROOM = 1 << 16


class _Ear(NamedTuple):
    """A socket that hears a protocol of an IP version."""

    socket: socket.socket
    version: int
    proto: int


class RawProber:
    """Sends IP packets as they are, through one device if one is named, and receives what may answer them.

    All sockets are opened by ``with``, in the network namespace of the calling thread; afterwards
    no privilege is needed.  Entering raises NotSupported without CAP_NET_RAW, and
    ``egress.Unsendable`` where there is no such device.
    """

    def __init__(self, device: str = "") -> None:
        self._device = device
        self._senders: dict[int, socket.socket] = {}
        self._ears: list[_Ear] = []
        self._lost = 0
        self._room = memoryview(bytearray(_ROOM))
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as held:
            try:
                for version in _HEADERS:
                    self._open(version, held)
            except PermissionError:
                remedy = "run as root, or give it CAP_NET_RAW; 'fleutan doctor' says how"
                raise NotSupported("probing with raw sockets", "it needs CAP_NET_RAW", remedy) from None
            except OSError as error:
                through = f" through {self._device}" if self._device else ""
                raise egress.Unsendable(f"probing{through}", error.errno or 0) from None
            self._held = held.pop_all()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._lost = self.lost
        self._senders, self._ears = {}, []
        self._held.close()

    def _open(self, version: int, held: ExitStack) -> None:
        try:
            self._senders[version] = held.enter_context(rawsockets.sender(version, self._device))
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:  # a host without IPv6
                return
            raise
        for proto in rawsockets.HEARD[version]:
            heard = rawsockets.ear(version, proto, tcpfilter.programs(version, ()))
            self._ears.append(_Ear(held.enter_context(heard), version, proto))

    def send(self, packet: bytes) -> Sent:
        """Sends a packet that begins with its IP header.

        What keeps it from leaving is told in the result, so that a trace can go on.  Raises
        FleutanError for what is no IP packet, and for failures that are not in ``egress.TROUBLES``.
        """
        version = packet[0] >> 4 if packet else 0
        if len(packet) < _HEADERS.get(version, _ROOM):
            raise FleutanError(f"sending a probe: {len(packet)} bytes that are no IP packet")
        end, told = rawsockets.destination(packet)
        sender = self._senders.get(version)
        at_ns = time.time_ns()
        if sender is None:
            return Sent(at_ns, errno.EAFNOSUPPORT)
        try:
            sender.sendmsg([packet], told, 0, end)
        except OSError as error:
            return Sent(at_ns, self._trouble(sender, error))
        return Sent(at_ns)

    def _trouble(self, sender: socket.socket, error: OSError) -> int:
        number = egress.trouble(sender, self._device, error)
        if number not in egress.TROUBLES:
            raise FleutanError(f"sending a probe: {egress.why(number)}") from None
        return number

    def expect(self, peers: Iterable[Peer]) -> None:
        """From now on hears TCP answers of these peers only, instead of those named before; at first of none.

        Of too many, also what looks like an answer to one of their own ports, or to any port
        (``tcpfilter.programs``).  What was received before stays.
        """
        wanted = tuple(peers)
        for ear in self._ears:
            if ear.proto == socket.IPPROTO_TCP:
                rawsockets.attach(ear.socket, tcpfilter.programs(ear.version, wanted))

    def receive(self, seconds: float) -> list[tuple[bytes, int]]:
        """Waits up to so long for a first packet, and gives all there are, MOST_PACKETS at most.

        Each begins with its IP header, and comes with the time at which the kernel received it
        (CLOCK_REALTIME, ns); in order within a protocol only.  The wait is rounded up to
        milliseconds.
        """
        waiting = select.poll()
        for ear in self._ears:
            waiting.register(ear.socket, select.POLLIN)
        ready = {file for file, _ in waiting.poll(max(0.0, seconds) * 1000)}
        share = MOST_PACKETS // max(1, len(self._ears))
        return [got for ear in self._ears if ear.socket.fileno() in ready for got in self._take(ear, share)]

    def _take(self, ear: _Ear, most: int) -> list[tuple[bytes, int]]:
        found: list[tuple[bytes, int]] = []
        while len(found) < most:
            try:
                size, told, _, sender = ear.socket.recvmsg_into([self._room], rawsockets.ANCILLARY)
            except BlockingIOError:
                break
            data = bytes(self._room[:size])
            if ear.version == 6:
                data = rawsockets.headed(ear.proto, data, sender[0], told)
            found.append((data, rawsockets.received_at(told)))
        return found

    @property
    def lost(self) -> int:
        """How many packets found the sockets' buffers full; of ICMPv6 also those with a wrong checksum.

        Stays known after closing.
        """
        return self._lost + sum(rawsockets.drops(ear.socket) for ear in self._ears)
