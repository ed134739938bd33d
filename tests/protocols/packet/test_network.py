# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.protocols.packet.stacks import (
    INNER4,
    IPV4,
    IPV6,
    TYPE_ARP,
    arp,
    authentication,
    ethernet,
    fragment6,
    halves,
    ipv4,
    ipv6,
    of,
    options6,
    said,
    tcp,
    udp,
)


def test_ipv6_says_what_ipv4_does_and_a_label() -> None:
    found = of("udp6")
    assert (found["version"], found["tos"], found["flow_label"], found["ttl"]) == (6, 0xB8, 0x12345, 60)
    assert (found["src"], found["dst"]) == (halves("2001:db8::1"), halves("2001:db8:ffff::2"))
    assert (found["length"], found["proto"], found["l3_at"], found["l4_at"]) == (56, 17, 14, 54)
    assert found.keys() & {"id", "fragment_offset", "fragment_flags", "fragment_at"} == set()


def test_options_are_passed_over() -> None:
    assert (of("options")["l4_at"], of("options")["dport"]) == (14 + 28, 53)


def test_extensions_are_passed_over() -> None:
    found = of("extensions")
    assert (found["proto"], found["l4_at"], found["dport"]) == (6, 40 + 8 + 8 + 16, 443)


def test_the_authentication_header_is_passed_over_in_both_versions() -> None:
    for kind, packet in ((IPV4, ipv4(51, authentication(6, tcp()))), (IPV6, ipv6(51, authentication(6, tcp())))):
        found = said(packet, kind)
        assert (found["proto"], found["spi"], found["dport"]) == (6, 0xABCD, 443)


@pytest.mark.parametrize(
    ("word", "offset", "flags", "ports"), [(0x2000, 0, 1, True), (0x2005, 40, 1, False), (5, 40, 0, False)]
)
def test_only_the_first_fragment_has_ports(word: int, offset: int, flags: int, ports: bool) -> None:
    four = said(ipv4(17, udp(53, b"part"), fragment=word), IPV4)
    six = said(ipv6(44, fragment6(17, offset, flags, 0xFACE, udp(53, b"part"))), IPV6)
    for found, place, number in ((four, 20, 7), (six, 48, 0xFACE)):
        assert (found["fragment_offset"], found["fragment_flags"], found["id"]) == (offset, flags, number)
        assert (found["fragment_at"], found["proto"]) == (place, 17)
        assert ("sport" in found, "l4_at" in found) == (ports, ports)


def test_behind_a_later_fragment_an_extension_says_no_protocol() -> None:
    found = said(ipv6(44, fragment6(60, 8, 0, 1, bytes(16))), IPV6)
    assert "proto" not in found
    assert found["fragment_offset"] == 8


def test_a_second_fragment_header_changes_nothing() -> None:
    found = said(ipv6(44, fragment6(44, 0, 1, 1, fragment6(17, 0, 0, 2, udp(53)))), IPV6)
    assert (found["id"], found["dport"]) == (1, 53)


def test_lengths_end_the_packet_where_the_link_pads() -> None:
    found = said(ipv4(17, udp(53))[:28] + bytes(18), IPV4)
    assert (found["length"], found["truncated"]) == (28, False)
    short = said(ipv4(6, b"")[:20] + tcp(), IPV4)
    assert "dport" not in short
    assert short["truncated"]


def test_no_length_is_unknown() -> None:
    packet = bytearray(INNER4)
    packet[2:4] = b"\0\0"
    four = said(bytes(packet), IPV4)
    six = said(ipv6(6, tcp())[:4] + b"\0\0" + ipv6(6, tcp())[6:], IPV6)
    assert [("length" in found, found["dport"]) for found in (four, six)] == [(False, 443)] * 2


def test_a_length_less_than_the_header_is_not_believed() -> None:
    packet = bytearray(INNER4)
    packet[2:4] = b"\0\x05"
    found = said(bytes(packet), IPV4)
    assert (found["length"], found["dport"]) == (5, 443)


def test_a_header_too_small_or_of_another_version_is_malformed() -> None:
    small = said(b"\x44" + INNER4[1:], IPV4)
    assert (small["malformed"], small["proto"], "dport" in small) == (True, 6, False)
    other = said(b"\x65" + INNER4[1:], IPV4)
    assert other["malformed"]
    assert other.keys() & {"version", "src"} == set()


def test_extensions_that_are_cut_end_the_walk() -> None:
    found = said(ipv6(0, options6(6, b"", 64))[:60], IPV6)
    assert found["truncated"]
    assert "proto" not in found
    jumbled = said(ipv6(51, struct.pack("!BBHI", 6, 60, 0, 5) + bytes(8)), IPV6)
    assert (jumbled["spi"], jumbled["truncated"]) == (5, True)


def test_no_next_header_is_a_protocol() -> None:
    assert said(ipv6(59, b""), IPV6)["proto"] == 59


def test_arp_asks_for_an_address() -> None:
    found = of("arp")
    assert (found["arp_operation"], found["arp_sender_mac"]) == (1, 0xFA000000000B)
    assert (found["arp_sender"], found["arp_target"]) == (halves("192.0.2.1"), halves("198.51.100.2"))
    assert found["arp_target_mac"] == 0


def test_arp_of_other_links_is_not_read() -> None:
    found = said(ethernet(TYPE_ARP, b"\0\x20" + arp()[2:]))
    assert not found["malformed"]
    assert "arp_operation" not in found
