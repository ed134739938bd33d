# SPDX-License-Identifier: Apache-2.0
"""Dumps of rtnetlink(7): questions to the calling thread's network namespace, messages and attributes.

What the messages mean is the business of ``addresses`` and ``links``.  Written here since the
netlink library takes longer to import than the answers take.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence

from fleutan.errors import FleutanError

#: include/uapi/linux/netlink.h
_ERROR, _DONE = 2, 3
_REQUEST, _DUMP, _INTERRUPTED = 0x1, 0x300, 0x10  # NLM_F_*
_TRIES = 5
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: len, type, flags, seq, pid
_ATTRIBUTE = struct.Struct("=HH")
#: Flags that stand in an attribute's type: NLA_F_NESTED, NLA_F_NET_BYTEORDER.
_TYPE = 0x3FFF
_ROOM = 1 << 16
#: Requests that are sent together: their answers fit into a socket's buffer as it is by default.
_AT_ONCE = 32


def dump(what: str, kind: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages that answer a request for all of something: their types and bodies.

    ``what`` names it in errors.  What changed while it was listed is asked for again, a few times.
    Raises FleutanError where the kernel does not tell.
    """
    for _ in range(_TRIES):
        found, interrupted = _dumped(what, kind, body)
        if not interrupted:
            break
    return iter(found)


def _dumped(what: str, kind: int, body: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """The messages of an answer, and whether it says that some may be missing."""
    found: list[tuple[int, bytes]] = []
    interrupted = ended = False
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asked:
        asked.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | _DUMP, 1, 0) + body)
        while not ended:
            part = asked.recv(_ROOM)
            several, ended = messages(what, part)
            found += several
            interrupted |= _is_interrupted(part)
    return found, interrupted


def answers(what: str, kind: int, bodies: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """The messages that answer requests for one thing each: their types and bodies, in no certain order.

    Of what is gone, or refused, there is none.  The kernel has answered when it has taken a request,
    so nothing is waited for.  Raises FleutanError for what are no whole messages.
    """
    found: list[tuple[int, bytes]] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asked:
        for first in range(0, len(bodies), _AT_ONCE):
            several = bodies[first : first + _AT_ONCE]
            asked.send(b"".join(_request(kind, body) for body in several))
            found += _answered(what, asked, len(several))
    return found


def _request(kind: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST, 1, 0) + body + bytes(-len(body) & 3)


def _answered(what: str, asked: socket.socket, expected: int) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    came = 0
    while came < expected:
        try:
            parts = list(_each(what, asked.recv(_ROOM, socket.MSG_DONTWAIT)))
        except OSError:  # some found no room
            break
        came += len(parts)
        found += [(kind, body) for kind, body in parts if kind != _ERROR]
    return found


def _is_interrupted(data: bytes) -> bool:
    """Whether a part of the answer says that something changed meanwhile, so that some may be missing."""
    return len(data) >= _HEADER.size and bool(_HEADER.unpack_from(data)[2] & _INTERRUPTED)


def messages(what: str, data: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """The messages in a part of the answer, and whether it ends with them.

    Raises FleutanError for an error that the kernel reports, and for what are no whole messages.
    """
    found: list[tuple[int, bytes]] = []
    for kind, body in _each(what, data):
        if kind == _DONE:
            return found, True
        if kind == _ERROR:
            number = -int.from_bytes(body[:4], sys.byteorder, signed=True)
            raise FleutanError(f"{what}: the kernel does not list them: {os.strerror(number).lower()}")
        found.append((kind, body))
    return found, False


def _each(what: str, data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + _HEADER.size > len(data):
            raise FleutanError(f"{what}: the kernel's answer ends inside a message, after {len(data)} bytes")
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            raise FleutanError(f"{what}: a message of the kernel's answer claims {length} bytes")
        yield kind, data[at + _HEADER.size : at + length]
        at += _aligned(length)


def attributes(what: str, data: bytes) -> dict[int, bytes]:
    """Attributes by type, the last of each.  Raises FleutanError for what are no whole attributes."""
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            raise FleutanError(f"{what}: an attribute of the kernel's answer claims {length} bytes")
        found[kind & _TYPE] = data[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found


def _aligned(length: int) -> int:
    return (length + 3) & ~3
