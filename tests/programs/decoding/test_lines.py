# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from datetime import UTC
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.captures import CAPTURES, needs_captures
from tests.exports.sflowtool.received import PACKET, answer, counter_element, counters, discard, flow, flow_element

from fleutan.exports.sflowtool.heads import Dialect
from fleutan.exports.sflowtool.legacy import write_lines
from fleutan.programs.decoding import Batch
from fleutan.programs.decoding.lines import Columns
from fleutan.programs.decoding.messages import sflow_messages
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import joined
from fleutan.query.filter import parse
from fleutan.query.predicate import compile as compiled
from fleutan.sources.exported import Exporters, decoded
from fleutan.sources.recorded import Recorded

RIGHT, FAITHFUL = Dialect(False, UTC), Dialect(True, UTC)
#: Elements that fill columns in a way that few do.
ODD = (
    flow_element(2, 64, PACKET[6:12], PACKET[:6], 2048),
    flow_element(3, 60, 47, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 10, 20, 18, 40),
    flow_element(4, 60, 6, bytes(15) + b"\1", bytes(15) + b"\2", 10, 20, 18, 40),
    flow_element(1021, 64, PACKET[6:12], PACKET[:6], 2048),
    flow_element(1024, 60, 17, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 10, 20, 18, 40),
    flow_element(1026, 60, 17, bytes(15) + b"\1", bytes(15) + b"\2", 10, 20, 18, 40),
    flow_element(2100, 6, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 80, 5000),
    flow_element(1013, 1, 1, 60, 4, PACKET, form=1),
)
NEUTRAL = (
    flow_element(1002, bytes([10, 0, 0, 9]), 24, 16),
    flow_element(1036, 7),
    flow_element(1043, 5),
    flow_element(2209, 1, *range(11)),
    Element(4413 << 12 | 77, None, (), b"abcd"),
)


def datagrams(*octets: bytes, source: int = 0xC0000201) -> Datagrams:
    spans = joined(octets)
    rows = np.arange(len(octets))
    ends = np.stack((rows * 0, (0xFFFF << 32) + source + rows * 0), 1)
    return Datagrams(spans, spans.sizes, ends, rows * 0 + 6343, ends, rows * 0 + 6343, rows + 10**18)


def sflow(*samples: Sample, agent: bytes = bytes([10, 9, 8, 7])) -> bytes:
    return encode(Message(5, agent, 0, 7, 1000, len(samples), samples))


def batch(those: Datagrams, text: str = "", exporters: Exporters | None = None) -> Batch:
    exporters = exporters or Exporters()
    return Batch(decoded(those, exporters), exporters, compiled(parse(text)) if text else None)


def written(one: Batch, dialect: Dialect = RIGHT) -> bytes:
    form = Columns(dialect, True)
    return b"".join((*form.of(one), *form.end()))


def by_message(one: Batch, dialect: Dialect = RIGHT) -> bytes:
    if one.found.sflow is None:
        return b""
    return b"".join(b"".join(write_lines([message], dialect)) for _, message in sflow_messages(one, True))


def same(*octets: bytes, text: str = "") -> bytes:
    """What columns write, which must be what messages write."""
    found = written(batch(datagrams(*octets), text))
    assert found == by_message(batch(datagrams(*octets), text))
    return found


def packets() -> st.SearchStrategy[bytes]:
    """Frames of what sFlow agents sample, and of what they might."""
    tags = st.lists(st.sampled_from([b"\x81\0\x60\x64", b"\x88\xa8\0\x65", b"\x91\0\0\7", b"\x93\0\0\7"]), max_size=4)
    return st.builds(
        lambda tagged, kind, ip, cut: (PACKET[:12] + b"".join(tagged) + kind + ip)[:cut],
        st.one_of(st.just([]), tags),
        st.sampled_from([b"\x08\0"] * 6 + [b"\x86\xdd"] * 3 + [b"\x08\6", b"\x88\x47", b"\6\0", b"\0\x26", b"\5\xff"]),
        st.one_of(four(), six(), st.binary(max_size=60), snap()),
        st.one_of(st.just(128), st.integers(0, 128)),
    )


def snap() -> st.SearchStrategy[bytes]:
    return st.builds(lambda kind, ip: b"\xaa\xaa\3\0\0\0" + kind + ip, st.sampled_from([b"\x08\0", b"\x20\0"]), four())


def protocols() -> st.SearchStrategy[int]:
    return st.sampled_from([6] * 6 + [17] * 4 + [1, 1, 58, 58, 0, 4, 33, 41, 43, 44, 47, 50, 51, 60, 132, 136])


