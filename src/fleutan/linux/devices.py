# SPDX-License-Identifier: Apache-2.0
"""What network devices are: their names, states, kinds, and what they lie on (RTM_GETLINK).

Asks rtnetlink in the calling thread's namespace.  The counters that come with it are not looked at:
they are read in ``linkstats``.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

from fleutan.linux import rtnetlink

_WHAT = "devices"
#: include/uapi/linux/rtnetlink.h
_RTM_NEWLINK, _RTM_GETLINK = 16, 18
_RTEXT_FILTER_SKIP_STATS = 8
#: include/uapi/linux/if_link.h
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_IFALIAS = 1, 3, 5, 10, 18, 20
_COUNTERS = (7, 23)  # IFLA_STATS, IFLA_STATS64
_IFLA_EXT_MASK, _IFLA_PROMISCUITY, _IFLA_CARRIER_CHANGES, _IFLA_LINK_NETNSID, _IFLA_PARENT_DEV_NAME = 29, 30, 35, 37, 56
_IFLA_INFO_KIND, _IFLA_INFO_SLAVE_KIND, _IFLA_INFO_SLAVE_DATA = 1, 4, 5
_IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE, _IFLA_BOND_SLAVE_AD_PARTNER_OPER_PORT_STATE = 7, 8
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_ATTRIBUTE = struct.Struct("=HH")
#: What IPv6 counted is left out of the answer; what the device did is not (``inet6_fill_ifla6_attrs``).
_REQUEST = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + struct.pack("=HHI", 8, _IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS)

#: include/uapi/linux/if.h
IFF_UP, IFF_LOOPBACK, IFF_RUNNING = 0x1, 0x8, 0x40


class Device(NamedTuple):
    """A device; None for what it does not have.

    ``arphrd`` is the type of its hardware (ARPHRD_*), ``flags`` are IFF_*, ``kind`` is what the
    device is made by (None for hardware's and the loopback device).  ``link`` is the index of the
    device below it, or of the other end of a pair; ``elsewhere`` says that this one is in another
    namespace.  ``parent`` is the device on its bus (since Linux 5.14).  ``lacp`` are the states
    of this port and of its partner's (IEEE 802.1AX) in a bond.
    """

    ifindex: int
    name: str
    arphrd: int
    flags: int
    mac: bytes | None = None
    alias: str | None = None
    kind: str | None = None
    master: int | None = None
    link: int | None = None
    elsewhere: bool = False
    parent: str | None = None
    promiscuity: int = 0
    carrier_changes: int = 0
    slave_kind: str | None = None
    lacp: tuple[int | None, int | None] = (None, None)


def asked() -> Iterable[tuple[int, bytes]]:
    """Messages by type and body.  Raises FleutanError or OSError where the kernel does not tell."""
    return rtnetlink.dump(_WHAT, _RTM_GETLINK, _REQUEST)


class _Known(NamedTuple):
    """A device, what its message said before its counters, where those end, and what it said behind them."""

    device: Device
    head: bytes
    end: int
    tail: bytes

    def says(self, body: bytes) -> bool:
        return body.startswith(self.head) and body[self.end :] == self.tail


class Listing:
    """The devices that there are, asked for again and again.

    What says the same as the time before, but for its counters, is not read anew, which would cost
    three times as much as to ask.
    """

    def __init__(self, ask: Callable[[], Iterable[tuple[int, bytes]]] = asked) -> None:
        self._ask = ask
        self._known: dict[int, _Known] = {}

    def read(self) -> dict[int, Device]:
        """Every device by its index.  Raises FleutanError or OSError where the kernel does not tell."""
        known, found = self._known, {}
        for kind, body in self._ask():
            if kind == _RTM_NEWLINK and len(body) >= _LINK.size:
                index = _LINK.unpack_from(body)[2]
                before = known.get(index)
                found[index] = before if before and before.says(body) else _read(body)
        self._known = found
        return {index: one.device for index, one in found.items()}


def _read(body: bytes) -> _Known:
    one = device(body)
    start, end = _counters(body)
    return _Known(one, body[:start], end, body[end:])


def _counters(body: bytes) -> tuple[int, int]:
    """Where in a message of whole attributes the counters begin and end: they stand together."""
    places = []
    at = _LINK.size
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if kind in _COUNTERS:
            places += [at, at + length]
        at += (length + 3) & ~3
    return (min(places), max(places)) if places else (len(body), len(body))


def device(body: bytes) -> Device:
    """The device that a message RTM_NEWLINK tells of.  Raises FleutanError for what are no whole attributes."""
    _, arphrd, index, flags, _ = _LINK.unpack_from(body)
    told = rtnetlink.attributes(_WHAT, body[_LINK.size :])
    about = rtnetlink.attributes(_WHAT, told.get(_IFLA_LINKINFO, b""))
    slave_kind = _text(about.get(_IFLA_INFO_SLAVE_KIND))
    return Device(
        index,
        _text(told.get(_IFLA_IFNAME)) or "",
        arphrd,
        flags,
        mac=told.get(_IFLA_ADDRESS) or None,
        alias=_text(told.get(_IFLA_IFALIAS)),
        kind=_text(about.get(_IFLA_INFO_KIND)),
        master=_number(told.get(_IFLA_MASTER)),
        link=_number(told.get(_IFLA_LINK)),
        elsewhere=_IFLA_LINK_NETNSID in told,
        parent=_text(told.get(_IFLA_PARENT_DEV_NAME)),
        promiscuity=_number(told.get(_IFLA_PROMISCUITY)) or 0,
        carrier_changes=_number(told.get(_IFLA_CARRIER_CHANGES)) or 0,
        slave_kind=slave_kind,
        lacp=_lacp(about.get(_IFLA_INFO_SLAVE_DATA, b"")) if slave_kind == "bond" else (None, None),
    )


def _lacp(data: bytes) -> tuple[int | None, int | None]:
    """Only a bond that speaks LACP tells them (``bond_fill_slave_info``)."""
    told = rtnetlink.attributes(_WHAT, data)
    places = (_IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE, _IFLA_BOND_SLAVE_AD_PARTNER_OPER_PORT_STATE)
    actor, partner = (int.from_bytes(told[place], sys.byteorder) if place in told else None for place in places)
    return actor, partner


def _text(value: bytes | None) -> str | None:
    return value.rstrip(b"\0").decode("utf-8", "replace") or None if value else None


def _number(value: bytes | None) -> int | None:
    return int.from_bytes(value or b"", sys.byteorder) or None
