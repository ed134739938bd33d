# SPDX-License-Identifier: Apache-2.0
"""recvmmsg(2) and sendmmsg(2): many messages in one call, their headers as numpy tables.

What lives here knows the layouts of ``struct mmsghdr``, ``iovec``, ``cmsghdr`` and of socket
addresses; it opens no socket, and decides neither what is sent nor what is made of what came.

Sources: recvmmsg(2), sendmmsg(2), cmsg(3), ip(7), ipv6(7); include/uapi/linux/in.h, in6.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
from functools import cache
from struct import Struct

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Table = NDArray[np.void]

_HEADER = np.dtype(
    [
        ("name", np.uintp),
        ("namelen", np.uint32),
        ("iov", np.uintp),
        ("iovlen", np.uintp),
        ("control", np.uintp),
        ("controllen", np.uintp),
        ("flags", np.intc),
    ],
    align=True,
)
#: struct mmsghdr, whose ``length`` is what was received or sent.
MESSAGE = np.dtype([("header", _HEADER), ("length", np.uint32)], align=True)
#: struct iovec.
PIECE = np.dtype([("base", np.uintp), ("length", np.uintp)])
#: Octets of the largest socket address here (28, sockaddr_in6), in rows that are read as 64-bit numbers.
NAME = 32
#: High word of the low half of every IPv4-mapped address (RFC 4291 section 2.5.5.2).
MAPPED = 0xFFFF << 32

_CONTROL = Struct("@Nii")  # cmsghdr: length, level, type
_ALIGNED = np.dtype(np.uintp).itemsize
_SOCKADDR_IN = Struct("!4s8x")
_SOCKADDR_IN6 = Struct("!I16s")


def address_of(rows: NDArray[np.void] | Bytes | NDArray[np.uint32]) -> int:
    """Where an array lies in memory."""
    return int(rows.ctypes.data)


def receive(descriptor: int, messages: Table) -> int:
    """Takes as many messages as there are, without waiting, into the first of ``messages``; says how many.

    ``length`` is as long as a message was sent, also where there was no room for it.  Raises OSError.
    """
    return _many("recvmmsg", descriptor, messages, socket.MSG_DONTWAIT | socket.MSG_TRUNC)


def send(descriptor: int, messages: Table) -> int:
    """Sends the first of ``messages``, without waiting; says how many until there was no more room.

    Raises OSError where the first one fails for another reason.
    """
    return _many("sendmmsg", descriptor, messages, socket.MSG_DONTWAIT)


def control_places(control: bytes) -> dict[tuple[int, int], int]:
    """Where the value of each control message of one message begins, by level and type (cmsg(3))."""
    places = {}
    at = 0
    while at + _CONTROL.size <= len(control):
        length, level, kind = _CONTROL.unpack_from(control, at)
        if length < _CONTROL.size:
            break
        places[level, kind] = at + _CONTROL.size
        at += -(-length // _ALIGNED) * _ALIGNED
    return places


def senders(names: Bytes, family: int) -> tuple[Ints, Ints]:
    """Addresses as ``(n, 2)`` halves and ports of ``(n, NAME)`` socket addresses of one family."""
    ports = names.view(">u2")[:, 1].astype(np.int64)
    if family == socket.AF_INET6:
        return names.view(">i8")[:, 1:3].astype(np.int64), ports
    return mapped(names.view(">u4")[:, 1]), ports


def mapped(addresses: NDArray[np.integer]) -> Ints:
    """IPv4 addresses, as numbers, as halves of IPv4-mapped ones."""
    halves = np.zeros((len(addresses), 2), np.int64)
    halves[:, 1] = addresses.astype(np.int64) | MAPPED
    return halves


def halves_of(address: bytes) -> Ints:
    """One address of 4 or 16 octets as ``(1, 2)`` halves."""
    if len(address) == 4:
        return mapped(np.frombuffer(address, ">u4"))
    return np.frombuffer(address, ">i8").astype(np.int64)[None]


def name_of(address: bytes, port: int, scope: int = 0) -> bytes:
    """The socket address of an address of 4 or 16 octets; ``scope`` is the device's index of a link-local one."""
    four = len(address) == 4
    family = (socket.AF_INET if four else socket.AF_INET6).to_bytes(2, sys.byteorder)
    end = family + port.to_bytes(2, "big")
    if four:
        return end + _SOCKADDR_IN.pack(address)
    return end + _SOCKADDR_IN6.pack(0, address) + scope.to_bytes(4, sys.byteorder)


@cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    for name, more in (("recvmmsg", [ctypes.c_void_p]), ("sendmmsg", [])):
        function = getattr(library, name)
        function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, *more]
        function.restype = ctypes.c_int
    return library


def _many(name: str, descriptor: int, messages: Table, flags: int) -> int:
    function = getattr(_libc(), name)
    arguments = (descriptor, address_of(messages), len(messages), flags)
    done: int = function(*arguments, None) if name == "recvmmsg" else function(*arguments)
    if done >= 0:
        return done
    number = ctypes.get_errno()
    if number in (errno.EAGAIN, errno.EINTR):
        return 0
    raise OSError(number, os.strerror(number))
