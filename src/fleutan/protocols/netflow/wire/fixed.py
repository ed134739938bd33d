# SPDX-License-Identifier: Apache-2.0
"""The records of NetFlow versions 1, 5 and 7, which have no templates, as if they had.

Fields have the names of IPFIX; octets that mean nothing are ``paddingOctets``.

Cisco, "NetFlow Export Datagram Formats": tables B-4 (version 1), B-6 (5) and B-8 (7).
"""

from __future__ import annotations

from fleutan.protocols.netflow.elements import named
from fleutan.protocols.netflow.wire.templates import Field, Layout, arranged

_BEGINNING = (
    ("sourceIPv4Address", 4),
    ("destinationIPv4Address", 4),
    ("ipNextHopIPv4Address", 4),
    ("ingressInterface", 2),
    ("egressInterface", 2),
    ("packetDeltaCount", 4),
    ("octetDeltaCount", 4),
    ("flowStartSysUpTime", 4),
    ("flowEndSysUpTime", 4),
    ("sourceTransportPort", 2),
    ("destinationTransportPort", 2),
)
_ENDING = (
    ("tcpControlBits", 1),
    ("protocolIdentifier", 1),
    ("ipClassOfService", 1),
    ("bgpSourceAsNumber", 2),
    ("bgpDestinationAsNumber", 2),
    ("sourceIPv4PrefixLength", 1),
    ("destinationIPv4PrefixLength", 1),
)
_RECORDS = {
    1: (
        *_BEGINNING,
        ("paddingOctets", 2),
        ("protocolIdentifier", 1),
        ("ipClassOfService", 1),
        ("tcpControlBits", 1),
        ("paddingOctets", 11),
    ),
    5: (*_BEGINNING, ("paddingOctets", 1), *_ENDING, ("paddingOctets", 2)),
    7: (*_BEGINNING, ("paddingOctets", 1), *_ENDING, ("paddingOctets", 2), ("ipv4RouterSc", 4)),
}
LAYOUTS: dict[int, Layout] = {
    version: arranged(tuple(Field(named(name), size, False) for name, size in fields))
    for version, fields in _RECORDS.items()
}
