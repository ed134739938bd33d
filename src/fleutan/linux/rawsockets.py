# SPDX-License-Identifier: Apache-2.0
"""Raw sockets made ready: those that send whole IP packets, and those that hear one protocol.

What lives here knows the options and the ancillary data of IPv4's and IPv6's raw sockets, so
that ``probing`` sees packets only.  The network namespace is that of the calling thread.

Sources: net/ipv4/raw.c and net/ipv6/raw.c of the kernel; raw(7), ip(7), ipv6(7), RFC 3542.
"""

from __future__ import annotations

import errno
import socket
import sys
import time
from array import array
from collections.abc import Iterable, Sequence
from contextlib import suppress
from struct import Struct

from fleutan.errors import FleutanError
from fleutan.linux.egress import bind_to_device
from fleutan.linux.tcpfilter import NOTHING

#: The protocols in which answers come, by IP version.
HEARD = {4: (socket.IPPROTO_ICMP, socket.IPPROTO_TCP), 6: (socket.IPPROTO_ICMPV6, socket.IPPROTO_TCP)}
#: Enough for all ancillary data of a packet that is received.
ANCILLARY = 256
_RECEIVE_BUFFER = 4 << 20

# include/uapi/asm-generic/socket.h, linux/in.h, in6.h, icmp.h, icmpv6.h, sock_diag.h
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_TIMESTAMPNS, _SO_MEMINFO = 26, 33, 35, 55
_MEMINFO_DROPS, _MEMINFO_LENGTH = 8, 9
_IP_PKTINFO, _IP_RECVERR = 8, 11
_IPV6_FLOWINFO, _IPV6_RECVERR, _IPV6_FREEBIND = 11, 25, 78
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1
_TIMESPEC = Struct("@ll")
_PKTINFO4 = Struct("=I4s4s")  # in_pktinfo: ifindex, spec_dst, addr
_PKTINFO6 = Struct("=16sI")  # in6_pktinfo: addr, ifindex
_FPROG = Struct("@HP")  # sock_fprog: length, address
_INSTRUCTION = 8  # bytes of a sock_filter
_INT = Struct("=i")
_WORD = Struct("!I")
#: The IPv6 header: version, traffic class and flow label, payload length, next header, hop limit, addresses.
_IPV6_HEADER = Struct("!IHBB16s16s")
_VERSION_6 = 6 << 28
#: Types of ICMP and ICMPv6: unreachable, too big, time exceeded, parameter problem; the echo reply.
_ICMP_ANSWERS = (3, 11, 12, 0)
_ICMPV6_ANSWERS = (1, 2, 3, 4, 129)

Ancillary = list[tuple[int, int, bytes]]


def sender(version: int, device: str = "") -> socket.socket:
    """A socket that sends packets with the IP header that they have.  Raises OSError."""
    made = _raw(version, socket.IPPROTO_RAW)  # which implies IP_HDRINCL and IPV6_HDRINCL
    try:
        if device:
            bind_to_device(made, device)
        # Without RECVERR the kernel keeps silent about packets that a queue of its own drops (ENOBUFS).
        if version == 4:
            made.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            with suppress(OSError):  # Linux 4.18; IPv4's raw sockets need no such option
                made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    except BaseException:
        made.close()
        raise
    return made


def destination(packet: bytes) -> tuple[tuple[str, int], Ancillary]:
    """Where a packet goes, and what the search for its route is told besides: its source and TOS."""
    if packet[0] >> 4 == 4:
        told = [
            (socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO4.pack(0, packet[12:16], bytes(4))),
            (socket.IPPROTO_IP, socket.IP_TOS, _INT.pack(packet[1])),
        ]
        return (socket.inet_ntop(socket.AF_INET, packet[16:20]), 0), told
    traffic_class = _WORD.unpack_from(packet)[0] >> 20 & 0xFF
    told = [
        (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO6.pack(packet[8:24], 0)),
        (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _INT.pack(traffic_class)),
    ]
    return (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0), told