def four() -> st.SearchStrategy[bytes]:
    def made(first: int, length: int, fragment: int, proto: int, addresses: bytes, body: bytes) -> bytes:
        head = struct.pack("!BBHHHBBH", first, 0x28, length, 1, fragment, 64, proto, 0)
        return head + addresses + bytes(max(0, (first & 15) - 5) * 4) + body

    return st.builds(
        made,
        st.sampled_from([0x45] * 8 + [0x46, 0x4F, 0x44, 0x65]),
        st.sampled_from([0, 20, 24, 27, 28, 33, 40, 1400]),
        st.sampled_from([0x4000] * 5 + [0x2000, 0x2010, 1]),
        protocols(),
        st.binary(min_size=8, max_size=8),
        st.binary(max_size=70),
    )


def six() -> st.SearchStrategy[bytes]:
    def made(first: int, length: int, proto: int, addresses: bytes, body: bytes) -> bytes:
        return struct.pack("!IHBB", first << 28 | 0x2812345, length, proto, 64) + addresses + body

    lengths = st.sampled_from([0, 4, 8, 13, 20, 1400])
    addresses, bodies = st.binary(min_size=32, max_size=32), st.binary(max_size=70)
    return st.builds(made, st.sampled_from([6] * 8 + [4]), lengths, protocols(), addresses, bodies)


def headers() -> st.SearchStrategy[Element]:
    kinds = st.sampled_from([1] * 12 + [11, 12, 13, 5, 15, 99])
    sizes = st.sampled_from([0, 4, 60, 1518, 2**32 - 1])
    return st.builds(
        lambda kind, size, cut, octets: flow_element(1, kind, size, cut, octets), kinds, sizes, sizes, packets()
    )


def switches() -> st.SearchStrategy[Element]:
    vlans = st.sampled_from([0, 7, 4095, 2**32 - 1])
    return st.builds(lambda source, target: flow_element(1001, source, 0, target, 0), vlans, vlans)


def expanded(some: list[Element], number: int) -> Sample:
    values = (1, 0, 3, number, 1, 1, 0, number, 2, number)
    return Sample(FLOW_SAMPLE_EXPANDED.tag, FLOW_SAMPLE_EXPANDED, values, tuple(some), len(some))


def samples() -> st.SearchStrategy[Sample]:
    usual = st.one_of(headers(), headers(), switches(), st.sampled_from(NEUTRAL))
    elements = st.lists(st.one_of(usual, usual, usual, st.sampled_from(ODD)), max_size=4)
    numbers = st.sampled_from([0, 1, 3, 2**31, 2**32 - 1])
    return st.one_of(
        st.builds(lambda some, n: flow(*some, input=n, sampling_rate=n), elements, numbers),
        st.builds(expanded, elements, numbers),
        st.builds(lambda some, n: discard(*some, reason=n), elements, st.sampled_from([0, 256, 332, 9999])),
        st.builds(lambda n: counters(counter_element(1, *[n] * 19), counter_element(2101, 1, 2, 3)), numbers),
    )


def agents() -> st.SearchStrategy[bytes]:
    return st.sampled_from([bytes([10, 9, 8, 7]), bytes.fromhex("20010db8") + bytes(11) + b"\1"])


@settings(max_examples=300)
@given(st.lists(st.tuples(st.lists(samples(), max_size=5), agents()), min_size=1, max_size=4))
def test_columns_write_what_messages_write(sent: list[tuple[list[Sample], bytes]]) -> None:
    same(*(sflow(*some, agent=agent) for some, agent in sent))


@settings(max_examples=300)
@given(st.lists(samples(), min_size=1, max_size=4), st.data())
def test_broken_datagrams_are_written_alike(some: list[Sample], data: st.DataObject) -> None:
    octets = bytearray(sflow(*some))
    for _ in range(data.draw(st.integers(0, 4))):
        octets[data.draw(st.integers(28, len(octets) - 1))] = data.draw(st.sampled_from([0, 1, 4, 8, 40, 128, 255]))
    cut = data.draw(st.one_of(st.just(len(octets)), st.integers(28, len(octets))))
    same(bytes(octets[:cut]), sflow(flow(flow_element(1, 1, 60, 4, PACKET))))


@settings(max_examples=100)
@given(st.lists(samples(), min_size=1, max_size=6), st.sampled_from(["proto = tcp", "src 10/8", "dport = 443"]))
def test_filters_mean_the_same_lines(some: list[Sample], text: str) -> None:
    same(sflow(*some), sflow(*some[::-1]), text=text)


@needs_captures
@pytest.mark.parametrize("path", sorted((CAPTURES / "sflow").glob("*.pcap")), ids=lambda path: path.stem)
def test_captures_are_written_as_by_messages(path: Any) -> None:
    exporters = Exporters()
    with Recorded(str(path)) as source:
        for those in source:
            one = batch(those.take(decoded(those, exporters).sflow_rows), exporters=exporters)
            assert written(one) == by_message(one)


