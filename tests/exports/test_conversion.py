# SPDX-License-Identifier: Apache-2.0
"""What is written is read again by this project's own decoder; other programs' see ``programs/decoding``."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from tests.protocols.netflow.capturing import datagrams as received

from fleutan.exports.conversion import (
    NO_ADDRESSES,
    NO_TEMPLATE,
    NOT_IPV4,
    REFRESH_DATAGRAMS,
    REFRESH_NS,
    Conversion,
    for_netflow,
)
from fleutan.protocols.netflow.encoding import MTU, SHAPES
from fleutan.records import Records
from fleutan.sources.exported import Exporters, decoded, table

NOW_NS = 1_700_000_000_123_000_000
MAPPED = 0xFFFF << 32
SIX = 0x2001_0DB8 << 32
VERSIONS = (5, 9, 10)


def records(rows: int = 1, **more: Any) -> Records:
    """Sampled packets of TCP, a frame of 1514 octets each, under the catalogue's names."""
    same = {
        "proto": 6,
        "sport": 1234,
        "dport": 443,
        "packets": 1,
        "bytes": 1518,
        "ip_bytes": 1500,
        "tcp_flags": 0x18,
        "tos": 32,
        "in_if": 3,
        "out_if": 4,
        "src_as": 64512,
        "dst_as": 65001,
        "sampling_rate": 400,
        "received": NOW_NS,
        "vlan": 7,
        "src_mask": 24,
        "dst_mask": 16,
    }
    values: dict[str, Any] = {name: np.full(rows, value) for name, value in same.items()}
    values["src"] = np.stack((np.zeros(rows, np.int64), MAPPED | 0x0A000000 + np.arange(rows)), 1)
    values["dst"] = np.stack((np.zeros(rows, np.int64), np.full(rows, MAPPED | 0x0B000001)), 1)
    values["next_hop"] = values["dst"]
    values["exporter"] = np.stack((np.zeros(rows, np.int64), np.full(rows, MAPPED | 0x7F000001)), 1)
    values |= {name: np.array(column) for name, column in more.items()}
    return Records(rows, values, {})


def read(*strings: bytes) -> list[dict[str, Any]]:
    return list(table(decoded(received(*strings, at_ns=NOW_NS), Exporters())).rows())


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_sent_is_what_was_sampled(version: int) -> None:
    row = read(*Conversion(version).datagrams(records(), NOW_NS))[0]
    assert row["protocol"] == {5: "netflow-5", 9: "netflow-9", 10: "ipfix"}[version]
    assert (row["packets"], row["bytes"], row["sampling_rate"]) == (400, 600_000, None)
    ends = ("proto", "src", "sport", "dst", "dport")
    assert [row[name] for name in ends] == ["tcp", "10.0.0.0", 1234, "11.0.0.1", 443]
    routed = ("in_if", "out_if", "next_hop", "src_mask", "dst_mask", "src_as", "dst_as")
    assert [row[name] for name in routed] == [3, 4, "11.0.0.1", 24, 16, 64512, 65001]
    assert (row["tcp_flags"], row["tos"]) == (0x18, 32)
    assert (row.get("vlan"), row["agent"]) == ((None, None) if version == 5 else (7, "127.0.0.1"))


@pytest.mark.parametrize("version", VERSIONS)
def test_without_scaling_the_rate_is_told(version: int) -> None:
    rates = [400, 400, 1, 0, 400]
    conversion = Conversion(version, scale=False)
    given = records(5, sampling_rate=rates)
    given.known["sampling_rate"] = np.array([True, True, True, True, False])
    rows = sorted(read(*conversion.datagrams(given, NOW_NS)), key=lambda row: str(row["src"]))
    assert [row["packets"] for row in rows] == [1] * 5
    assert [row["bytes"] for row in rows] == [1500] * 5
    assert [row["sampling_rate"] for row in rows] == [400, 400, 1, None, None]
    assert not conversion.saturated


