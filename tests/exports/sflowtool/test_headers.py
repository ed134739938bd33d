# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from tests.exports.sflowtool.received import PACKET

from fleutan.exports.sflowtool.headers import Headers, headers
from fleutan.protocols.spans import joined

IPV6 = bytes.fromhex("62812345 0014 06 3c") + bytes(15) + b"\1" + bytes(15) + b"\2"
SIX = PACKET[:12] + b"\x86\xdd" + IPV6 + PACKET[34:]


def read(packet: bytes, kind: int = 1, size: int = 60) -> Headers:
    """What a header says beside a usual one, which says that it is usual."""
    spans = joined([packet, PACKET])
    found = headers(spans, np.array([kind, 1]), np.array([size, size]))
    assert not found.odd[1]
    return found


def said(packet: bytes, *names: str, kind: int = 1) -> list[int]:
    found = read(packet, kind)
    assert not found.odd[0]
    return [int(found.columns[name][0]) for name in names]


def test_a_usual_packet() -> None:
    assert said(PACKET, "type", "protocol", "tos", "ttl", "sport", "dport", "flags", "ip_size") == [
        *(0x0800, 6, 0x28, 64, 1234, 443, 0x12, 46)
    ]
    assert said(SIX, "type", "protocol", "tos", "ttl", "dport", "ip_size") == [0x86DD, 6, 0x28, 60, 443, 46]


def test_the_last_tag_counts() -> None:
    tag = bytes.fromhex("8100 6064")
    one, two = PACKET[:12] + tag + PACKET[12:], PACKET[:12] + bytes.fromhex("88a8 0007") + tag + PACKET[12:]
    assert said(one, "in_vlan", "type", "ip_size") == [100, 0x0800, 42]
    assert said(two, "in_vlan", "type", "ip_size") == [100, 0x0800, 38]
    assert read(one).tagged.tolist() == [True, False]
    assert read(PACKET[:12] + tag * 3 + PACKET[12:]).odd[0]


def test_what_sflowtool_does_not_read_is_hidden() -> None:
    labelled = PACKET[:12] + bytes.fromhex("8847 00064140") + PACKET[14:]
    assert said(labelled, "type", "protocol", "sport", "ip_size") == [0x8847, 0, 0, 0]
    assert not read(labelled).columns["ends_known"][0]
    sctp = PACKET[:23] + bytes([132]) + PACKET[24:]
    assert said(sctp, "protocol", "sport", "dport") == [132, 0, 0]
    assert said(PACKET[14:], "type", "protocol", kind=5) == [0, 0]


def test_ip_may_come_first() -> None:
    assert said(PACKET[14:], "type", "protocol", "dport", "ip_size", kind=11) == [0, 6, 443, 60]
    assert said(SIX[14:], "type", "protocol", "dport", "ip_size", kind=12) == [0, 6, 443, 60]


def test_types_of_icmp_stand_where_ports_do() -> None:
    ping = PACKET[:23] + b"\1" + PACKET[24:34] + bytes([8, 3]) + PACKET[36:]
    assert said(ping, "sport", "dport", "flags") == [8, 3, 0]
    six = SIX[:20] + bytes([58]) + SIX[21:54] + bytes([129, 0]) + SIX[56:]
    assert said(six, "sport", "dport") == [129, 0]


def test_later_fragments_have_no_ports() -> None:
    later = PACKET[:20] + b"\0\1" + PACKET[22:]
    assert said(later, "protocol", "sport", "dport") == [6, 0, 0]


@pytest.mark.parametrize(
    "packet",
    [
        PACKET[:19],
        PACKET[:12] + b"\0\x26" + PACKET[14:],
        PACKET[:12] + b"\6\0" + PACKET[14:],
        PACKET[:12] + bytes.fromhex("9300 0064") + PACKET[12:],
        PACKET[:14] + b"\x46" + PACKET[15:],
        PACKET[:14] + b"\x44" + PACKET[15:],
        PACKET[:30],
        SIX[:20] + b"\0" + SIX[21:],
        SIX[:40],
        PACKET[:16] + bytes([0, 33]) + PACKET[18:],
    ],
    ids=["short", "802.2", "IPX", "tag", "options", "no header", "cut 4", "extension", "cut 6", "length"],
)
def test_what_tells_apart_is_odd(packet: bytes) -> None:
    assert read(packet).odd[0]


def test_wireless_frames_are_odd() -> None:
    assert read(PACKET, kind=15).odd[0]
