# SPDX-License-Identifier: Apache-2.0
"""What each device of a network namespace counts of itself (RTM_GETLINK, struct rtnl_link_stats64).

Asks rtnetlink in the calling thread's namespace.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

from fleutan.linux import rtnetlink

_WHAT = "devices"
#: include/uapi/linux/rtnetlink.h, if_link.h
_RTM_NEWLINK, _RTM_GETLINK = 16, 18
_IFLA_IFNAME, _IFLA_STATS64 = 3, 23
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
#: struct rtnl_link_stats64 as far as every kernel has it.
_STATS = struct.Struct("=23Q")
_RX, _TX = 0, 1


class Side(NamedTuple):
    """What one direction of a device counted since it was made; ``direction`` is rx or tx."""

    dev: str
    direction: str
    bytes: int
    packets: int
    errors: int
    dropped: int


def counters() -> list[Side]:
    """Both directions of every device.  Raises FleutanError where the kernel does not tell."""
    return sides(rtnetlink.dump(_WHAT, _RTM_GETLINK, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)))


def sides(messages: Iterable[tuple[int, bytes]]) -> list[Side]:
    """The same of messages by type and body; those without counters are passed over.

    Raises FleutanError for what are no whole attributes.
    """
    found: list[Side] = []
    for kind, body in messages:
        if kind == _RTM_NEWLINK and len(body) >= _LINK.size:
            found += _sides(rtnetlink.attributes(_WHAT, body[_LINK.size :]))
    return found


def _sides(told: dict[int, bytes]) -> list[Side]:
    stats = told.get(_IFLA_STATS64, b"")
    if len(stats) < _STATS.size:
        return []
    name = told.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode("utf-8", "replace")
    # packets, bytes, errors, dropped: receiving first in each pair; further rx_missed_errors, the 16th
    packets, octets, errors, dropped = zip(*[iter(_STATS.unpack_from(stats)[:8])] * 2, strict=True)
    missed = _STATS.unpack_from(stats)[15]
    return [
        Side(name, "rx", octets[_RX], packets[_RX], errors[_RX], dropped[_RX] + missed),
        Side(name, "tx", octets[_TX], packets[_TX], errors[_TX], dropped[_TX]),
    ]
