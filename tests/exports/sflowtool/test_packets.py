# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.exports.sflowtool.received import PACKET

from fleutan.exports.sflowtool.packets import decode
from fleutan.exports.sflowtool.shapes import LINE

LINK = bytes.fromhex("020000000001 020000000002")
TCP = PACKET[34:]
ICMP = bytes.fromhex("0800 0000 00000000")
IPV6 = bytes.fromhex("62812345 0014 06 3c 20010db8000000000000000000000001 20010db8000000000000000000000002")


def ipv4(protocol: int, payload: bytes, *, fragment: int = 0, options: bytes = b"") -> bytes:
    first = 0x45 + len(options) // 4
    length = 20 + len(options) + len(payload)
    head = struct.pack("!BBHHHBBH", first, 0x28, length, 0x1234, fragment, 64, protocol, 0)
    return head + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + options + payload


def ipv6(following: int, payload: bytes) -> bytes:
    return IPV6[:4] + struct.pack("!HB", len(payload), following) + IPV6[7:] + payload


def fields(packet: bytes, protocol: int = 1, faithful: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for outline, values in decode(packet, protocol, len(packet), "", faithful):
        found |= dict(zip([name for name, _ in outline.names], values, strict=True))
    return found


def ethernet(kind: int, payload: bytes) -> bytes:
    return LINK + struct.pack("!H", kind) + payload


def test_tcp_in_ipv4_in_ethernet() -> None:
    found = fields(PACKET)
    assert list(found) == [
        *("dstMAC", "srcMAC", "ethernet_type", "IPSize", "ip.tot_len", "srcIP", "dstIP", "IPProtocol", "IPTOS"),
        *("IPTTL", "IPID", "TCPSrcPort", "TCPDstPort", "TCPFlags"),
    ]
    assert (found["IPSize"], found["IPTOS"], found["IPTTL"]) == (40, 40, 64)
    assert (found["TCPSrcPort"], found["TCPDstPort"], found["TCPFlags"]) == (1234, 443, 18)
    assert found["IPID"] == 0x1234
    assert fields(PACKET, faithful=True)["IPID"] == 0x3412


@pytest.mark.parametrize("faithful", [True, False])
@pytest.mark.parametrize("protocol", [6, 17])
def test_most_packets_are_read_at_once_as_the_others_are(protocol: int, faithful: bool) -> None:
    plain = ethernet(0x0800, ipv4(protocol, TCP))
    tagged = LINK + bytes.fromhex("8100 6064") + plain[12:]
    slow = fields(tagged, faithful=faithful)
    assert (slow.pop("decodedVLAN"), slow.pop("decodedPriority")) == (100, 3)
    assert fields(plain, faithful=faithful) == slow


def test_tags_are_numbered_from_the_second() -> None:
    packet = LINK + bytes.fromhex("88a8 0064 8100 a0c8") + ethernet(0x0806, bytes(28))[12:]
    found = fields(packet)
    assert (found["decodedVLAN"], found["decodedPriority"]) == (100, 0)
    assert (found["decodedVLAN.1"], found["decodedPriority.1"], found["ethernet_type"]) == (200, 5, 0x0806)
    assert "ethernet_type" not in fields(LINK + bytes.fromhex("8100 00"))


def test_icmp_udp_and_options() -> None:
    found = fields(ethernet(0x0800, ipv4(1, ICMP, options=bytes(8))))
    assert (found["ICMPType"], found["ICMPCode"], found["ip.tot_len"]) == (8, 0, 36)
    assert fields(ethernet(0x0800, ipv4(17, bytes.fromhex("03e8 0035 000d 0000"))))["UDPBytes"] == 13
    assert "GRE" not in fields(ethernet(0x0800, ipv4(47, bytes(20))))


def test_later_fragments_have_no_ports() -> None:
    found = fields(ethernet(0x0800, ipv4(17, bytes(20), fragment=100)))
    assert found["IPFragmentOffset"] == 100
    assert "UDPSrcPort" not in found


def test_ipv6_its_extensions_and_its_icmp() -> None:
    found = fields(ethernet(0x86DD, ipv6(0, bytes([6, 0, *bytes(6)]) + TCP)))
    assert found["IPTOS"] == 0x28
    assert (found["IP6_label"], found["IPTTL"], found["IPV6_payloadLen"]) == (0x12345, 60, "28")
    assert (found["IP6HeaderExtension"], found["IPProtocol"], found["TCPDstPort"]) == (0, 6, 443)
    packet = ethernet(0x86DD, ipv6(58, bytes.fromhex("8700 0000 00000000")))
    assert (fields(packet)["ICMPType"], fields(packet)["IPProtocol"]) == (135, 58)
    assert "ICMPType" not in fields(packet, faithful=True)
    assert fields(ethernet(0x86DD, ipv6(60, b"")))["IPV6_payloadLen"] == "<jumbo>"
    assert "IPProtocol" not in fields(ethernet(0x86DD, ipv6(60, bytes([6, 9]))))


def test_ip_without_ethernet() -> None:
    assert fields(ipv4(6, TCP), protocol=11)["TCPSrcPort"] == 1234
    assert fields(ipv6(6, TCP), protocol=12)["TCPSrcPort"] == 1234
    assert fields(b"\x45", protocol=11) == {"IPSize": 1}
    assert fields(b"\x45" + bytes(50), protocol=12) == {"IPSize": 51}


def test_lengths_are_followed_by_llc() -> None:
    payload = ipv4(6, TCP)
    assert fields(ethernet(40, bytes.fromhex("aaaa03 000000 0800") + payload))["TCPSrcPort"] == 1234
    assert fields(ethernet(40, bytes.fromhex("060603") + payload))["ethernet_type"] == 0x0800
    assert fields(ethernet(40, bytes.fromhex("aaaa03 00000c 2000") + payload))["VSNAP_OUI"] == "00-00-0C"
    assert "ethernet_type" not in fields(ethernet(40, bytes.fromhex("424203") + payload))
    assert "ethernet_type" not in fields(ethernet(0x0200, bytes.fromhex("ffff 0040") + payload))


@pytest.mark.parametrize(("control", "source", "destination"), [(0, 2, 1), (1, 2, 3), (2, 3, 1), (3, 4, 3)])
def test_addresses_of_wireless_frames(control: int, source: int, destination: int) -> None:
    addresses = [bytes([2, 0, 0, 0, 0, number]) for number in range(1, 5)]
    frame = bytes([0x08, control, 0, 0]) + b"".join(addresses[:3]) + bytes(2) + addresses[3]
    found = fields(frame, protocol=15)
    assert (found["srcMAC"], found["dstMAC"]) == (addresses[source - 1], addresses[destination - 1])
    assert (found["txMAC"], found["rxMAC"]) == (addresses[1], addresses[0])
    assert fields(bytes([0x80, control]) + bytes(30), protocol=15) == {}
    assert fields(frame[:20], protocol=15) == {}


@pytest.mark.parametrize(("protocol", "word"), [(5, "NO_DECODE"), (18, "NO_DECODE"), (99, "UNKNOWN")])
def test_other_protocols_are_said(protocol: int, word: str) -> None:
    assert decode(b"octets", protocol, 6, "", False) == [(LINE, (f"{word} headerProtocol={protocol}",))]


@pytest.mark.parametrize(
    "packet", [PACKET, LINK + bytes.fromhex("8100 6064") + PACKET[12:], ethernet(0x86DD, ipv6(6, TCP))]
)
def test_cut_anywhere_it_says_less_and_never_something_else(packet: bytes) -> None:
    whole = fields(packet) | {"IPSize": None}
    for end in range(len(packet)):
        found = fields(packet[:end])
        assert found | {"IPSize": None} | whole == whole
    assert "TCPFlags" not in fields(packet[:-7])
    assert fields(packet[:-7])["TCPDstPort"] == 443


@given(st.binary(max_size=100), st.sampled_from([1, 11, 12, 15, 7]), st.booleans())
def test_any_octets_are_read(packet: bytes, protocol: int, faithful: bool) -> None:
    fields(packet, protocol, faithful)
    fields(ethernet(0x0800, packet), 1, faithful)
    fields(ethernet(0x86DD, packet), 1, faithful)
