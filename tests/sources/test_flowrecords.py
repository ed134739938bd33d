# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from tests.exporting import AT_NS, EXPORTER, batch, halves, sent
from tests.exports.sflowtool.received import PACKET
from tests.protocols.netflow.making import record_5, set_of, template, v5, v10

from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.elements import named
from fleutan.protocols.netflow.exporters.state import State
from fleutan.records import Records
from fleutan.sources.exported import FIELDS
from fleutan.sources.flowrecords import NAMES, SECTIONS, flow_records


def records(*payloads: bytes) -> Records:
    return flow_records(decode(batch(*payloads), State()))


def column(found: Records, name: str) -> list[Any]:
    """The values, None where they are not known."""
    if name not in found.values:
        return [None] * found.rows
    known = found.known[name].tolist() if name in found.known else [True] * found.rows
    return [one if there else None for one, there in zip(found.values[name].tolist(), known, strict=True)]


def test_names_are_those_of_the_catalogue() -> None:
    assert {ours or name for name, ours in NAMES.items()} - {"datagram"} <= set(FIELDS)


@pytest.mark.parametrize("version", [9, 10])
def test_records_come_under_the_names_of_the_catalogue(version: int) -> None:
    there: dict[str, Any] = {
        "src": ["10.0.0.1", "2001:db8::1"],
        "dst": ["10.0.0.2", "2001:db8::2"],
        "next_hop": ["10.0.0.9", "2001:db8::9"],
        "proto": [6, 17],
        "sport": [1234, 53],
        "dport": [443, 54321],
        "packets": [3, 4],
        "bytes": [300, 400],
        "tcp_flags": [18, 0],
        "tos": [40, 0],
        "in_if": [1, 2],
        "out_if": [3, 70_000],
        "src_as": [1, 2**32 - 1],
        "src_mask": [24, 64],
        "dst_mask": [16, 48],
        "vlan": [7, 8],
        "src_mac": [2**41, 2**48 - 1],
        "sampling_rate": [400, 1],
        "reverse_packets": [5, 6],
        "post_sport": [9, 10],
        "direction": [0, 1],
    }
    found = records(*sent(version, **there))
    assert found.rows == 2
    for name, values in there.items():
        expected = halves(*values).tolist() if isinstance(values[0], str) else values
        assert found.values[name].tolist() == expected, name
        assert name not in found.known
    assert found.values["exporter"].tolist() == halves(EXPORTER, EXPORTER).tolist()
    assert found.values["protocol"].tolist() == [version, version]
    assert found.values["domain"].tolist() == [7, 7]
    # Templates of IPv4 and of IPv6 have a datagram, and the records of each one.
    assert column(found, "datagram") == [1, 2]
    assert column(found, "received") == [AT_NS + 10**9, AT_NS + 2 * 10**9]


def test_owners_of_sockets_and_their_connections_come_with_ipfix() -> None:
    numbers = ("pid", "uid", "cookie", "cgroup_id", "rtt", "rtt_var", "min_rtt", "retrans")
    there: dict[str, Any] = {name: [None, 10 + place] for place, name in enumerate(numbers)}
    found = records(*sent(src=["10.0.0.1"] * 2, **there))
    assert {name: column(found, name) for name in numbers} == there


def test_the_vlan_behind_and_the_label_have_names_of_their_own() -> None:
    assert column(records(*sent(src=["10.0.0.1"], post_vlan=[20])), "out_vlan") == [20]
    label = template(300, (70, 3), (1, 8))
    found = records(v10(set_of(2, label), set_of(300, bytes.fromhex("012341 0000000000000064"))))
    assert column(found, "mpls_label") == [0x1234]


def test_records_without_templates_are_read() -> None:
    found = records(v5(record_5(), record_5(packets=7), sampling=1 << 14 | 100))
    assert column(found, "packets") == [3, 7]
    assert column(found, "sampling_rate") == [100, 100]
    assert column(found, "protocol") == [5, 5]
    assert column(found, "domain") == [0x0102, 0x0102]


def test_type_and_code_of_icmp_stand_in_its_own_element_or_in_the_destination_port() -> None:
    found = records(*sent(proto=[1], src=["10.0.0.1"], icmp=[0x0301], dport=[0x0800], sport=[0]))
    assert [column(found, name) for name in ("icmp_type", "icmp_code", "sport", "dport")] == [[3], [1], [None], [None]]
    found = records(*sent(proto=[58, 1, 6], src=["2001:db8::1"] * 3, dport=[0x8700, 0x0801, 443], sport=[0, 0, 80]))
    assert column(found, "icmp_type") == [0x87, 8, None]
    assert column(found, "icmp_code") == [0, 1, None]
    assert column(found, "sport") == [None, None, 80]
    assert column(found, "dport") == [None, None, 443]


def test_what_is_of_no_known_protocol_keeps_its_ports() -> None:
    assert column(records(*sent(src=["10.0.0.1"], dport=[0x0800])), "dport") == [0x0800]
    assert column(records(*sent(src=["10.0.0.1"], dport=[0x0800])), "icmp_type") == [None]
    found = records(*sent(src=["10.0.0.1", "10.0.0.1"], proto=[1, None], dport=[0x0800, 0x0800]))
    assert column(found, "icmp_type") == [None, 8]
    assert column(found, "dport") == [0x0800, None]


def section(element: str, octets: bytes, *more: tuple[int, int]) -> bytes:
    """A datagram of a record that holds so many octets of a packet, and these numbers of 4 octets."""
    one = named(element)
    own = template(300, (one.number, len(octets)), *((number, 4) for number, _ in more))
    return v10(set_of(2, own), set_of(300, octets, *(value.to_bytes(4) for _, value in more)))


def test_packets_in_records_are_read() -> None:
    for element, kind in SECTIONS.items():
        assert kind in (1, (1 << 16) + 101)
        found = records(section(element, PACKET if kind == 1 else PACKET[14:]))
        assert column(found, "src") == halves("10.0.0.1").tolist()
        assert column(found, "dport") == [443]
        assert column(found, "ip_bytes") == [40]
        assert column(found, "src_mac") == ([0x020000000002] if kind == 1 else [None])


def test_the_size_of_a_frame_is_that_of_the_record() -> None:
    found = records(section("dataLinkFrameSection", PACKET, (named("dataLinkFrameSize").number, 1500)))
    assert column(found, "bytes") == [1500]
    assert column(found, "ip_bytes") == [40]


def test_of_a_flow_the_beginning_of_a_packet_is_not_the_size() -> None:
    found = records(section("ipHeaderPacketSection", PACKET[14:], (named("octetDeltaCount").number, 9000)))
    assert column(found, "bytes") == [9000]
    assert column(found, "ip_bytes") == [None]
    assert column(found, "sport") == [1234]


def test_a_section_says_nothing_of_other_records() -> None:
    plain = sent(src=["10.0.0.7"], proto=[17])
    found = records(section("ipHeaderPacketSection", PACKET[14:]), *plain)
    assert column(found, "src") == halves("10.0.0.1", "10.0.0.7").tolist()
    assert column(found, "dport") == [443, None]
    assert column(found, "proto") == [6, 17]


def test_what_had_waited_has_no_datagram() -> None:
    state = State()
    templates, data = sent(src=["10.0.0.1"])
    assert flow_records(decode(batch(data), state)).rows == 0
    found = flow_records(decode(batch(templates, data), state))
    assert column(found, "datagram") == [None, 1]
    assert column(found, "received") == [AT_NS, AT_NS + 10**9]


def test_nothing_is_no_records() -> None:
    assert records(*sent(src=["10.0.0.1"])[:1]).rows == 0
