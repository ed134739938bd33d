# SPDX-License-Identifier: Apache-2.0
"""UDP sockets that wait for datagrams at a port, made ready to tell all that is known of each one.

What lives here opens and binds; ``receiving`` reads.  The network namespace is that of the
calling thread.

Sources: socket(7), ip(7), ipv6(7), udp(7); include/uapi/asm-generic/socket.h.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack
from typing import Any, NamedTuple

from fleutan.errors import FleutanError, UsageError
from fleutan.linux import rawsockets

#: Bytes of the kernel's memory for what waits in a socket: a quarter of a second of 100,000 datagrams a second.
ROOM = 32 << 20
_SO_RCVBUFFORCE, _SO_RXQ_OVFL = 33, 40
_IP_PKTINFO = 8
_PRIVILEGED = 1024
_WHY = {
    errno.EADDRINUSE: "in use by another program; 'ss -uanp' says which",
    errno.EADDRNOTAVAIL: "this host does not have that address",
    errno.EAFNOSUPPORT: "this host does not have this version of IP",
    errno.EACCES: f"ports below {_PRIVILEGED} need root or CAP_NET_BIND_SERVICE",
    errno.EMFILE: "too many open files (ulimit -n)",
    errno.ENODEV: "no such interface",
}


class Ear(NamedTuple):
    """A bound socket, what it is called, and how much room it was granted.

    ``address`` is that which it is bound to (4 or 16 octets), None where to any: each datagram then
    tells to which it came.  ``room`` is in bytes of the kernel's memory, which holds its overhead
    too (net.core.rmem_max bounds it without CAP_NET_ADMIN).
    """

    socket: socket.socket
    title: str
    address: bytes | None
    port: int
    room: int


class Unbound(FleutanError):
    """A port cannot be listened at; ``errno`` tells the reasons apart."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"listening at {what}: {_WHY.get(number) or os.strerror(number).lower()}")
        self.errno = number


def titled(address: str, port: int) -> str:
    """An address and a port, as errors and accounts say them."""
    return f"{address} port {port}"


def listen(address: str, port: int, sockets: int = 1, room: int = ROOM) -> list[Ear]:
    """So many sockets at one port, among which the kernel spreads the senders (SO_REUSEPORT).

    ``address`` is a number, ``fe80::1%eth0`` with its device; ``::`` takes IPv4 too.  Port 0: the
    kernel chooses.  Raises UsageError for what is no address or port, Unbound where it cannot be.
    """
    family, name = _resolved(address, port)
    with ExitStack() as held:
        try:
            first = held.enter_context(_bound(family, name, room, shared=False))
            if sockets == 1:
                made = [first]
            else:  # alone it has shown that no other program shares the port, which would take its part unseen
                name = (name[0], first.getsockname()[1], *name[2:])
                first.close()
                made = [held.enter_context(_bound(family, name, room, shared=True)) for _ in range(sockets)]
        except OSError as error:
            raise Unbound(titled(address, port), error.errno or 0) from None
        held.pop_all()
    return [_ear(one) for one in made]


def _resolved(address: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    if not 0 <= port < 1 << 16:
        raise UsageError(f"port {port}: ports are 0 to 65535")
    try:
        flags = socket.AI_NUMERICHOST | socket.AI_PASSIVE
        family, *_, name = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM, flags=flags)[0]
    except (socket.gaierror, UnicodeError):
        raise UsageError(f"{address!r} is not an IP address to listen at") from None
    return family, name


def _bound(family: int, name: tuple[Any, ...], room: int, *, shared: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        _prepare(made, room)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, name[0] != "::")
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(name)
    except BaseException:
        made.close()
        raise
    return made


def _prepare(made: socket.socket, room: int) -> None:
    rawsockets.stamp(made)
    made.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        made.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, room)
    except PermissionError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)


def _ear(made: socket.socket) -> Ear:
    host, port = made.getsockname()[:2]
    address = socket.inet_pton(made.family, host.partition("%")[0])
    room = made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    return Ear(made, titled(host, port), address if any(address) else None, port, room)
