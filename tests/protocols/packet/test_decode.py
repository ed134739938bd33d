# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.captures import CAPTURES, needs_captures
from tests.protocols.packet.stacks import (
    ETHERNET,
    IPV4,
    IPV6,
    PLAIN,
    ROW,
    STACKS,
    TYPE4,
    decoded,
    ethernet,
    fragment6,
    halves,
    ipv4,
    ipv6,
    of,
    options6,
    row,
    said,
    tcp,
)
from tests.protocols.packet.tshark import fields, needs_tshark

from fleutan.protocols.capture.reading import read
from fleutan.protocols.capture.writing import pcap_header, pcap_records
from fleutan.protocols.packet import decode as module
from fleutan.protocols.packet import layouts
from fleutan.protocols.packet.decode import MOST_REPEATED, decode
from fleutan.protocols.packet.kinds import BEGINNINGS
from fleutan.protocols.packet.names import INNER, NAMES
from fleutan.protocols.spans import joined

KINDS = sorted(BEGINNINGS)


def headers(said_of: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said_of.items() if not name.endswith(ROW)}


def test_all_that_a_plain_packet_says() -> None:
    link = {"l2_at": 0, "dst_mac": 0xFA000000000A, "src_mac": 0xFA000000000B, "ethertype": TYPE4, "l2_payload_at": 14}
    ip = {"l3_at": 14, "version": 4, "tos": 0xB8, "length": 59, "id": 7, "ttl": 61, "proto": 6, "l4_at": 34}
    ends = {"src": halves("192.0.2.1"), "dst": halves("198.51.100.2"), "sport": 40000, "dport": 443}
    fragment = {"fragment_flags": 2, "fragment_offset": 0}
    segment = {"tcp_seq": 0xF0000001, "tcp_ack": 77, "tcp_flags": 0x118, "tcp_window": 501, "payload_at": 66}
    rows = {"truncated": False, "malformed": False}
    assert said(PLAIN) == link | ip | ends | fragment | segment | rows


def test_rows_of_unknown_kinds_know_nothing() -> None:
    for kind in (0, 2, 15, -1, 1 << 40):
        assert said(PLAIN, kind) == {"l2_at": 0, "truncated": False, "malformed": False}


def test_no_rows_give_no_columns() -> None:
    assert decoded([]).rows == 0
    assert decoded([], wanted=["src"]).values == {}


def test_every_name_that_is_given_is_in_the_list() -> None:
    given_names = {name for stack in STACKS for name in of(stack, depth=2)}
    assert {name.replace(INNER, "") for name in given_names} == set(NAMES)


@pytest.mark.parametrize("name", STACKS)
def test_no_stack_is_truncated_or_malformed(name: str) -> None:
    assert not any(value for name, value in of(name, depth=2).items() if name.endswith(ROW))


def test_rows_do_not_depend_on_the_rows_beside_them() -> None:
    kinds = [kind for kind, _ in STACKS.values()] * 3
    frames = [frame for _, frame in STACKS.values()] * 3
    together = decoded(frames, kinds, depth=2)
    for number, (kind, frame) in enumerate(zip(kinds, frames, strict=True)):
        assert row(together, number) == said(frame, kind, depth=2)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=90)), min_size=1, max_size=8))
def test_any_octets_are_read_alone_as_beside_others(rows: list[tuple[int, bytes]]) -> None:
    together = decoded([octets for _, octets in rows], [kind for kind, _ in rows], depth=2)
    for number, (kind, octets) in enumerate(rows):
        assert row(together, number) == said(octets, kind, depth=2)


@pytest.mark.parametrize("name", STACKS)
def test_a_packet_cut_anywhere_says_nothing_else_than_the_whole_one(name: str) -> None:
    kind, frame = STACKS[name]
    whole = headers(of(name, depth=2))
    prefixes = decoded([frame[:size] for size in range(len(frame) + 1)], kind, depth=2)
    before: set[str] = set()
    for size in range(len(frame) + 1):
        found = headers(row(prefixes, size))
        assert found == {each: whole[each] for each in found}
        assert before <= found.keys()
        before = set(found)
    assert before == whole.keys()


