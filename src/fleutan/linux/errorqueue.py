# SPDX-License-Identifier: Apache-2.0
"""Tracing without privileges: a UDP socket and the ICMP errors that the kernel keeps for it.

What lives here sends datagrams of one flow with growing hop limits, and receives what comes of
them.  The kernel writes the headers and takes the errors apart, so that neither the quoted
headers nor MPLS labels are seen, and errors of the socket's own flow only.

Sources: IP_RECVERR in ip(7), IPV6_RECVERR in ipv6(7), struct sock_extended_err in
include/uapi/linux/errqueue.h.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple, Self

from fleutan.errors import FleutanError
from fleutan.linux import egress, rawsockets
from fleutan.linux.egress import Sent
from fleutan.linux.rawsockets import Ancillary

#: How many errors, and how many answers, one call gives at most.
MOST = 1000
#: How often a send is tried: the kernel tells an error of another probe once.
_TRIES = 3
_ROOM = 1 << 16
_FROM_ICMP = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
_ERROR = Struct("=IBBBxII")  # sock_extended_err: errno, origin, type, code, info, data
_INT = Struct("=i")


class _Version(NamedTuple):
    """The options of a version of IP (include/uapi/linux/in.h, in6.h)."""

    level: int
    asked: tuple[int, ...]  # to be told: errors, hop limits
    tos: int
    limit: int
    error: int
    offender: slice  # where its address stands in a sock_extended_err and the sockaddr behind that


_VERSIONS = {
    socket.AF_INET: _Version(socket.IPPROTO_IP, (11, 12), socket.IP_TOS, socket.IP_TTL, 11, slice(20, 24)),
    socket.AF_INET6: _Version(
        socket.IPPROTO_IPV6,
        (25, socket.IPV6_RECVHOPLIMIT),
        socket.IPV6_TCLASS,
        socket.IPV6_HOPLIMIT,
        25,
        slice(24, 40),
    ),
}


class Returned(NamedTuple):
    """What came of a probe: an ICMP error, or the destination's own answer.

    ``errno`` is what the kernel makes of the error (EHOSTUNREACH for time exceeded); ``type`` and
    ``code`` are those of the ICMP message.  An answer has 0 and None.  ``offender`` is who sent
    it.  ``payload`` is that of the probe as far as the error quotes it, or the answer's.
    ``at_ns`` is when the kernel received it (CLOCK_REALTIME), ``ttl`` the hop limit that it came
    with, ``mtu`` what a message says that a probe was too big for.
    """

    errno: int
    type: int | None
    code: int | None
    offender: bytes
    payload: bytes
    at_ns: int
    ttl: int | None
    mtu: int | None = None


class ErrorQueue:
    """One UDP flow to ``dst`` (4 or 16 octets) and ``dport``, whose ports and addresses stay the same.

    Opened by ``with``, in the network namespace of the calling thread.  Entering raises
    ``egress.Unsendable`` where this host cannot send there.  ``sport`` 0: the kernel chooses.
    """

    def __init__(self, dst: bytes, dport: int, sport: int = 0, tos: int = 0, device: str = "") -> None:
        self._family = egress.FAMILIES[len(dst)]
        self._version = _VERSIONS[self._family]
        self._dst, self._dport, self._sport = dst, dport, sport
        self._tos, self._device = tos, device

    def __enter__(self) -> Self:
        try:
            self._socket = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        except OSError as error:
            raise egress.Unsendable(self._what(), error.errno or 0) from None
        try:
            self._prepare(self._socket)
        except OSError as error:
            number = egress.trouble(self._socket, self._device, error)
            self._socket.close()
            raise egress.Unsendable(self._what(), number) from None
        return self

    def __exit__(self, *trouble: object) -> None:
        self._socket.close()

    def _what(self) -> str:
        return egress.sending(self._dst, self._device)

    def _prepare(self, opened: socket.socket) -> None:
        rawsockets.stamp(opened)
        for option in self._version.asked:
            opened.setsockopt(self._version.level, option, 1)
        opened.setsockopt(self._version.level, self._version.tos, self._tos)
        if self._device:
            egress.bind_to_device(opened, self._device)
        opened.bind(("", self._sport))
        opened.connect((socket.inet_ntop(self._family, self._dst), self._dport))

    @property
    def own_end(self) -> tuple[bytes, int]:
        """Own address (4 or 16 octets) and port of the flow."""
        host, port = self._socket.getsockname()[:2]
        return socket.inet_pton(self._family, host.partition("%")[0]), port

    def fileno(self) -> int:
        """The socket's descriptor, to wait for several at once: POLLERR tells of errors."""
        return self._socket.fileno()

    def send(self, ttl: int, payload: bytes) -> Sent:
        """Sends a datagram to go ``ttl`` hops far (1 to 255).

        What keeps it from leaving is told in the result.  Raises FleutanError for failures that
        are not in ``egress.TROUBLES``.
        """
        limit = [(self._version.level, self._version.limit, _INT.pack(ttl))]
        for _ in range(_TRIES):  # the error of an earlier probe is told to the next send, which then does not happen
            at_ns = time.time_ns()
            try:
                self._socket.sendmsg([payload], limit)
            except OSError as error:
                number = egress.trouble(self._socket, self._device, error)
            else:
                return Sent(at_ns)
        if number not in egress.TROUBLES:
            raise FleutanError(f"{self._what()}: {egress.why(number)}")
        return Sent(at_ns, number)

    def receive(self, seconds: float) -> list[Returned]:
        """Waits up to so long for something to come back, and gives all there is, MOST answers and MOST errors."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)  # errors are told without being asked for
        waiting.poll(max(0.0, seconds) * 1000)
        answers = [self._answer(payload, told) for payload, told in self._take(0)]
        errors = [self._error(payload, told) for payload, told in self._take(socket.MSG_ERRQUEUE)]
        return answers + [error for error in errors if error]

    def _take(self, flags: int) -> Iterator[tuple[bytes, Ancillary]]:
        for _ in range(MOST):
            try:
                payload, told, *_ = self._socket.recvmsg(_ROOM, rawsockets.ANCILLARY, flags)
            except BlockingIOError:
                return
            except OSError:  # told once for each error, which stands in the queue nevertheless
                continue
            yield payload, told

    def _answer(self, payload: bytes, told: Ancillary) -> Returned:
        return Returned(0, None, None, self._dst, payload, rawsockets.received_at(told), self._limit(told))

    def _error(self, payload: bytes, told: Ancillary) -> Returned | None:
        told_error = self._told(told, self._version.error)
        number, origin, kind, code, info, _ = _ERROR.unpack_from(told_error)
        if origin not in _FROM_ICMP:
            return None  # this host's own, of which ``send`` has told
        offender, mtu = told_error[self._version.offender], info if number == errno.EMSGSIZE else None
        return Returned(number, kind, code, offender, payload, rawsockets.received_at(told), self._limit(told), mtu)

    def _limit(self, told: Ancillary) -> int | None:
        value = self._told(told, self._version.limit)
        return _INT.unpack(value)[0] if value else None

    def _told(self, told: Ancillary, kind: int) -> bytes:
        return next((value for level, found, value in told if (level, found) == (self._version.level, kind)), b"")
