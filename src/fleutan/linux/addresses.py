# SPDX-License-Identifier: Apache-2.0
"""The addresses that a network namespace takes for its own.

Asks rtnetlink (RTM_GETADDR) in the calling thread's namespace; broadcast addresses of its
networks count as its own.  What is sent to such an address is decided elsewhere.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import NamedTuple

from fleutan.linux import rtnetlink

_WHAT = "addresses"
#: include/uapi/linux/rtnetlink.h
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
#: include/uapi/linux/if_addr.h
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 4, 8
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefixlen, flags, scope, index
_MAPPED = bytes(10) + b"\xff\xff"


def own_addresses() -> frozenset[bytes]:
    """The addresses of the calling thread's namespace, 16 bytes each (IPv4 as IPv4-mapped).

    Raises FleutanError where the kernel does not tell.
    """
    answer = rtnetlink.dump(_WHAT, _RTM_GETADDR, _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
    return frozenset(address for kind, body in answer if kind == _RTM_NEWADDR for address in own(body))


class Address(NamedTuple):
    """An address of a device (4 or 16 octets) with the length of its prefix and its IFA_F_* flags (if_addr.h)."""

    octets: bytes
    prefix: int
    ifindex: int
    flags: int


def addresses() -> list[Address]:
    """Every address of the calling thread's namespace, in the kernel's order, without those of broadcast.

    Raises FleutanError where the kernel does not tell.
    """
    answer = rtnetlink.dump(_WHAT, _RTM_GETADDR, _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
    found = [address(body) for kind, body in answer if kind == _RTM_NEWADDR and len(body) >= _ADDRESS.size]
    return [one for one in found if one.octets]


def address(body: bytes) -> Address:
    """The address in a message RTM_NEWADDR; without octets where it has none.

    IFA_FLAGS has all flags, ifaddrmsg the lower eight.  Raises FleutanError for what are no whole attributes.
    """
    _, prefix, flags, _, index = _ADDRESS.unpack_from(body)
    attributes = rtnetlink.attributes(_WHAT, body[_ADDRESS.size :])
    all_flags = int.from_bytes(attributes.get(_IFA_FLAGS, b""), sys.byteorder)
    return Address(attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS, b""), prefix, index, all_flags or flags)


def own(body: bytes) -> set[bytes]:
    """Those in a message RTM_NEWADDR.

    IFA_ADDRESS is the other end's where there is one (a point-to-point device); IFA_LOCAL is ours
    then.  Raises FleutanError for what are no whole attributes.
    """
    attributes = rtnetlink.attributes(_WHAT, body[_ADDRESS.size :])
    ours = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    return {_in_16(value) for value in (ours, attributes.get(_IFA_BROADCAST)) if value}


def _in_16(value: bytes) -> bytes:
    return _MAPPED + value if len(value) == 4 else value