@needs_captures
@pytest.mark.parametrize("name", ["every-structure", "host-sflow-live"])
def test_compatible_lines_are_those_of_sflowtool(name: str) -> None:
    with Recorded(str(CAPTURES / f"sflow/{name}.pcap")) as source:
        found = b"".join(written(batch(those), FAITHFUL) for those in source)
    assert found == answer(name, "csv")


def test_kinds_of_lines_stand_in_the_order_of_arrival() -> None:
    usual, odd = flow(flow_element(1, 1, 60, 4, PACKET)), flow(ODD[1])
    interface, dropped = counters(counter_element(1, *range(19))), discard(flow_element(1, 1, 60, 4, PACKET))
    found = same(sflow(interface, usual, odd, dropped, usual, interface), sflow(odd, usual), sflow(interface))
    kinds = [line[:4] for line in found.decode().splitlines()]
    assert kinds == ["CNTR", "FLOW", "FLOW", "DROP", "FLOW", "CNTR", "FLOW", "FLOW", "CNTR"]
    assert same(sflow(interface))
    assert not same(sflow())


def test_counters_that_an_agent_does_not_have_are_all_ones() -> None:
    unknown = counters(counter_element(1, *[2**32 - 1] * 2, 2**64 - 1, *[2**32 - 1] * 16))
    assert b",4294967295,18446744073709551615," in same(sflow(unknown))


def test_earlier_versions_are_written_by_message() -> None:
    head = bytes.fromhex("00000004 00000001 0a090807 00000007 000003e8 00000001")
    old = head + bytes.fromhex("00000001 00000001 00000003 00000190 00000001 00000001 00000003 80000002 00000001")
    old += bytes.fromhex("00000001 00000036 00000036") + PACKET + bytes(2) + bytes(4)
    found = same(sflow(flow(flow_element(1, 1, 60, 4, PACKET))), old, sflow(flow()))
    assert [line.split(",")[3] for line in found.decode().splitlines()] == ["4", "2147483650", "4"]
    usual = sflow(flow(flow_element(1, 1, 60, 4, PACKET)))
    mixed = same(old, usual, old, text="proto = tcp")
    assert [line.split(",")[3] for line in mixed.decode().splitlines()] == ["2147483650", "4", "2147483650"]
    assert not same(old, usual, text="proto = udp")


def netflow(proto: int, sport: int, dport: int, count: int = 1, rate: int = 100) -> bytes:
    head = struct.pack("!HHIIIIHH", 5, count, 10**6, 1_700_000_000, 0, 1, 0, rate)
    ends = bytes([10, 0, 0, 1, 10, 0, 0, 2, 10, 0, 0, 9])
    record = ends + struct.pack(
        "!HHIIIIHHBBBBHHBBH", 3, 4, 10, 5000, 0, 1, sport, dport, 0, 0x12, proto, 8, 1, 2, 24, 16, 0
    )
    return head + record * count


def test_records_of_netflow_are_flows() -> None:
    usual = flow(flow_element(1, 1, 60, 4, PACKET))
    mixed = datagrams(netflow(6, 1234, 443, 2), sflow(usual), netflow(1, 0, 0x0301, rate=0))
    lines = written(batch(mixed)).decode().splitlines()
    start = "FLOW,192.0.2.1,3,4,000000000000,000000000000,0x0800,0,0,10.0.0.1,10.0.0.2"
    assert lines[0] == lines[1] == f"{start},6,0x08,0,1234,443,0x12,5000,5000,100"
    assert lines[2].startswith("FLOW,10.9.8.7,")
    assert lines[3] == f"{start},1,0x08,0,3,1,0x12,5000,5000,1"
    assert len(lines) == 4
    assert written(batch(mixed), FAITHFUL).decode().splitlines()[0] == lines[0]
    assert written(batch(mixed, "proto = icmp")).decode().splitlines() == lines[3:]


def test_records_that_waited_come_before_what_brought_their_template() -> None:
    template = struct.pack("!8H", 256, 3, 8, 4, 12, 4, 1, 4)

    def message(number: int, content: bytes) -> bytes:
        head = struct.pack("!HHIII", 10, 20 + len(content), 1_700_000_000, 0, 7)
        return head + struct.pack("!HH", number, 4 + len(content)) + content

    exporters = Exporters()
    early = message(256, bytes([10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 99]))
    assert not written(batch(datagrams(early), exporters=exporters))
    both = datagrams(sflow(flow()), message(2, template))
    lines = written(batch(both, exporters=exporters)).decode().splitlines()
    assert [line.split(",")[9] for line in lines] == ["10.0.0.1", "-"]
