# SPDX-License-Identifier: Apache-2.0
"""Every socket of one protocol as the kernel describes it, through netlink sock_diag.

What lives here asks and receives: the request, the dump, the retries, the errors.  It takes no
message apart; ``inetdiag`` does.  The network namespace is that of the calling thread.

Protocol: include/uapi/linux/netlink.h, sock_diag.h and inet_diag.h (sock_diag(7)).
"""

from __future__ import annotations

import errno
import mmap
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from fleutan.errors import FleutanError, NotSupported

#: IPPROTO_* (include/uapi/linux/in.h) by name.
PROTOCOLS = {"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132, "udplite": 136, "raw": 255, "mptcp": 262}
#: TCP_ESTABLISHED (1) to TCP_CLOSING (11); TCP_NEW_SYN_RECV comes with TCP_SYN_RECV.
ALL_STATES = 0xFFE
#: The kernel modules that list each protocol; raw sockets of every protocol are under 255.
MODULES = {
    6: "tcp_diag",
    17: "udp_diag",
    33: "dccp_diag",
    132: "sctp_diag",
    136: "udp_diag",
    255: "raw_diag",
    262: "mptcp_diag",
}
#: How often a dump is begun before its state is taken as it is.
TRIES = 3

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x10, 0x300
INET_DIAG_REQ_PROTOCOL = 3
SO_RCVBUFFORCE = 33
FAMILIES = (socket.AF_INET, socket.AF_INET6)
# idiag_ext has a bit for each of INFO (2), VEGASINFO, CONG, TOS, TCLASS, SKMEMINFO, SHUTDOWN (8).
# VEGASINFO asks for whatever the congestion control tells; MARK, CGROUP_ID, SKV6ONLY and
# ULP_INFO come unasked, where the caller's privileges allow.
_EXTENSIONS = 0xFE
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: len, type, flags, seq, pid
_REQUEST = struct.Struct("=BBBxI48x")  # inet_diag_req_v2: family, protocol, ext, states, any sockid
_ATTRIBUTE = struct.Struct("=HHI")
_ERRNO = struct.Struct("=i")
# The kernel fills at most 32 KiB a message batch (MAX_RECVMSG_LEN in af_netlink.c).
_ROOM = 64 << 10
_FIRST_AREA = 256 << 10
_RECEIVE_BUFFER = 1 << 20


class Dump(NamedTuple):
    """The netlink messages of both address families, one after the other.

    ``interrupted``: the kernel said each time that its table changed while it was read, so
    that rows may be missing or double.
    """

    data: memoryview
    interrupted: bool


class Kernel(Protocol):
    """What a netlink socket is used for; it can be closed by leaving ``with``."""

    def send(self, data: bytes, /) -> int:
        """Sends one message."""

    def recvmsg_into(self, buffers: list[memoryview], /) -> tuple[int, Any, int, Any]:
        """Receives a batch of messages: its length, ancillary data, flags, the sender."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *trouble: object) -> None: ...


def open_socket(receive_bytes: int = _RECEIVE_BUFFER) -> socket.socket:
    """A netlink socket that hears the kernel only, in the calling thread's network namespace."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
    try:
        opened.connect((0, 0))
        try:
            opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_bytes)
        except PermissionError:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    except BaseException:
        opened.close()
        raise
    return opened


def dump(protocol: int, states: int = ALL_STATES, connect: Callable[[int], Kernel] = open_socket) -> Dump:
    """Every socket of ``protocol`` (IPPROTO_*) in the states of the bit set ``states``.

    ``connect`` opens the way to the kernel, given the size of its receive buffer in bytes.  A
    dump that the kernel calls inconsistent, or that did not fit, is read again, TRIES times in
    all.  Raises NotSupported where this kernel or these privileges cannot list the protocol,
    FleutanError where reading failed.
    """
    scales = [1 << 2 * attempt for attempt in range(TRIES)]
    while True:
        scale = scales.pop(0)
        try:
            found = _attempt(protocol, states, connect, scale)
        except OSError as error:
            if error.errno not in _AGAIN or not scales:
                raise _explained(protocol, error) from None
        else:
            if not (found.interrupted and scales):
                return found


