# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

from tests.protocols.netflow.making import SECONDS, UPTIME_MS, read, record_5, v5

from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.messages import messages
from fleutan.protocols.netflow.wire.fixed import LAYOUTS

ENDS = {
    "sourceIPv4Address": "10.0.0.1",
    "destinationIPv4Address": "10.0.0.2",
    "ipNextHopIPv4Address": "10.0.0.254",
    "ingressInterface": 1,
    "egressInterface": 2,
    "packetDeltaCount": 3,
    "octetDeltaCount": 100,
    "flowStartSysUpTime": UPTIME_MS - 2000,
    "flowEndSysUpTime": UPTIME_MS - 500,
    "sourceTransportPort": 1234,
    "destinationTransportPort": 80,
    "protocolIdentifier": 6,
    "ipClassOfService": 4,
    "tcpControlBits": 0x12,
}
LATER = {
    "bgpSourceAsNumber": 65001,
    "bgpDestinationAsNumber": 65002,
    "sourceIPv4PrefixLength": 24,
    "destinationIPv4PrefixLength": 16,
}


def test_records_have_the_sizes_of_the_format() -> None:
    assert {version: layout.size for version, layout in LAYOUTS.items()} == {1: 52, 5: 48, 7: 52}


def test_version_5() -> None:
    state = State()
    (message,) = messages(read(v5(record_5()), state=state), state)
    assert (message.template, message.options) == (0, False)
    assert message.fields == ENDS | LATER


def test_version_7_has_the_router_behind() -> None:
    header = struct.pack("!HHIIIII", 7, 1, UPTIME_MS, SECONDS, 0, 0, 0)
    state = State()
    (message,) = messages(read(header + record_5() + bytes([10, 0, 0, 9]), state=state), state)
    assert message.fields == ENDS | LATER | {"ipv4RouterSc": "10.0.0.9"}


def test_version_1() -> None:
    record = record_5()[:36] + struct.pack("!xxBBB", 6, 4, 0x12) + bytes(11)
    state = State()
    (message,) = messages(read(struct.pack("!HHIII", 1, 1, UPTIME_MS, SECONDS, 0) + record, state=state), state)
    assert message.fields == ENDS
