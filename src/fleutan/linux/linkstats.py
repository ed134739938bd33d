# SPDX-License-Identifier: Apache-2.0
"""What network devices counted, and ports of bonds of LACP (RTM_GETSTATS, Linux 4.7).

Asks rtnetlink in the calling thread's namespace.  Of a few devices each is asked for by itself,
of many all are: a device costs some 3 us then, of which the kernel takes half.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Collection, Iterable
from typing import NamedTuple

from fleutan.linux import rtnetlink

_WHAT = "counters of devices"
#: include/uapi/linux/rtnetlink.h, if_link.h, if_bonding.h
_RTM_NEWSTATS, _RTM_GETSTATS = 92, 94
_IFLA_STATS_LINK_64, _IFLA_STATS_LINK_XSTATS_SLAVE = 1, 3
_LINK_XSTATS_TYPE_BOND, _BOND_XSTATS_3AD = 2, 1
_COUNTERS = 1 << _IFLA_STATS_LINK_64 - 1
_OF_PORT = 1 << _IFLA_STATS_LINK_XSTATS_SLAVE - 1
_MESSAGE = struct.Struct("=B3xII")  # if_stats_msg: family, ifindex, filter_mask
#: struct rtnl_link_stats64 as far as every kernel has it.
_STATS = struct.Struct("=23Q")
#: Asking for each by itself costs about four times as much as its part of a dump.
_SHARE = 4


class Lacp(NamedTuple):
    """Packets of LACP that a port of a bond received and sent (BOND_3AD_STAT_*, Linux 5.1), in their order."""

    lacpdu_rx: int | None = None
    lacpdu_tx: int | None = None
    lacpdu_unknown_rx: int | None = None
    lacpdu_illegal_rx: int | None = None
    marker_rx: int | None = None
    marker_tx: int | None = None
    marker_resp_rx: int | None = None
    marker_resp_tx: int | None = None


class Stats(NamedTuple):
    """What a device counted since it was made (struct rtnl_link_stats64)."""

    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_errors: int
    tx_errors: int
    rx_dropped: int
    tx_dropped: int
    multicast: int
    rx_missed_errors: int
    lacp: Lacp | None = None


def of(wanted: Collection[int], present: int, ports: Collection[int] = ()) -> dict[int, Stats]:
    """Counters by index of those wanted, of ``present`` devices in all; of one that is gone there are none.

    ``ports`` are those of bonds among them, whose LACP is told too.  Raises FleutanError or OSError
    where the kernel does not tell.
    """
    asked_for = frozenset(wanted)
    ports = asked_for.intersection(ports)
    alone = asked_for if len(asked_for) * _SHARE < present else ports
    found: dict[int, Stats] = {}
    if alone is not asked_for:
        everything = rtnetlink.dump(_WHAT, _RTM_GETSTATS, _MESSAGE.pack(socket.AF_UNSPEC, 0, _COUNTERS))
        found = {index: one for index, one in stats(everything).items() if index in asked_for}
    bodies = [
        _MESSAGE.pack(socket.AF_UNSPEC, index, _COUNTERS | _OF_PORT if index in ports else _COUNTERS) for index in alone
    ]
    return found | stats(rtnetlink.answers(_WHAT, _RTM_GETSTATS, bodies))


def stats(messages: Iterable[tuple[int, bytes]]) -> dict[int, Stats]:
    """Counters by index, of messages by type and body; those without counters are passed over.

    Raises FleutanError for what are no whole attributes.
    """
    found = {}
    for kind, body in messages:
        if kind == _RTM_NEWSTATS and len(body) >= _MESSAGE.size:
            told = rtnetlink.attributes(_WHAT, body[_MESSAGE.size :])
            counted = told.get(_IFLA_STATS_LINK_64, b"")
            if len(counted) >= _STATS.size:
                values = _STATS.unpack_from(counted)
                one = Stats._make((*values[:9], values[15], None))
                if _IFLA_STATS_LINK_XSTATS_SLAVE in told:
                    one = one._replace(lacp=_lacp(told[_IFLA_STATS_LINK_XSTATS_SLAVE]))
                found[_MESSAGE.unpack_from(body)[1]] = one
    return found


def _lacp(data: bytes) -> Lacp | None:
    by_type = rtnetlink.attributes(_WHAT, data)
    of_bond = rtnetlink.attributes(_WHAT, by_type.get(_LINK_XSTATS_TYPE_BOND, b""))
    told = rtnetlink.attributes(_WHAT, of_bond.get(_BOND_XSTATS_3AD, b""))
    if not told:
        return None
    places = range(len(Lacp._fields))
    return Lacp(*(int.from_bytes(told[place], sys.byteorder) if place in told else None for place in places))
