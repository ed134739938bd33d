# SPDX-License-Identifier: Apache-2.0
"""The kinds of headers, and the numbers by which one header names the next.

What lives here reads nothing.  sFlow version 5 section 5.3 (``header_protocol``), IEEE's and
IANA's registries of ethertypes, PPP, protocol and port numbers, tcpdump.org's of link types.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.packet.names import Layer

#: A number of ``Kind`` a row.
Codes: TypeAlias = NDArray[np.uint8]


class Kind(IntEnum):
    """What begins where a row stands.  Lower numbers are walked first."""

    END = 0  # nothing that is read
    ETHERNET = 1
    SLL = 2
    SLL2 = 3
    LLC = 4
    TAG = 5
    PPPOE = 6
    PPPOE_DISCOVERY = 7
    PPP = 8
    NULL = 9
    MPLS = 10
    IP = 16  # of the version that its first bits say
    IPV4 = 17
    IPV6 = 18
    EXTENSION = 19
    FRAGMENT = 20
    AUTHENTICATION = 21
    ARP = 22
    TCP = 32
    UDP = 33
    UDP_LITE = 34
    SCTP = 35
    DCCP = 36
    ICMP = 37
    ESP = 38
    PSEUDOWIRE = 48
    IPV4_INSIDE = 49
    IPV6_INSIDE = 50
    ETHERNET_INSIDE = 51
    ETHER_IP = 52
    MPLS_INSIDE = 53
    GRE = 54
    ERSPAN2 = 55
    ERSPAN3 = 56
    VXLAN = 57
    VXLAN_GPE = 58
    GENEVE = 59
    GTP_U = 60


_FIRST_OF_LAYERS: Final = ((Kind.PSEUDOWIRE, Layer.TUNNEL), (Kind.TCP, Layer.TRANSPORT), (Kind.IP, Layer.NETWORK))


def layer_of(kind: int) -> Layer:
    """The layer of which a kind gives names."""
    return next((layer for first, layer in _FIRST_OF_LAYERS if kind >= first), Layer.LINK)


#: Added to a link type of capture files it makes a number beside those of sFlow.
LINK_TYPE: Final = 1 << 16

#: How a packet begins, by sFlow's number of it or by ``LINK_TYPE`` and the link type.
BEGINNINGS: Final[Mapping[int, Kind]] = {
    1: Kind.ETHERNET,
    7: Kind.PPP,
    9: Kind.LLC,
    10: Kind.IP,
    11: Kind.IPV4,
    12: Kind.IPV6,
    13: Kind.MPLS,
    14: Kind.PPP,
    LINK_TYPE + 0: Kind.NULL,
    LINK_TYPE + 9: Kind.PPP,
    LINK_TYPE + 50: Kind.PPP,
    LINK_TYPE + 51: Kind.PPPOE,
    LINK_TYPE + 101: Kind.IP,
    LINK_TYPE + 104: Kind.PPP,
    LINK_TYPE + 108: Kind.NULL,
    LINK_TYPE + 113: Kind.SLL,
    LINK_TYPE + 276: Kind.SLL2,
}


def _lookup(size: int, table: Mapping[int, Kind]) -> Codes:
    codes = np.zeros(size, np.uint8)
    codes[list(table)] = list(table.values())
    return codes


#: From here on a type is a type; up to 1500 it is the length of an 802.2 frame.
FIRST_TYPE: Final = 0x0600
_TYPES: Final = {
    0x0800: Kind.IPV4,
    0x0806: Kind.ARP,
    0x86DD: Kind.IPV6,
    0x8100: Kind.TAG,
    0x88A8: Kind.TAG,
    0x9100: Kind.TAG,
    0x9200: Kind.TAG,
    0x8847: Kind.MPLS,
    0x8848: Kind.MPLS,
    0x8863: Kind.PPPOE_DISCOVERY,
    0x8864: Kind.PPPOE,
}
#: What follows an ethertype, ``(65536,)``.
ETHERTYPES: Final = _lookup(1 << 16, dict.fromkeys(range(1501), Kind.LLC) | _TYPES)
#: What follows the protocol type of GRE, Geneve and the like, at the level inside.
INSIDE: Final = _lookup(1 << 16, _TYPES | {0x6558: Kind.ETHERNET, 0x880B: Kind.PPP})
PPP_PROTOCOLS: Final = _lookup(1 << 16, {0x0021: Kind.IPV4, 0x0057: Kind.IPV6, 0x0281: Kind.MPLS, 0x0283: Kind.MPLS})

_UPPER: Final = {
    1: Kind.ICMP,
    4: Kind.IPV4_INSIDE,
    6: Kind.TCP,
    17: Kind.UDP,
    33: Kind.DCCP,
    41: Kind.IPV6_INSIDE,
    47: Kind.GRE,
    50: Kind.ESP,
    51: Kind.AUTHENTICATION,
    58: Kind.ICMP,
    97: Kind.ETHER_IP,
    132: Kind.SCTP,
    136: Kind.UDP_LITE,
    137: Kind.MPLS_INSIDE,
    143: Kind.ETHERNET_INSIDE,
}
#: What follows a protocol number of IPv4, and a next header of IPv6, ``(256,)``.
PROTOCOLS: Final = _lookup(256, _UPPER)
NEXT_HEADERS: Final = _lookup(
    256, _UPPER | {0: Kind.EXTENSION, 43: Kind.EXTENSION, 44: Kind.FRAGMENT, 60: Kind.EXTENSION}
)
#: What a destination port of UDP suggests, ``(65536,)``; 8472 is what Linux took before 4789 was assigned.
PORTS: Final = _lookup(
    1 << 16,
    {
        2152: Kind.GTP_U,
        4789: Kind.VXLAN,
        4790: Kind.VXLAN_GPE,
        6081: Kind.GENEVE,
        8472: Kind.VXLAN,
    },
)
#: VXLAN-GPE's own numbers of what is inside.
GPE_PROTOCOLS: Final = _lookup(256, {1: Kind.IPV4, 2: Kind.IPV6, 3: Kind.ETHERNET, 5: Kind.MPLS})
#: What begins with these four bits, where nothing else tells.
NIBBLES: Final = _lookup(16, {4: Kind.IPV4, 6: Kind.IPV6})


def beginnings(kinds: NDArray[np.int64]) -> Codes:
    """The kind of each row's first header: END for numbers that are not in ``BEGINNINGS``."""
    codes = np.zeros(len(kinds), np.uint8)
    for number, kind in BEGINNINGS.items():
        codes[kinds == number] = kind
    return codes