def request(protocol: int, family: int, states: int) -> bytes:
    """The message that asks for a dump; its sequence number is the family.

    inet_diag_req_v2 has eight bits for the protocol: a higher one goes into an attribute, and
    0 stands in its place, which kernels that do not know the attribute refuse.
    """
    body = _REQUEST.pack(family, protocol if protocol < 256 else 0, _EXTENSIONS, states)
    if protocol > 255:
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size, INET_DIAG_REQ_PROTOCOL, protocol)
    length = _HEADER.size + len(body)
    return _HEADER.pack(length, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, family, 0) + body


def _attempt(protocol: int, states: int, connect: Callable[[int], Kernel], scale: int) -> Dump:
    area = _Area(_ROOM * scale)
    flags = 0
    # A socket for every attempt: what an earlier one left unread goes with its socket.
    with connect(_RECEIVE_BUFFER * scale) as kernel:
        for family in FAMILIES:
            kernel.send(request(protocol, family, states))
            flags |= _receive(kernel, family, area)
    return Dump(area.filled(), bool(flags & NLM_F_DUMP_INTR))


def _receive(kernel: Kernel, sequence: int, area: _Area) -> int:
    """Puts the messages of one dump into the area; returns the flags that they carried."""
    seen = 0
    while True:
        with area.room() as room:
            size, _, trouble, _ = kernel.recvmsg_into([room])
            if size < _HEADER.size or trouble & socket.MSG_TRUNC:
                raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
            _, kind, flags, answered, _ = _header(room, 0)
            if answered != sequence:
                continue
            if kind == NLMSG_ERROR:
                _check(room, _HEADER.size, size)
                continue
            end = _end(room, size, sequence)
            area.used += size if end is None else end
            seen |= flags
            if end is not None:
                _check(room, end + _HEADER.size, size)
                return seen | _header(room, end)[2]


def _end(room: memoryview, size: int, sequence: int) -> int | None:
    """Where the message stands that ends the dump, which is the last of its batch if any is."""
    last = size - _HEADER.size - _ERRNO.size
    if last < 0 or _header(room, last)[:2] != (size - last, NLMSG_DONE):
        return None
    at = 0  # those bytes could be a socket's own: only the chain of lengths can tell
    while at < last:
        at += max(_HEADER.size, (_header(room, at)[0] + 3) & ~3)
    return last if at == last and _header(room, last)[3] == sequence else None


def _header(room: memoryview, at: int) -> tuple[int, int, int, int, int]:
    fields: tuple[int, int, int, int, int] = _HEADER.unpack_from(room, at)
    return fields


def _check(room: memoryview, at: int, size: int) -> None:
    """Raises what an error number at this place says; both kinds of message negate it."""
    code = -_ERRNO.unpack_from(room, at)[0] if at + _ERRNO.size <= size else errno.EBADMSG
    if code:
        raise OSError(code, os.strerror(code))


class _Area:
    """Memory that grows without being copied or touched ahead of need."""

    def __init__(self, room: int) -> None:
        self.used = 0
        self._room = room
        self._map = mmap.mmap(-1, max(_FIRST_AREA, 2 * room), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def room(self) -> memoryview:
        """The free part, large enough for any batch; release it before asking again."""
        if len(self._map) - self.used < self._room:
            self._map.resize(4 * len(self._map))
        return memoryview(self._map)[self.used :]

    def filled(self) -> memoryview:
        """What was put in, to read only."""
        return memoryview(self._map)[: self.used].toreadonly()


_AGAIN = (errno.ENOBUFS, errno.EMSGSIZE, errno.EBUSY)
_ABSENT = (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT)
_REFUSED = (errno.EPERM, errno.EACCES)


def _explained(protocol: int, error: OSError) -> FleutanError:
    name = next((name for name, number in PROTOCOLS.items() if number == protocol), f"protocol {protocol}")
    what = f"listing {name} sockets"
    if error.errno in _ABSENT:
        module = MODULES.get(protocol, "inet_diag")
        return NotSupported(what, f"this kernel does not offer it (no {module})", f"try: modprobe {module}")
    if error.errno in _REFUSED:
        return NotSupported(what, f"netlink sock_diag: {error.strerror}", "run as root, or allow AF_NETLINK sockets")
    return FleutanError(f"{what}: netlink sock_diag: {error.strerror}")