def test_version_5_cannot_tell_every_rate() -> None:
    conversion = Conversion(5, scale=False)
    rows = read(*conversion.datagrams(records(2, sampling_rate=[100_000, 5]), NOW_NS))
    assert sorted(row["sampling_rate"] for row in rows) == [5, 16_383]
    assert conversion.saturated == {"sampling_rate": 1}


def test_what_is_too_large_saturates_and_is_counted() -> None:
    conversion = Conversion(5)
    given = records(2, in_if=[70_000, 1], src_as=[4_200_000_000, 1], sampling_rate=[1 << 32, 1])
    rows = read(*conversion.datagrams(given, NOW_NS))
    assert [(row["in_if"], row["src_as"], row["packets"]) for row in rows] == [(65535, 23456, 0xFFFF_FFFF), (1, 1, 1)]
    assert conversion.saturated == {"in_if": 1, "src_as": 1, "packets": 1, "bytes": 1}
    wide = read(*Conversion(10).datagrams(given, NOW_NS))
    assert [(row["in_if"], row["src_as"], row["packets"]) for row in wide] == [
        (70_000, 4_200_000_000, 1 << 32),
        (1, 1, 1),
    ]


def test_products_saturate_too() -> None:
    flows = for_netflow(records(2, ip_bytes=[1 << 62, 3], sampling_rate=[4, 4]), 10, scale=True)
    assert flows.values["bytes"].tolist() == [(1 << 63) - 1, 12]
    assert "sampling_rate" not in flows.values


@pytest.mark.parametrize("version", VERSIONS)
def test_ipv6_and_what_has_no_addresses(version: int) -> None:
    given = records(3)
    given.values["src"][1], given.values["dst"][1] = (SIX, 1), (SIX, 2)
    given.known["dst"] = np.array([True, True, False])
    conversion = Conversion(version)
    rows = read(*conversion.datagrams(given, NOW_NS))
    six = [] if version == 5 else ["2001:db8::1"]
    assert sorted(row["src"] for row in rows) == ["10.0.0.0", *six]
    assert conversion.left_out == {NO_ADDRESSES: 1, **({NOT_IPV4: 1} if version == 5 else {})}
    assert conversion.datagrams(Records(0, {}, {}), NOW_NS) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_icmp_has_its_type_and_code(version: int) -> None:
    given = records(2, icmp_type=[3, 0], icmp_code=[1, 0], proto=[1, 6], sport=[0, 1], dport=[0, 2])
    for name, known in (("icmp_type", [1, 0]), ("icmp_code", [1, 0]), ("sport", [0, 1]), ("dport", [0, 1])):
        given.known[name] = np.array(known, np.bool_)
    rows = sorted(read(*Conversion(version).datagrams(given, NOW_NS)), key=lambda row: str(row["proto"]))
    assert [(row["proto"], row["icmp_type"], row["icmp_code"], row["dport"]) for row in rows] == [
        ("icmp", 3, 1, None),
        ("tcp", None, None, 2),
    ]


def test_times_are_those_of_the_record_where_it_tells() -> None:
    given = records(3, end=[NOW_NS - 10**9, 0, 0], start=[NOW_NS - 5 * 10**9, 0, 0])
    given.known["end"], given.known["start"] = np.array([True, False, False]), np.array([True, False, False])
    for version in VERSIONS:
        found = table(decoded(received(*Conversion(version).datagrams(given, NOW_NS), at_ns=NOW_NS), Exporters()))
        starts, ends = (sorted(found.columns[name].values.tolist()) for name in ("start", "end"))
        assert starts == [NOW_NS - 5 * 10**9, NOW_NS, NOW_NS]
        assert ends == [NOW_NS - 10**9, NOW_NS, NOW_NS]


def test_the_agent_is_the_one_that_sampled() -> None:
    agent = np.array([[0, MAPPED | 0x0A090807], [0, 0]])
    given = records(2, agent=agent)
    given.known["agent"] = np.array([True, False])
    rows = sorted(read(*Conversion(9).datagrams(given, NOW_NS)), key=lambda row: str(row["src"]))
    assert [row["agent"] for row in rows] == ["10.9.8.7", "127.0.0.1"]


