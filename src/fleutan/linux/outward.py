# SPDX-License-Identifier: Apache-2.0
"""What a network namespace sends and receives: the counters of the devices that lead out of it.

A container's own bridges, tunnels and the ends of what runs in it in turn carry the same packets once
more: only what leads to another namespace, or to hardware, is counted.  Where that can be told is
rtnetlink, in the calling thread's namespace; counters are read from ``net/dev`` of a process, from
outside.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fleutan.linux import rtnetlink

_WHAT = "devices"
#: include/uapi/linux/rtnetlink.h
_RTM_NEWLINK, _RTM_GETLINK = 16, 18
#: include/uapi/linux/if_link.h
_IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_LINK_NETNSID, _IFLA_INFO_KIND = 3, 10, 18, 37, 1
_IFF_LOOPBACK = 8
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change


class Sides(NamedTuple):
    """What a device received and sent since it was made."""

    rx_bytes: int
    rx_packets: int
    rx_errs: int
    rx_drop: int
    tx_bytes: int
    tx_packets: int
    tx_errs: int
    tx_drop: int


class _Link(NamedTuple):
    name: str
    number: int
    master: int
    kind: str
    leads_elsewhere: bool


def outward() -> frozenset[str]:
    """Names of the devices that lead out of the calling thread's namespace.  Raises FleutanError."""
    return leading_out(rtnetlink.dump(_WHAT, _RTM_GETLINK, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)))


def leading_out(messages: Iterable[tuple[int, bytes]]) -> frozenset[str]:
    """The same of messages by type and body.  Raises FleutanError for what are no whole attributes.

    These are devices of hardware and those whose other end is in another namespace, without what is
    plugged into a bridge of this one; where there are none, what a program outside serves (tun, tap).
    """
    links = list(_links(messages))
    bridges = {link.number for link in links if link.kind == "bridge"}
    ends = {link.name for link in links if link.leads_elsewhere and link.master not in bridges}
    served = {link.name for link in links if link.kind == "tun" and link.master not in bridges}
    return frozenset(ends or served)


def _links(messages: Iterable[tuple[int, bytes]]) -> Iterator[_Link]:
    for message, body in messages:
        if message != _RTM_NEWLINK or len(body) < _LINK.size:
            continue
        _, _, index, flags, _ = _LINK.unpack_from(body)
        told = rtnetlink.attributes(_WHAT, body[_LINK.size :])
        about = rtnetlink.attributes(_WHAT, told.get(_IFLA_LINKINFO, b""))
        kind = _word(about.get(_IFLA_INFO_KIND))
        leads = not flags & _IFF_LOOPBACK and (not kind or _IFLA_LINK_NETNSID in told)
        master = int.from_bytes(told.get(_IFLA_MASTER, b""), sys.byteorder)
        yield _Link(_word(told.get(_IFLA_IFNAME)), index, master, kind, leads)


def _word(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode("utf-8", "backslashreplace")


def parse(text: str | None) -> dict[str, Sides]:
    """The devices in ``net/dev`` by name (``dev_seq_printf_stats``)."""
    found: dict[str, Sides] = {}
    for line in (text or "").splitlines():
        name, colon, rest = line.rpartition(":")
        words = rest.split()
        if colon and len(words) >= 12 and all(map(_is_number, words[:12])):
            # After packets, errors and drops each side has four figures more.
            found[name.strip()] = Sides(*map(int, words[:4]), *map(int, words[8:12]))
    return found


def _is_number(word: str) -> bool:
    return word.isdecimal() and len(word) <= 20
