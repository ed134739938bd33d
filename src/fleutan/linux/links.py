# SPDX-License-Identifier: Apache-2.0
"""The devices of a network namespace, and which lie above which: bridges, bonds, VLANs and the like.

Asks rtnetlink (RTM_GETLINK) in the calling thread's namespace.  Tunnels are not among them: what
they send below is another flow.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fleutan.linux import rtnetlink

_WHAT = "devices"
#: include/uapi/linux/rtnetlink.h
_RTM_NEWLINK, _RTM_GETLINK = 16, 18
#: include/uapi/linux/if_link.h
_IFLA_IFNAME, _IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_LINK_NETNSID = 3, 5, 10, 18, 37
_IFLA_INFO_KIND = 1
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
#: Kinds of devices that pass the packets of their IFLA_LINK on as they are; veth's is its other end.
_ABOVE = ("vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec")

Uppers = Mapping[int, frozenset[int]]


def uppers() -> dict[int, frozenset[int]]:
    """For each device by its index those above it, directly or not; only devices that have any.

    Raises FleutanError where the kernel does not tell.
    """
    answer = rtnetlink.dump(_WHAT, _RTM_GETLINK, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
    return closed([pair for kind, body in answer if kind == _RTM_NEWLINK for pair in pairs(body)])


def pairs(body: bytes) -> list[tuple[int, int]]:
    """Device below and device above, as a message RTM_NEWLINK tells them (at most two).

    Raises FleutanError for what are no whole attributes.
    """
    if len(body) < _LINK.size:
        return []
    _, _, index, _, _ = _LINK.unpack_from(body)
    attributes = rtnetlink.attributes(_WHAT, body[_LINK.size :])
    found = []
    if master := _number(attributes.get(_IFLA_MASTER)):
        found.append((index, master))
    about = rtnetlink.attributes(_WHAT, attributes.get(_IFLA_LINKINFO, b""))
    kind = about.get(_IFLA_INFO_KIND, b"").rstrip(b"\0").decode("ascii", "replace")
    below = _number(attributes.get(_IFLA_LINK))
    if kind in _ABOVE and below and _IFLA_LINK_NETNSID not in attributes:
        found.append((below, index))
    return found


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", sys.byteorder)


def closed(found: Iterable[tuple[int, int]]) -> dict[int, frozenset[int]]:
    """The pairs with what follows from them: what lies above one above is above too."""
    direct: dict[int, set[int]] = {}
    for below, above in found:
        direct.setdefault(below, set()).add(above)

    def all_above(index: int, seen: frozenset[int]) -> set[int]:
        nearest = direct.get(index, set()) - seen
        return nearest.union(*(all_above(one, seen | nearest | {index}) for one in nearest))

    return {index: frozenset(all_above(index, frozenset())) - {index} for index in direct}


class Device(NamedTuple):
    """A device's name, what made it (IFLA_INFO_KIND; empty where it has hardware of its own), its IFF_* flags."""

    name: str
    kind: str
    flags: int


def devices() -> dict[int, Device]:
    """Every device by its index.  Raises FleutanError where the kernel does not tell."""
    answer = rtnetlink.dump(_WHAT, _RTM_GETLINK, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
    return dict(device(body) for kind, body in answer if kind == _RTM_NEWLINK and len(body) >= _LINK.size)


def device(body: bytes) -> tuple[int, Device]:
    """Index and device of a message RTM_NEWLINK.  Raises FleutanError for what are no whole attributes."""
    _, _, index, flags, _ = _LINK.unpack_from(body)
    attributes = rtnetlink.attributes(_WHAT, body[_LINK.size :])
    about = rtnetlink.attributes(_WHAT, attributes.get(_IFLA_LINKINFO, b""))
    return index, Device(_text(attributes.get(_IFLA_IFNAME)), _text(about.get(_IFLA_INFO_KIND)), flags)


def _text(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode("utf-8", "replace")