def ear(version: int, proto: int, filters: Iterable[bytes]) -> socket.socket:
    """A socket that hears a protocol: of ICMP errors and echo replies, of TCP what the filter lets through.

    Nothing that came before the filter stood is left in it.  Raises OSError.
    """
    made = _raw(version, proto)
    try:
        stamp(made)
        enlarge(made)
        if version == 6:
            for option in (socket.IPV6_RECVPKTINFO, socket.IPV6_RECVHOPLIMIT, _IPV6_FLOWINFO):
                made.setsockopt(socket.IPPROTO_IPV6, option, 1)
        if proto == socket.IPPROTO_TCP:
            attach(made, filters)
        else:
            made.setsockopt(*_ICMP_FILTERS[proto])
        _drain(made)
    except BaseException:
        made.close()
        raise
    return made


def attach(to: socket.socket, filters: Iterable[bytes]) -> None:
    """Has the socket hear what a filter lets through: of several, the first for which the kernel has room.

    Raises FleutanError where it takes none.
    """
    for program in filters:
        # The filter that stands counts until another does: what did not fit beside it may fit without it.
        if _takes(to, program) or (_takes(to, NOTHING) and _takes(to, program)):
            return
    raise FleutanError("hearing TCP: no room for a socket filter (net.core.optmem_max)")


def _takes(to: socket.socket, program: bytes) -> bool:
    held = array("B", program)
    address, length = held.buffer_info()
    try:
        to.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _FPROG.pack(length // _INSTRUCTION, address))
    except OSError as error:
        if error.errno == errno.ENOMEM:  # net.core.optmem_max
            return False
        raise
    return True


def stamp(made: socket.socket) -> None:
    """Has the kernel tell with each packet when it came (``received_at``)."""
    made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def enlarge(made: socket.socket) -> None:
    """Room for bursts: beyond net.core.rmem_max where that is allowed."""
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    except PermissionError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)


def headed(proto: int, data: bytes, source: str, ancillary: Sequence[tuple[int, int, bytes]]) -> bytes:
    """What an IPv6 raw socket gave, with its IPv6 header in front again.

    Extension headers are gone: the transport's header follows at once.
    """
    told = {kind: value for level, kind, value in ancillary if level == socket.IPPROTO_IPV6}
    flowinfo = _WORD.unpack(told.get(_IPV6_FLOWINFO, bytes(4)))[0]  # not given where it is 0
    limit = _INT.unpack(told[socket.IPV6_HOPLIMIT])[0]
    dst = _PKTINFO6.unpack(told[socket.IPV6_PKTINFO])[0]
    src = socket.inet_pton(socket.AF_INET6, source.partition("%")[0])
    return _IPV6_HEADER.pack(_VERSION_6 | flowinfo, len(data), proto, limit, src, dst) + data


def received_at(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    """When the kernel received it, by SO_TIMESTAMPNS (CLOCK_REALTIME, ns); now, where it does not say."""
    for level, kind, value in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(value)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return time.time_ns()


def drops(of: socket.socket) -> int:
    """How many packets the socket had no room for (``sk_drops``), since it was made.

    By SO_MEMINFO, which tells at any time; SO_RXQ_OVFL does with the next packet only.
    """
    told = of.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * _MEMINFO_LENGTH)
    return int.from_bytes(told[4 * _MEMINFO_DROPS :], sys.byteorder)


def _raw(version: int, proto: int) -> socket.socket:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    return socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, proto)


def _drain(made: socket.socket) -> None:
    with suppress(BlockingIOError):
        while True:
            made.recv(1)


def _icmp_filter() -> bytes:
    """struct icmp_filter: a bit for each type below 32 that is kept off; the kernel lets others through."""
    return (0xFFFF_FFFF & ~sum(1 << kind for kind in _ICMP_ANSWERS)).to_bytes(4, sys.byteorder)


def _icmp6_filter() -> bytes:
    """struct icmp6_filter: eight words with a bit for each type that is kept off."""
    passed = [sum(1 << kind % 32 for kind in _ICMPV6_ANSWERS if kind // 32 == word) for word in range(8)]
    return b"".join((0xFFFF_FFFF & ~bits).to_bytes(4, sys.byteorder) for bits in passed)


_ICMP_FILTERS = {
    socket.IPPROTO_ICMP: (_SOL_RAW, _ICMP_FILTER, _icmp_filter()),
    socket.IPPROTO_ICMPV6: (socket.IPPROTO_ICMPV6, _ICMP6_FILTER, _icmp6_filter()),
}
