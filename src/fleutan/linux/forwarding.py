# SPDX-License-Identifier: Apache-2.0
"""Ways out for batches: sockets that send many datagrams, or whole IP packets, to one place by sendmmsg(2).

What lives here never waits: what does not leave at once has an errno, and is not kept.  It writes
no header: packets that keep their source come with theirs.

Sources: sendmmsg(2), raw(7), ip(7) on IP_RECVERR; net/ipv4/raw.c and net/ipv6/raw.c of the kernel.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import NotSupported
from fleutan.linux import egress, messages, rawsockets
from fleutan.linux.messages import Bytes, Ints

Errnos = NDArray[np.int32]

_SEND_BUFFER = 4 << 20
_SO_SNDBUFFORCE = 32
_IFNAMSIZ = 16
_IP_RECVERR, _IPV6_RECVERR = 11, 25
#: The least that every IPv6 link carries, and every host receives (RFC 8200 section 5): where no route tells more.
LEAST_MTU = 1280
#: After so many failures the rest of a batch is given up: each costs a call.
_FAILURES = 16
#: Told once, of something sent before; what was to be sent then has not been tried.
_TOLD = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPROTO, errno.ENOPROTOOPT})


class Way:
    """A way to an address (4 or 16 octets) and port; ``scope`` is the device's index of a link-local one.

    With ``device`` it is by that one, whatever the routes say.  Opened by ``with``, in the network
    namespace of the calling thread.  Raises FleutanError where there is no such socket to be had.
    """

    def __init__(self, address: bytes, port: int, scope: int = 0, device: str = "") -> None:
        self._address, self._port, self._scope, self._device = address, port, scope, device

    def __enter__(self) -> Self:
        self._name = np.frombuffer(messages.name_of(self._address, self._port, self._scope), np.uint8)
        self._socket = self._opened()
        # Room for one error at most: each that comes keeps a send from happening.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        return self

    def __exit__(self, *trouble: object) -> None:
        self._socket.close()

    def _opened(self) -> socket.socket:
        family = egress.FAMILIES[len(self._address)]
        try:
            made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        except OSError as error:
            raise egress.Unsendable(egress.sending(self._address, ""), error.errno or 0) from None
        # Without RECVERR the kernel keeps silent about what a queue of its own drops (ENOBUFS).
        if family == socket.AF_INET:
            made.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        with suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if self._device:
            self._bind(made)
        return made

    def _bind(self, made: socket.socket) -> None:
        try:
            egress.bind_to_device(made, self._device)
        except OSError as error:
            made.close()
            raise egress.Unsendable(egress.sending(self._address, self._device), error.errno or 0) from None

    def device(self) -> str:
        """What the device that it goes by is called now, empty where any will do.  Raises OSError where it is gone."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, _IFNAMSIZ).rstrip(b"\0").decode()

    def send(self, octets: Bytes, starts: Ints, sizes: Ints) -> Errnos:
        """Sends each ``octets[start:start + size]``; ``(n,)`` int32, 0 where it has left, else why not.

        EAGAIN is of what the socket has no more room for.  The kernel fragments what is too long for
        a link.
        """
        return self._sent(_pieces(octets, starts, sizes)[:, None])

    def _sent(self, pieces: NDArray[np.void]) -> Errnos:
        """Sends messages of ``(n, k)`` pieces."""
        rows, each = pieces.shape
        table = np.zeros(rows, messages.MESSAGE)
        header = table["header"]
        header["name"], header["namelen"] = messages.address_of(self._name), len(self._name)
        header["iov"] = messages.address_of(pieces) + np.arange(rows) * each * messages.PIECE.itemsize
        header["iovlen"] = each
        return self._tried(table)

    def _tried(self, table: NDArray[np.void]) -> Errnos:
        why = np.zeros(len(table), np.int32)
        at, failures = 0, 0
        while at < len(table) and failures < _FAILURES:
            number, done = self._once(table[at:])
            at += done
            if number == errno.EAGAIN:
                why[at:] = number
                return why
            if number:
                why[at] = number
                at, failures = at + 1, failures + 1
        why[at:] = why[at - 1] if at else 0
        return why

    def _once(self, table: NDArray[np.void]) -> tuple[int, int]:
        """How many of the first were sent, or why the first was not."""
        number = 0
        for _ in range(2):
            try:
                done = messages.send(self._socket.fileno(), table)
            except OSError as error:
                number = error.errno or errno.EIO
                if number not in _TOLD:
                    break
            else:
                return (0, done) if done else (errno.EAGAIN, 0)
        return number, 0


class RawWay(Way):
    """A way for IP packets that have their headers, with whatever source; needs CAP_NET_RAW.

    The kernel finds the route by the destination, and does not fragment: what is longer than ``mtu``
    fails with EMSGSIZE.
    """

    def __enter__(self) -> Self:
        self._port = 0  # a raw socket's is its protocol
        super().__enter__()
        self.mtu = LEAST_MTU
        self.measure()
        return self

    def _opened(self) -> socket.socket:
        try:
            return rawsockets.sender(4 if len(self._address) == 4 else 6)
        except PermissionError:
            remedy = "run as root, or give it CAP_NET_RAW"
            raise NotSupported("forwarding with the source kept", "it needs CAP_NET_RAW", remedy) from None
        except OSError as error:
            raise egress.Unsendable(egress.sending(self._address, ""), error.errno or 0) from None

    def measure(self) -> None:
        """Asks how long a packet may be on this way, as far as is known; without a route it stays as it was."""
        with suppress(egress.Unsendable):
            self.mtu = max(egress.source_for(self._address).mtu, LEAST_MTU if len(self._address) == 16 else 68)

    def send_packets(self, headers: Bytes, header_sizes: Ints, octets: Bytes, starts: Ints, sizes: Ints) -> Errnos:
        """Sends packets: of each, so much of its row of ``headers``, then its payload; like ``send``."""
        written = np.ascontiguousarray(headers)
        first = _pieces(written.reshape(-1), np.arange(len(headers)) * headers.shape[1], header_sizes)
        return self._sent(np.stack([first, _pieces(octets, starts, sizes)], axis=1))


def why(number: int) -> str:
    """What an errno of ``send`` means."""
    return "more than the socket has room for" if number == errno.EAGAIN else egress.why(number)


def _pieces(octets: Bytes, starts: Ints, sizes: Ints) -> NDArray[np.void]:
    """Where the kernel finds them.  Raises ValueError for what lies outside: it would be some other memory's."""
    if ((starts < 0) | (sizes < 0) | (starts + sizes > len(octets))).any() or octets.strides != (1,):
        raise ValueError("octets to be sent lie outside their buffer")
    pieces = np.zeros(len(starts), messages.PIECE)
    pieces["base"] = messages.address_of(octets) + starts
    pieces["length"] = sizes
    return pieces