def test_flows_keep_their_counts_and_frames_lose_theirs() -> None:
    given = records(2, packets=[5, 1])
    given.known["ip_bytes"] = np.array([False, True])
    flows = for_netflow(given, 9, scale=False)
    assert flows.values["bytes"].tolist() == [1518, 1500]
    assert flows.values["packets"].tolist() == [5, 1]


@pytest.mark.parametrize("version", VERSIONS)
def test_ipfix_keeps_what_is_known_of_sockets(version: int) -> None:
    given = records(2, pid=[7, 8], rtt=[100, 200], comm=[b"curl", b"sshd"])
    (one, two) = read(*Conversion(version).datagrams(given, NOW_NS))
    expected = [(7, 100, "curl"), (8, 200, "sshd")] if version == 10 else [(None, None, None)] * 2
    assert [(row.get("pid"), row.get("rtt_us"), row.get("comm")) for row in (one, two)] == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_datagrams_are_full_and_in_sequence(version: int) -> None:
    conversion = Conversion(version)
    strings = conversion.datagrams(records(1000), NOW_NS) + conversion.datagrams(records(10), NOW_NS + 1)
    assert max(map(len, strings)) <= (1464 if version == 5 else MTU)
    assert len(strings) < 60
    found = decoded(received(*strings, at_ns=NOW_NS), Exporters())
    assert len(table(found)) == 1010
    assert found.netflow is not None
    numbers = [struct.unpack_from("!I", one, {5: 16, 9: 12, 10: 8}[version])[0] for one in strings]
    counts = [_counted(one, version) for one in strings]
    assert numbers == np.cumsum([0, *counts])[:-1].tolist()


def _counted(string: bytes, version: int) -> int:
    """What the sequence number counts of a datagram."""
    if version == 5:
        return int(struct.unpack_from("!H", string, 2)[0])
    return 1 if version == 9 else len(table(decoded(received(*_with_template(string)), Exporters())))


def _with_template(string: bytes) -> list[bytes]:
    return [Conversion(10).datagrams(records(), NOW_NS)[0], string]


def test_templates_come_again_by_number() -> None:
    conversion = Conversion(9)
    firsts = [_holds_templates(conversion.datagrams(records(), NOW_NS)[0]) for _ in range(3 * REFRESH_DATAGRAMS)]
    again = [number for number, one in enumerate(firsts) if one]
    assert again[0] == 0
    assert len(again) == 4
    assert max(np.diff(again)) <= REFRESH_DATAGRAMS


@pytest.mark.parametrize(
    ("later", "due"), [(0, False), (REFRESH_NS - 1, False), (REFRESH_NS, True), (-REFRESH_NS, True)]
)
def test_templates_come_again_by_time_even_if_the_clock_was_set_back(later: int, due: bool) -> None:
    conversion = Conversion(10)
    assert _holds_templates(conversion.datagrams(records(), NOW_NS)[0])
    assert _holds_templates(conversion.datagrams(records(), NOW_NS + later)[0]) == due


def _holds_templates(string: bytes) -> bool:
    at = 20 if string[1] == 9 else 16
    return int(struct.unpack_from("!H", string, at)[0]) in (0, 2)


def test_more_kinds_than_templates_are_counted() -> None:
    rows = SHAPES + 10
    given = records(rows)
    for place, name in enumerate(
        ("sport", "dport", "proto", "tcp_flags", "tos", "in_if", "out_if", "src_as", "dst_as")
    ):
        given.known[name] = np.arange(rows) >> place & 1 == 1
    for place, name in enumerate(("vlan", "src_mask"), 9):
        given.known[name] = np.arange(rows) >> place & 1 == 1
    conversion = Conversion(10)
    conversion.datagrams(given, NOW_NS)
    assert conversion.left_out == {NO_TEMPLATE: 10}
