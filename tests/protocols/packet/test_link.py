# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.protocols.packet.stacks import (
    ETHERNET,
    INNER4,
    INNER6,
    MPLS,
    PPP,
    SRC_MAC,
    TYPE4,
    TYPE_MPLS,
    ethernet,
    label,
    of,
    pppoe,
    said,
    snap,
    tag,
)

from fleutan.protocols.packet.kinds import LINK_TYPE
from fleutan.protocols.packet.link import MOST_LABELS, MOST_TAGS


def test_tags_are_counted_and_the_first_two_told() -> None:
    found = of("tags")
    assert found["vlan_tags"] == 3
    assert (found["vlan"], found["vlan_tpid"]) == (100, 0x88A8)
    assert (found["vlan2"], found["vlan2_tpid"], found["vlan2_priority"], found["vlan2_dei"]) == (200, 0x8100, 5, 1)
    assert (found["ethertype"], found["l2_payload_at"], found["dport"]) == (TYPE4, 26, 443)


def test_the_priority_is_of_its_own_tag() -> None:
    found = said(ethernet(0x8100, tag(4095, TYPE4, INNER4, 7, 1)))
    assert (found["vlan"], found["vlan_priority"], found["vlan_dei"], found["vlan_tags"]) == (4095, 7, 1, 1)
    assert "vlan2" not in found


def test_a_tag_before_an_802_2_frame_is_no_type() -> None:
    found = said(ethernet(0x8100, tag(5, 40, snap(TYPE4, INNER4))))
    assert (found["vlan"], found["ethertype"], found["dport"]) == (5, TYPE4, 443)


def test_tags_beyond_all_sense_are_malformed() -> None:
    frame = INNER4
    for _ in range(MOST_TAGS):
        frame = tag(1, 0x8100, frame)
    found = said(ethernet(0x8100, frame))
    assert found["malformed"]
    assert found.keys() & {"ethertype", "vlan_tags", "src"} == set()


@pytest.mark.parametrize("organisation", [0, 0xF8])
def test_snap_has_a_type(organisation: int) -> None:
    found = said(ethernet(40, snap(TYPE4, INNER4, organisation)))
    assert (found["ethertype"], found["llc_dsap"], found["llc_ssap"], found["dport"]) == (TYPE4, 0xAA, 0xAA, 443)


def test_snap_of_an_organisation_has_none() -> None:
    found = said(ethernet(40, snap(TYPE4, INNER4, 0x00000C)))
    assert "ethertype" not in found
    assert "src" not in found


def test_802_2_may_carry_ip_or_what_is_not_read() -> None:
    assert said(ethernet(50, b"\x06\x06\x03" + INNER4))["dport"] == 443
    assert of("bpdu").keys() & {"ethertype", "src"} == set()
    assert of("bpdu")["llc_dsap"] == 0x42


def test_types_that_are_not_read_are_told() -> None:
    found = said(ethernet(0x88CC, bytes(40)))
    assert (found["ethertype"], found["l2_payload_at"], found["truncated"]) == (0x88CC, 14, False)


def test_neither_a_length_nor_a_type() -> None:
    assert "ethertype" not in said(ethernet(1520, bytes(40)))


@pytest.mark.parametrize("name", ["sll", "sll2"])
def test_cooked_captures_have_a_sender(name: str) -> None:
    found = of(name)
    assert (found["src_mac"], found["l3_at"]) == (SRC_MAC, 16 if name == "sll" else 20)
    assert "dst_mac" not in found


def test_cooked_captures_of_tunnels_have_none_and_of_802_2_no_type() -> None:
    head = struct.pack("!HHH", 0, 778, 4) + bytes(8)
    assert "src_mac" not in said(head + b"\x08\0" + INNER4, LINK_TYPE + 113)
    found = said(head + b"\0\x04" + snap(TYPE4, INNER4), LINK_TYPE + 113)
    assert (found["ethertype"], found["dport"]) == (TYPE4, 443)
    assert "ethertype" not in said(head + b"\0\x01" + INNER4, LINK_TYPE + 113)


@pytest.mark.parametrize("family", [10, 24, 28, 30])
@pytest.mark.parametrize("order", ["<", ">"])
def test_null_tells_a_family_in_either_order(family: int, order: str) -> None:
    assert said(struct.pack(order + "I", family) + INNER6, LINK_TYPE + 0)["dport"] == 53


def test_null_may_carry_what_is_not_ip() -> None:
    assert "src" not in said(struct.pack("<I", 7) + INNER4, LINK_TYPE + 0)


def test_pppoe_has_a_session_or_discovers_one() -> None:
    found = of("pppoe")
    assert (found["pppoe_session"], found["pppoe_code"], found["ppp_protocol"], found["dport"]) == (
        0x1234,
        0,
        0x21,
        443,
    )
    discovery = said(ethernet(0x8863, pppoe(b"", bytes(8), code=9)))
    assert (discovery["pppoe_code"], "ppp_protocol" in discovery) == (9, False)
    assert "ppp_protocol" not in said(ethernet(0x8864, pppoe(b"\0\x21", INNER4, code=9)))
    assert said(ethernet(0x8864, b"\x21" + pppoe(b"\0\x21", INNER4)[1:]))["malformed"]


@pytest.mark.parametrize("start", [b"\xff\x03\0\x21", b"\0\x21", b"\x21", b"\xff\x03\x21"])
def test_ppp_may_leave_out_and_compress(start: bytes) -> None:
    found = said(start + INNER4, PPP)
    assert (found["ppp_protocol"], found["dport"], found["l2_payload_at"]) == (0x21, 443, len(start))


def test_ppp_carries_labels_and_what_is_not_read() -> None:
    assert said(b"\xff\x03\x02\x81" + label(16, INNER4), PPP)["mpls_label"] == 16
    assert said(b"\xff\x03\xc0\x21" + bytes(8), PPP)["ppp_protocol"] == 0xC021


def test_ciscos_hdlc_has_a_type() -> None:
    assert (of("hdlc")["ethertype"], of("hdlc")["dport"]) == (TYPE4, 443)


def test_the_top_label_is_told_and_how_many_follow() -> None:
    found = of("labels")
    assert (found["mpls_label"], found["mpls_exp"], found["mpls_bottom"], found["mpls_ttl"]) == (16, 3, 0, 8)
    assert (found["mpls_depth"], found["ethertype"], found["dport"]) == (2, TYPE_MPLS, 443)


def test_labels_without_a_bottom_are_malformed() -> None:
    found = said(label(1, b"", bottom=0) * MOST_LABELS + INNER4, MPLS)
    assert found["malformed"]
    assert "mpls_depth" not in found


def test_first_bits_that_are_no_version_are_not_read() -> None:
    found = said(b"\x50" + bytes(40), LINK_TYPE + 101)
    assert found.keys() == {"l2_at", "truncated", "malformed"}
    assert said(b"", LINK_TYPE + 101)["truncated"]
    assert said(ethernet(TYPE4, b"")[:9], ETHERNET)["dst_mac"]
