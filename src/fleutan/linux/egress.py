# SPDX-License-Identifier: Apache-2.0
"""How this host sends to an address: from which of its own, through which device, how much at once.

And what keeps a packet from leaving, in words.  What lives here asks the kernel and sends
nothing; the network namespace is that of the calling thread.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fleutan.errors import FleutanError
from fleutan.linux import rtnetlink

FAMILIES = {4: socket.AF_INET, 16: socket.AF_INET6}
#: Why a packet cannot leave, by errno.
TROUBLES = {
    errno.ENETUNREACH: "no route",
    errno.EHOSTUNREACH: "no route",
    errno.EACCES: "a route prohibits it, or it is a broadcast address",
    errno.EPERM: "a firewall of this host refuses it",
    errno.ENETDOWN: "interface down",
    errno.ENODEV: "no such interface",
    errno.ENXIO: "no such interface",
    errno.ENOBUFS: "a queue of this host dropped it",
    errno.EMSGSIZE: "larger than the MTU of the interface",
    errno.EADDRNOTAVAIL: "no address to send from",
    errno.EAFNOSUPPORT: "this host does not have this version of IP",
    errno.EINVAL: "a blackhole route, or addresses that cannot be used",
}

# include/uapi/linux/in.h, in6.h, sockios.h, if.h, rtnetlink.h
_IP_MTU, _IPV6_MTU = 14, 24
_SIOCGIFFLAGS, _IFF_UP, _IFNAMSIZ = 0x8913, 0x1, 16
_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_RTA_DST, _RTA_SRC, _RTA_OIF, _RTA_MULTIPATH, _RTA_IP_PROTO, _RTA_SPORT, _RTA_DPORT = 1, 2, 4, 9, 27, 28, 29
_RTM_F_FIB_MATCH = 0x2000  # the entry of the routing table itself, with all of its next hops
_RTNEXTHOP = struct.Struct("=HxxI")  # len, flags, hops, ifindex
_RTMSG = struct.Struct("=8BI")  # family, dst_len, src_len, tos, table, protocol, scope, type, flags
_IFREQ = struct.Struct("=16sH22x")
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: len, type, flags, seq, pid
_ATTRIBUTE = struct.Struct("=HH")
_NLM_F_REQUEST = 0x1
_DSCP = 0xFC
_ROOM = 1 << 16
_PORT_OF_TRACEROUTE = 33434


class Egress(NamedTuple):
    """Own address (4 or 16 octets), index of the device (None: not known), and MTU towards there, in bytes."""

    src: bytes
    device: int | None
    mtu: int


class Sent(NamedTuple):
    """When a packet was given to the kernel (CLOCK_REALTIME, ns), and the errno that kept it here: 0 if none did.

    The errnos and what they mean are in TROUBLES.
    """

    at_ns: int
    errno: int = 0


class Unsendable(FleutanError):
    """Nothing can be sent to a place; ``errno`` tells the reasons apart, TROUBLES has their words."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"{what}: {why(number)}")
        self.errno = number


def why(number: int) -> str:
    """What an errno means that sending or connecting gave."""
    return TROUBLES.get(number) or os.strerror(number).lower()


def source_for(
    dst: bytes,
    src: bytes = b"",
    device: str = "",
    tos: int = 0,
    proto: int = socket.IPPROTO_UDP,
    sport: int = 0,
    dport: int = 0,
) -> Egress:
    """How this host sends to an address (4 or 16 octets), by connecting a UDP socket to it.

    From ``src`` and through ``device`` where they are given.  ``tos``, ``proto`` and ports have a
    say in the device where rules or several next hops go by them.  Raises Unsendable where it
    cannot.
    """
    family, what = FAMILIES[len(dst)], sending(dst, device)
    try:
        asked = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise Unsendable(what, error.errno or 0) from None
    with asked:
        try:
            _prepare(asked, src, device, tos)
            asked.connect((socket.inet_ntop(family, dst), dport or _PORT_OF_TRACEROUTE))
            own, mtu = _own_end(asked)
            # IPv6 chooses among next hops before it chooses a source, IPv4 afterwards.
            chosen_by = own if family == socket.AF_INET else src
            index = socket.if_nametoindex(device) if device else _device(dst, chosen_by, tos, (proto, sport, dport))
        except OSError as error:
            raise Unsendable(what, trouble(asked, device, error)) from None
    return Egress(own, index, mtu)


