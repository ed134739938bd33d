# SPDX-License-Identifier: Apache-2.0
"""The addresses that a network namespace takes for its own.

Asks rtnetlink (RTM_GETADDR, rtnetlink(7)) in the calling thread's namespace; broadcast addresses
of its networks count as its own.  What is sent to such an address is decided elsewhere.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator

from fleutan.errors import FleutanError

#: include/uapi/linux/netlink.h, rtnetlink.h
_NLMSG_ERROR, _NLMSG_DONE, _RTM_NEWADDR, _RTM_GETADDR = 2, 3, 20, 22
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
#: include/uapi/linux/if_addr.h
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: len, type, flags, seq, pid
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefixlen, flags, scope, index
_ATTRIBUTE = struct.Struct("=HH")
_MAPPED = bytes(10) + b"\xff\xff"
_ROOM = 1 << 16


def own_addresses() -> frozenset[bytes]:
    """The addresses of the calling thread's namespace, 16 bytes each (IPv4 as IPv4-mapped).

    Raises FleutanError where the kernel does not tell.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asked:
        body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        length = _HEADER.size + len(body)
        asked.send(_HEADER.pack(length, _RTM_GETADDR, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0) + body)
        found: set[bytes] = set()
        ended = False
        while not ended:
            more, ended = parse(asked.recv(_ROOM))
            found |= more
    return frozenset(found)


def parse(data: bytes) -> tuple[frozenset[bytes], bool]:
    """The addresses in messages of the answer, and whether it ends with them.

    Raises FleutanError for an error that the kernel reports, and for what are no whole messages.
    """
    found: set[bytes] = set()
    for kind, body in _messages(data):
        if kind == _NLMSG_DONE:
            return frozenset(found), True
        if kind == _NLMSG_ERROR:
            number = -int.from_bytes(body[:4], sys.byteorder, signed=True)
            raise FleutanError(f"addresses: the kernel does not list them: {os.strerror(number).lower()}")
        if kind == _RTM_NEWADDR:
            found |= _own(body)
    return frozenset(found), False


def _own(body: bytes) -> set[bytes]:
    """IFA_ADDRESS is the other end's where there is one (a point-to-point device); IFA_LOCAL is ours then."""
    attributes = dict(_attributes(body[_ADDRESS.size :]))
    ours = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    return {_in_16(value) for value in (ours, attributes.get(_IFA_BROADCAST)) if value}


def _in_16(value: bytes) -> bytes:
    return _MAPPED + value if len(value) == 4 else value


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + _HEADER.size > len(data):
            raise FleutanError(f"addresses: the kernel's answer ends inside a message, after {len(data)} bytes")
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            raise FleutanError(f"addresses: a message of the kernel's answer claims {length} bytes")
        yield kind, data[at + _HEADER.size : at + length]
        at += _aligned(length)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            raise FleutanError(f"addresses: an attribute of the kernel's answer claims {length} bytes")
        yield kind, data[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