@pytest.mark.parametrize("name", STACKS)
def test_bits_that_flip_change_nothing_in_other_rows(name: str) -> None:
    kind, frame = STACKS[name]
    chance = random.Random(name)  # noqa: S311 (the same flips each time)
    frames = []
    for _ in range(200):
        flipped = bytearray(frame)
        for _ in range(chance.randint(1, 6)):
            flipped[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
        frames.append(bytes(flipped))
    together = decoded(frames, kind, depth=2)
    for number in range(0, 200, 20):
        assert row(together, number) == said(frames[number], kind, depth=2)


@pytest.mark.parametrize("wanted", [["src"], ["vlan", "sport"], ["inner_src", "tunnel_id"], ["inner_inner_dport"], []])
def test_what_is_wanted_is_the_same_as_of_all(wanted: list[str]) -> None:
    for name in STACKS:
        everything = of(name, depth=2)
        assert of(name, wanted=wanted, depth=2) == {each: everything[each] for each in wanted if each in everything}


def test_a_name_that_is_none_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        said(PLAIN, wanted=["source"])


def test_tunnels_are_entered_as_often_as_is_asked() -> None:
    for depth, prefixes in ((0, {""}), (1, {"", INNER}), (2, {"", INNER, INNER * 2}), (3, {"", INNER, INNER * 2})):
        assert {
            name.removesuffix("sport") for name in of("vxlan in gtp", depth=depth) if name.endswith("sport")
        } == prefixes


def test_headers_that_may_repeat_are_bounded_in_each_row_alone() -> None:
    packets = [ipv6(6, tcp())]
    for count in range(MOST_REPEATED + 1):
        body = tcp()
        for number in range(count + 1):
            body = options6(60 if number else 6, body)
        packets.append(ipv6(60, body))
    packets.append(ipv6(44, fragment6(60, 0, 0, 1, options6(6, tcp()))))
    found = decoded(packets, IPV6)
    assert found.values["malformed"].tolist() == [False] * (MOST_REPEATED + 1) + [True, False]
    assert [row(found, number).get("dport") for number in range(found.rows)] == [443] * (MOST_REPEATED + 1) + [
        None,
        443,
    ]


def test_more_rows_than_are_walked_at_once_keep_their_order() -> None:
    rows = module._BLOCK * 2 + 5
    frames = [ethernet(TYPE4, ipv4(6, tcp(), number=number)) for number in range(97)]
    found = decoded((frames * (rows // 97 + 1))[:rows])
    assert found.rows == rows
    assert (found.values["id"] == np.arange(rows) % 97).all()


def test_spans_that_overlap_or_end_with_the_buffer_are_read() -> None:
    spans = joined([PLAIN])
    starts = np.array([0, 14, 14])
    found = decode(spans._replace(starts=starts, sizes=np.array([73, 59, 10])), np.array([ETHERNET, IPV4, IPV4]))
    assert [row(found, number).get("dport") for number in range(3)] == [443, 443, None]
    assert found.values["truncated"].tolist() == [False, False, True]


Text = Callable[[str], Any]


def mac(text: str) -> int:
    return int(text.replace(":", ""), 16)


def number(text: str) -> int:
    return int({"True": "1", "False": "0"}.get(text, text), 0)


#: Names of ours, tshark's for them, and how its text is read; the first that a frame has counts.
TSHARK: list[tuple[str, list[str], Text]] = [
    ("dst_mac", ["eth.dst"], mac),
    ("src_mac", ["eth.src", "sll.src.eth"], mac),
    ("vlan", ["vlan.id"], number),
    ("vlan_priority", ["vlan.priority"], number),
    ("vlan_dei", ["vlan.dei"], number),
    ("version", ["ip.version", "ipv6.version"], number),
    ("src", ["ip.src", "ipv6.src"], halves),
    ("dst", ["ip.dst", "ipv6.dst"], halves),
    ("proto", ["ip.proto"], number),
    ("tos", ["ip.dsfield", "ipv6.tclass"], number),
    ("ttl", ["ip.ttl", "ipv6.hlim"], number),
    ("id", ["ip.id"], number),
    ("length", ["ip.len"], number),
    ("fragment_offset", ["ip.frag_offset"], number),
    ("flow_label", ["ipv6.flow"], number),
    ("sport", ["tcp.srcport", "udp.srcport"], number),
    ("dport", ["tcp.dstport", "udp.dstport"], number),
    ("tcp_flags", ["tcp.flags"], number),
    ("tcp_seq", ["tcp.seq_raw"], number),
    ("tcp_ack", ["tcp.ack_raw"], number),
    ("tcp_window", ["tcp.window_size_value"], number),
    ("udp_length", ["udp.length"], number),
    ("icmp_type", ["icmp.type", "icmpv6.type"], number),
    ("icmp_code", ["icmp.code", "icmpv6.code"], number),
    ("arp_operation", ["arp.opcode"], number),
    ("arp_sender_mac", ["arp.src.hw_mac"], mac),
    ("arp_sender", ["arp.src.proto_ipv4"], halves),
    ("arp_target_mac", ["arp.dst.hw_mac"], mac),
    ("arp_target", ["arp.dst.proto_ipv4"], halves),
]
TRAFFIC = sorted((CAPTURES / "traffic").glob("*.pcap"))


@needs_captures
@needs_tshark
@pytest.mark.parametrize("path", TRAFFIC, ids=lambda path: path.stem)
def test_tshark_says_the_same_of_real_traffic(path: Path) -> None:
    frames, rejected = read(path.read_bytes())
    assert not rejected
    found = decode(frames.spans, frames.kinds(), depth=0)
    quoted = ["icmp", "icmpv6"]  # what an error quotes has fields of the same names
    answers = fields(path, [*(name for _, names, _ in TSHARK for name in names), "ipv6.nxt", "ipv6.plen", *quoted])
    assert len(answers) == found.rows > 0
    for at, answer in enumerate(answers):
        ours = row(found, at)
        expected = {
            name: text(next(answer[each] for each in names if each in answer)[0])
            for name, names, text in TSHARK
            if any(each in answer for each in names)
        }
        if "icmp_type" in ours:
            expected = {
                name: value for name, value in expected.items() if name[:4] not in ("spor", "dpor", "tcp_", "udp_")
            }
        if ours.get("version") == 6:
            expected["length"] = number(answer["ipv6.plen"][0]) + 40
            expected.setdefault("proto", ours["proto"])
        assert {name: value for name, value in ours.items() if name in expected} == expected
        assert not {name for name, _, _ in TSHARK} & ours.keys() - expected.keys() - {"fragment_offset"}


#: tshark's name of a tunnel's number, and the number.
TUNNELS: dict[str, tuple[str | None, int | None]] = {
    "vxlan": ("vxlan.vni", 0xABCDE),
    "geneve": ("geneve.vni", 0x12345),
    "gtp": ("gtp.teid", 0xDEAD),
    "gtp extended": ("gtp.teid", 0xDEAE),
    "gre": ("gre.key", 0x01020304),
    "gretap": ("gre.key", 0x00ABCD05),
    "erspan2": ("erspan.spanid", 0x57),
    "erspan3": ("erspan.spanid", 0x58),
    "ipip": (None, None),
    "6in4": (None, None),
    "pptp": (None, None),
}


@needs_tshark
@pytest.mark.parametrize("name", TUNNELS)
def test_tshark_finds_the_same_packet_in_tunnels(name: str, tmp_path: Path) -> None:
    kind, frame = STACKS[name]
    spans = joined([frame])
    path = tmp_path / "tunnel.pcap"
    ones = np.ones(1, np.int64)
    link = {ETHERNET: 1, IPV4: 228}[kind]
    path.write_bytes(pcap_header(link) + pcap_records(spans, spans.sizes, ones))
    field, tunnel_id = TUNNELS[name]
    (answer,) = fields(path, ["ip.src", "ipv6.src", "tcp.srcport", "udp.srcport", *([field] if field else [])])
    found = of(name)
    if field:
        assert number(answer[field][0]) == tunnel_id == found["tunnel_id"]
    version = found["inner_version"]
    assert halves(answer["ip.src" if version == 4 else "ipv6.src"][-1]) == found["inner_src"]
    sport = answer["tcp.srcport" if version == 4 else "udp.srcport"][-1]
    assert number(sport) == found["inner_sport"]


def test_where_headers_lie() -> None:
    kind, frame = STACKS["vxlan"]
    spans = joined([b"before", frame, frame[:20]]).take(np.array([1, 2]))
    found = module.headers(spans, np.array([kind, kind]), depth=1)
    first = found[0]
    assert first.at.tolist() == spans.starts.tolist()
    assert first.ends.tolist() == (spans.starts + spans.sizes).tolist()
    assert all((place.at >= 6).all() and (place.at <= place.ends).all() for place in found)
    assert sum(place.layout == layouts.ETHERNET for place in found) == 2
    assert module.headers(spans.take(np.zeros(0, np.int64)), np.zeros(0, np.int64)) == []