def sending(dst: bytes, device: str) -> str:
    """What is tried, as errors say it."""
    return f"sending to {socket.inet_ntop(FAMILIES[len(dst)], dst)}" + (f" through {device}" if device else "")


def bind_to_device(sender: socket.socket, device: str) -> None:
    """Lets a socket send and receive through this device only.  Raises OSError: ENODEV where there is none."""
    name = device.encode()
    if len(name) >= _IFNAMSIZ:  # the kernel would cut it, and take what is called so
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name + b"\0")


def trouble(sender: socket.socket, device: str, error: OSError) -> int:
    """The errno of a failure to send; ENETDOWN for "no route" where the device that it is bound to is down."""
    number = error.errno or 0
    if number == errno.EAGAIN:
        return errno.ENOBUFS  # what waits in the device's queue fills the socket's own room
    unreachable = number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)
    return errno.ENETDOWN if unreachable and device and _is_down(sender, device) else number


def _is_down(sender: socket.socket, device: str) -> bool:
    try:
        answer = fcntl.ioctl(sender, _SIOCGIFFLAGS, _IFREQ.pack(device.encode(), 0))
    except OSError:  # deleted meanwhile
        return False
    return not _IFREQ.unpack(answer)[1] & _IFF_UP


def _prepare(asked: socket.socket, src: bytes, device: str, tos: int) -> None:
    if device:
        bind_to_device(asked, device)
    if asked.family == socket.AF_INET:
        asked.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    else:
        asked.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
    if src:
        asked.bind((socket.inet_ntop(asked.family, src), 0))


def _own_end(asked: socket.socket) -> tuple[bytes, int]:
    src = socket.inet_pton(asked.family, asked.getsockname()[0].partition("%")[0])
    if asked.family == socket.AF_INET:
        return src, asked.getsockopt(socket.IPPROTO_IP, _IP_MTU)
    return src, asked.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)


def _device(dst: bytes, src: bytes, tos: int, transport: tuple[int, int, int]) -> int | None:
    """The device of the route that the kernel finds for a flow (RTM_GETROUTE), if it tells."""
    proto, sport, dport = transport
    flow = [(_RTA_IP_PROTO, bytes([proto])), (_RTA_SRC, src)]
    flow += [(kind, port.to_bytes(2, "big")) for kind, port in ((_RTA_SPORT, sport), (_RTA_DPORT, dport)) if port]
    try:
        device = _route(dst, len(src), tos, 0, flow).get(_RTA_OIF)
    except FleutanError:  # the kernel looks for routes of TCP, UDP and ICMP only, and by these since 4.19
        return None
    return int.from_bytes(device, sys.byteorder) if device else None


def has_rivals(dst: bytes, src: bytes = b"", tos: int = 0) -> bool:
    """Whether the route to an address has several next hops behind one device, among which a hash of flows decides.

    A raw packet is hashed without ports, so that it need not go by the next hop of the flow that it
    imitates.  False where the kernel does not tell.
    """
    try:
        hops = _route(dst, len(src), tos, _RTM_F_FIB_MATCH, [(_RTA_SRC, src)]).get(_RTA_MULTIPATH, b"")
    except FleutanError:
        return False
    devices = [*_next_hops(hops)]
    return len(set(devices)) < len(devices)


def _next_hops(hops: bytes) -> Iterator[int]:
    """The device of each next hop (RTA_MULTIPATH)."""
    at = 0
    while at + _RTNEXTHOP.size <= len(hops):
        length, device = _RTNEXTHOP.unpack_from(hops, at)
        yield device
        at += max((length + 3) & ~3, _RTNEXTHOP.size)


def _route(dst: bytes, src_size: int, tos: int, flags: int, more: Iterable[tuple[int, bytes]]) -> dict[int, bytes]:
    """The attributes of the route that the kernel finds (RTM_GETROUTE).  Raises FleutanError where it finds none."""
    body = _RTMSG.pack(FAMILIES[len(dst)], 8 * len(dst), 8 * src_size, tos & _DSCP, 0, 0, 0, 0, flags)
    body += b"".join(_attribute(kind, value) for kind, value in ((_RTA_DST, dst), *more) if value)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asked:
        asked.send(_HEADER.pack(_HEADER.size + len(body), _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + body)
        answer = asked.recv(_ROOM)
    routes = [route for kind, route in rtnetlink.messages("routes", answer)[0] if kind == _RTM_NEWROUTE]
    return rtnetlink.attributes("routes", routes[0][_RTMSG.size :]) if routes else {}


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)
