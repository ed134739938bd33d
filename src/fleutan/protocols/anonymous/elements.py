# SPDX-License-Identifier: Apache-2.0
"""What becomes of NetFlow's and IPFIX's information elements when nobody is to be known by them.

What lives here decides by element and knows no record.  Numbers stay but for those that are made
of addresses or tell where they are; what is unknown, or octets, goes.
"""

from __future__ import annotations

from enum import Enum

from fleutan.protocols.netflow.elements import Element


class Fate(Enum):
    """What becomes of a field."""

    KEPT = "kept"
    ADDRESS = "address"
    MAC = "mac"
    TEXT = "text"
    PACKET = "packet"
    GONE = "gone"


#: Sections of packets, and what they begin with (sFlow's ``header_protocol``).
SECTIONS = {
    "dataLinkFrameSection": 1,
    "layer2packetSectionData": 1,
    "ipHeaderPacketSection": 10,
    "mplsLabelStackSection": 13,
}
#: Octets that are numbers: labels of MPLS, and what application a classification engine found.
_KEPT = frozenset(
    (
        "applicationId",
        "mplsTopLabelStackSection",
        *(f"mplsLabelStackSection{place}" for place in range(2, 11)),
    )
)
#: Octets that are mostly the exporter's address (RFC 3954 6.1).
_ADDRESSES = frozenset(("scopeSystem",))
#: Numbers that are made of addresses, by which these can be found, and where those are on the map.
_GONE = frozenset(
    (
        *("digestHashValue", "transportChecksum", "yafFlowKeyHash", "payloadHash"),
        *("ixiaSrcLatitude", "ixiaSrcLongitude", "ixiaDstLatitude", "ixiaDstLongitude"),
        *("srcIpLong", "srcIpLat", "dstIpLong", "dstIpLat"),
    )
)
_NUMBERS = frozenset(
    (
        *(f"{kind}{bits}" for kind in "ui" for bits in (8, 16, 32, 64)),
        *("f32", "f64", "bool", "s", "ms", "us", "ns"),
    )
)
#: More octets than a number has.
LONGEST = 8


def fate(element: Element) -> Fate:
    """What becomes of this element's values."""
    if element.name in SECTIONS:
        return Fate.PACKET
    if element.type in ("ip4", "ip6") or element.name in _ADDRESSES:
        return Fate.ADDRESS
    if element.type == "mac":
        return Fate.MAC
    if element.type == "text":
        return Fate.TEXT
    kept = (element.type in _NUMBERS or element.name in _KEPT) and element.name not in _GONE
    return Fate.KEPT if kept else Fate.GONE
