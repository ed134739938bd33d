# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.captures import needs_captures
from tests.exports.sflowtool.received import (
    FAITHFUL,
    PACKET,
    RIGHT,
    answer,
    counter_element,
    counters,
    discard,
    flow,
    flow_element,
    header,
    of_octets,
    received,
    recorded,
)

from fleutan.exports.sflowtool.heads import Dialect, Received
from fleutan.exports.sflowtool.legacy import write_lines
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED, RTMETRIC
from fleutan.protocols.sflow.samples import Sample

ADDRESSES = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
IPV6 = PACKET[:12] + bytes.fromhex("86dd 62812345 0014 06 3c") + bytes(15) + b"\1" + bytes(15) + b"\2" + PACKET[34:]


def lines(found: Received, dialect: Dialect = RIGHT) -> list[str]:
    return b"".join(write_lines([found], dialect)).decode().splitlines()


@needs_captures
@pytest.mark.parametrize("name", ["every-structure", "host-sflow-live"])
def test_lines_are_those_of_sflowtool(name: str) -> None:
    assert b"".join(write_lines(recorded(name), FAITHFUL)) == answer(name, "csv")


def test_a_flow_has_twenty_columns() -> None:
    line = "FLOW,10.9.8.7,3,4,020000000002,020000000001,0x0800,0,0,10.0.0.1,10.0.0.2,6,0x28,64,1234,443,0x12,58,40,400"
    assert lines(received(flow(header()))) == [line]
    expanded = Sample(3, FLOW_SAMPLE_EXPANDED, (1, 0, 3, 400, 1, 1, 0, 3, 0, 4), (header(),), 1)
    assert lines(received(expanded)) == [line]
    assert len(line.split(",")) == 20


def test_tags_and_switches_say_the_vlans() -> None:
    tagged = header(PACKET[:12] + bytes.fromhex("8100 6064") + PACKET[12:])
    assert lines(received(flow(tagged)))[0].split(",")[7:9] == ["100", "0"]
    assert lines(received(flow(tagged, flow_element(1001, 7, 0, 8, 0))))[0].split(",")[7:9] == ["7", "8"]


def test_structures_of_their_own_fill_the_columns() -> None:
    ethernet = flow_element(2, 64, PACKET[6:12], PACKET[:6], 2048)
    packet = flow_element(3, 60, 47, *ADDRESSES, 10, 20, 18, 40)
    line = "FLOW,10.9.8.7,3,4,020000000002,020000000001,0x0800,0,0,10.0.0.1,10.0.0.2,47,0x28,0,10,20,0x00,60,60,400"
    assert lines(received(flow(ethernet, packet))) == [line]
    socket = flow_element(2100, 6, *ADDRESSES, 80, 5000)
    assert lines(received(flow(socket)))[0].split(",")[9:11] == ["10.0.0.1", "10.0.0.2"]
    cut = flow(flow_element(3, 60, 47, *ADDRESSES, 10, 20, 18, 40))
    assert lines(received(cut, cut=4))[0].split(",")[14:16] == ["0", "0"]


def test_the_size_of_ip_is_that_of_ip() -> None:
    assert lines(received(flow(header(IPV6))))[0].split(",")[17:19] == ["78", "60"]
    assert lines(received(flow(header(IPV6))), FAITHFUL)[0].split(",")[17:19] == ["78", "74"]
    arp = header(PACKET[:12] + b"\x08\x06" + bytes(28))
    assert lines(received(flow(arp)))[0].split(",")[18] == "0"
    assert lines(received(flow(arp)), FAITHFUL)[0].split(",")[18] == "42"


def test_large_numbers_are_not_negative() -> None:
    sample = Sample(3, FLOW_SAMPLE_EXPANDED, (1, 0, 3, 2**32 - 1, 1, 1, 0, 2**31, 2, 5))
    assert lines(received(sample))[0].split(",")[2:4] == ["2147483648", "5"]
    assert lines(received(sample), FAITHFUL)[0].split(",")[2] == "-2147483648"
    assert lines(received(sample), FAITHFUL)[0].split(",")[-1] == "-1"


def test_dropped_packets_have_a_line_with_their_reason() -> None:
    found = received(discard(header()))
    assert lines(found) == [
        "DROP,10.9.8.7,3,1,020000000002,020000000001,0x0800,0,0,10.0.0.1,10.0.0.2,6,0x28,64,1234,443,0x12,58,40,dev_hdr"
    ]
    assert lines(found, FAITHFUL) == []


def test_counters_of_an_interface_have_a_line_and_others_none() -> None:
    interface = counter_element(1, *range(1, 20))
    line = "CNTR,10.9.8.7," + ",".join(map(str, range(1, 20)))
    assert lines(received(counters(interface, counter_element(2101, 1, 2, 3)))) == [line]
    host = received(counters(counter_element(2101, 1, 2, 3)))
    assert lines(host) == []
    assert lines(host, FAITHFUL) == ["CNTR,10.9.8.7," + ",".join("0" * 19)]


def test_what_has_no_head_has_no_line() -> None:
    assert lines(received(flow(), cut=12)) == []
    assert lines(received(flow(header()), cut=8)) != []
    assert lines(received(flow(header()), cut=8), FAITHFUL) == []
    assert lines(received(Sample(RTMETRIC.tag, RTMETRIC, (b"", ())), Sample(99, None, ()))) == []
    assert lines(of_octets(b"")) == []


def test_samples_of_earlier_versions() -> None:
    head = bytes.fromhex("00000004 00000001 0a090807 00000007 000003e8 00000001")
    old = head + bytes.fromhex("00000001 00000001 00000003 00000190 00000001 00000001 00000003 80000002 00000001")
    old += bytes.fromhex("00000001 00000036 00000036") + PACKET + bytes(2) + bytes(4)
    assert lines(of_octets(old))[0].split(",")[2:6] == ["3", "2147483650", "020000000002", "020000000001"]
    interface = head + bytes.fromhex("00000002 00000001 00000003 00000014 00000001") + bytes(88)
    assert lines(of_octets(interface))[0].startswith("CNTR,10.9.8.7,0,")
