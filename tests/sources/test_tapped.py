# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import struct
from typing import Any

import pytest
from tests.linux.test_sampling import exchange, frame, frames, needs_raw

from fleutan.linux.sampling import OUTGOING, captured
from fleutan.sources import tapped
from fleutan.table import Table

MACS = bytes.fromhex("020000000001020000000002")
ARP, IPV4, LOOPBACK, NONE = 0x0806, 0x0800, 772, 0xFFFE
Row = dict[str, Any]


def ipv4(sport: int = 1000, dport: int = 53) -> bytes:
    udp = struct.pack("!4H", sport, dport, 8 + 4, 0) + b"data"
    ends = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2")
    return struct.pack("!BBHHHBBH", 0x45, 0x10, 20 + len(udp), 1, 0, 64, 17, 0) + ends + udp


def ethernet(payload: bytes | None = None, kind: int = IPV4) -> bytes:
    return MACS + kind.to_bytes(2, "big") + (ipv4() if payload is None else payload)


def made(*packets: bytes, **more: Any) -> Table:
    return tapped.table(captured(frames(*packets)), 10, **more)


def rows(*packets: bytes, **more: Any) -> list[Row]:
    table = made(*packets, **more)
    return [dict(zip(table.columns, row.values(), strict=True)) for row in table.rows()]


def test_a_packet_is_a_row_with_what_its_headers_say() -> None:
    (row,) = rows(frame(ethernet(), 1500, ifindex=3), dropped=4)
    expected = {
        "proto": "udp",
        "src": "192.0.2.1",
        "sport": 1000,
        "dst": "192.0.2.2",
        "dport": 53,
        "ttl": 64,
        "tos": 16,
    }
    expected |= {"src_mac": "02:00:00:00:00:02", "dst_mac": "02:00:00:00:00:01", "ethertype": IPV4}
    expected |= {"bytes": 1500, "packets": 1, "sampling_rate": 10, "sampler_drops": 4}
    expected |= {"in_if": 3, "out_if": None, "direction": "rx"}
    expected |= {"time": 5_000_000_007, "received": 5_000_000_007, "end": 5_000_000_007}
    expected |= {"header": ethernet(), "link_type": 1}
    assert {name: row[name] for name in expected} == expected


def test_what_this_host_sends_goes_out() -> None:
    (row,) = rows(frame(ethernet(), pkttype=OUTGOING))
    assert (row["direction"], row["in_if"], row["out_if"]) == ("tx", None, 2)


def test_a_tag_that_the_device_took_off_is_in_the_header_again() -> None:
    plain, tagged = rows(frame(ethernet()), frame(ethernet(), tag=(0x8100, 5), status=1 | 16))
    assert (plain["vlan"], tagged["vlan"]) == (None, 5)
    assert tagged["header"] == MACS + bytes.fromhex("81000005") + ethernet()[12:]
    assert tagged["dport"] == 53
    (short,) = rows(frame(MACS[:8], tag=(0x8100, 5), status=1 | 16))
    assert short["header"] == MACS[:8]


def test_a_device_without_a_link_header_gives_ip() -> None:
    (row,) = rows(frame(ipv4(), mac=80, net=80, hatype=NONE))
    assert (row["link_type"], row["header"], row["dport"]) == (101, ipv4(), 53)


def test_what_has_another_link_header_and_is_no_ip_is_left_out() -> None:
    assert rows(frame(b"x" * 40, hatype=NONE, protocol=ARP)) == []
    (row,) = rows(frame(ethernet(b"x" * 28, ARP), protocol=ARP))
    assert row["ethertype"] == ARP
    assert "proto" not in row


def test_on_loopback_and_on_stacked_devices_a_packet_is_taken_once() -> None:
    both = [frame(ethernet(), hatype=LOOPBACK, pkttype=kind) for kind in (OUTGOING, 0)]
    assert [row["direction"] for row in rows(*both)] == ["rx"]
    stacked = [frame(ethernet(), ifindex=index) for index in (2, 7)]
    assert [row["in_if"] for row in rows(*stacked, above={2: frozenset({7})})] == [7]


def test_a_frame_that_lies_about_where_it_begins_stays_within_itself() -> None:
    for packet in (frame(b"", mac=66, net=9_999, hatype=NONE), frame(b"x", net=9_999, hatype=NONE, kept=9_999)):
        (row,) = rows(packet)
        assert row["header"] == b""


def test_no_packets_are_no_rows() -> None:
    assert len(tapped.table(captured(frames(frame(b""))[:0]), 1)) == 0


@needs_raw
def test_packets_of_this_host() -> None:
    with tapped.sampling(64, 1) as sampling:
        port = exchange(3)
        found = [row for row in tapped.table(sampling.read(), 1, above=tapped.uppers()).rows() if row["dport"] == port]
    assert [(row["src"], row["proto"], row["bytes"]) for row in found] == [("127.0.0.1", "udp", 14 + 20 + 8 + 100)] * 3


@pytest.mark.parametrize("snaplen", [1, 20, 40])
def test_however_little_is_kept(snaplen: int) -> None:
    (row,) = rows(frame(ethernet()[:snaplen], 60))
    assert row["header"] == ethernet()[:snaplen]
    assert row["bytes"] == 60
