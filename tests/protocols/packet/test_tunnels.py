# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.protocols.packet.stacks import (
    BRIDGED,
    FRAME,
    INNER4,
    INNER6,
    IPV4,
    IPV6,
    MPLS,
    TYPE4,
    TYPE_ARP,
    arp,
    ethernet,
    geneve,
    gre,
    gtp,
    halves,
    ipv4,
    ipv6,
    label,
    of,
    said,
    udp,
    vxlan,
)

from fleutan.protocols.packet.names import Tunnel
from fleutan.protocols.packet.tunnels import MOST_GTP_EXTENSIONS

#: The tunnel, its number, the version inside and where the packet inside begins.
TUNNELS = {
    "pseudowire": (Tunnel.PSEUDOWIRE, 99, 4, 8),
    "pseudowire plain": (Tunnel.PSEUDOWIRE, 99, 4, 4),
    "ipip": (Tunnel.IP_IN_IP, None, 4, 20),
    "6in4": (Tunnel.IP_IN_IP, None, 6, 20),
    "4in6": (Tunnel.IP_IN_IP, None, 4, 40),
    "gre": (Tunnel.GRE, 0x01020304, 4, 36),
    "gretap": (Tunnel.GRE, 0x00ABCD05, 4, 28),
    "pptp": (Tunnel.GRE, 0x00100020, 4, 36),
    "erspan1": (Tunnel.ERSPAN, None, 4, 24),
    "erspan2": (Tunnel.ERSPAN, 0x57, 4, 36),
    "erspan3": (Tunnel.ERSPAN, 0x58, 4, 48),
    "vxlan": (Tunnel.VXLAN, 0xABCDE, 4, 50),
    "gpe": (Tunnel.VXLAN, 77, 6, 36),
    "geneve": (Tunnel.GENEVE, 0x12345, 4, 44),
    "gtp": (Tunnel.GTP_U, 0xDEAD, 6, 36),
    "gtp extended": (Tunnel.GTP_U, 0xDEAE, 4, 48),
    "etherip": (Tunnel.ETHER_IP, None, 4, 22),
}


@pytest.mark.parametrize("name", TUNNELS)
def test_tunnels_have_a_kind_a_number_and_a_packet_inside(name: str) -> None:
    tunnel, number, version, place = TUNNELS[name]
    found = of(name)
    assert (found["tunnel"], found.get("tunnel_id")) == (tunnel, number)
    assert (found["inner_version"], found["inner_l2_at"]) == (version, place)
    assert found["inner_src"] == halves("192.0.2.1" if version == 4 else "2001:db8::1")
    assert found["inner_dport"] == (443 if version == 4 else 53)
    assert not found["inner_truncated"]


def test_packets_without_a_tunnel_have_nothing_inside() -> None:
    assert not [name for name in of("tcp") if name.startswith("inner_") or name == "tunnel"]


def test_packets_inside_tunnels_have_all_layers() -> None:
    found = said(ethernet(TYPE4, ipv4(17, vxlan(5, ethernet(0x8100, struct.pack("!HH", 0x6007, TYPE_ARP) + arp())))))
    assert (found["inner_vlan"], found["inner_vlan_priority"], found["inner_arp_operation"]) == (7, 3, 1)
    assert found["inner_dst_mac"] == found["dst_mac"]


def test_gre_has_options() -> None:
    found = of("gre")
    assert (found["gre_protocol"], found["gre_key"], found["gre_sequence"]) == (TYPE4, 0x01020304, 9)
    assert "nvgre_vsid" not in found
    assert of("gretap")["nvgre_vsid"] == 0x00ABCD
    sequenced = said(ipv4(47, gre(BRIDGED, FRAME, 0x3000, bytes(8))), IPV4)
    assert "nvgre_vsid" not in sequenced


def test_gre_that_is_not_read_is_still_a_tunnel() -> None:
    found = said(ipv4(47, gre(0x88CC, bytes(20))), IPV4)
    assert (found["tunnel"], found["gre_protocol"]) == (Tunnel.GRE, 0x88CC)
    assert "inner_l2_at" not in found


@pytest.mark.parametrize("flags", [0x4000, 0x0002])
def test_gre_with_routes_or_of_later_versions_is_malformed(flags: int) -> None:
    found = said(ipv4(47, gre(TYPE4, INNER4, flags)), IPV4)
    assert found["malformed"]
    assert "tunnel" not in found


def test_gre_that_is_cut_has_no_key() -> None:
    found = said(ipv4(47, gre(TYPE4, b"", 0x2000, b"\0\0")), IPV4)
    assert found["truncated"]
    assert "gre_key" not in found


def test_erspan_says_the_vlan() -> None:
    assert (of("erspan2")["erspan_vlan"], of("erspan3")["erspan_vlan"]) == (0x064, 0x065)


@pytest.mark.parametrize(("frame", "inside"), [(2, INNER6), (1, INNER6)])
def test_erspan_of_the_third_type_may_mirror_ip(frame: int, inside: bytes) -> None:
    header = struct.pack("!IIHH", 0x20000001, 0, 0, frame << 10)
    found = said(ipv4(47, gre(0x22EB, header + inside, 0x1000, bytes(4))), IPV4)
    assert (found["tunnel_id"], "inner_src" in found) == (1, frame == 2)


@pytest.mark.parametrize("start", [b"\x00\0\0\0\0\0\1\0", b"\x0c\0\0\0\0\0\1\0", b"\x08\0\0\0\0\0\1\1"])
def test_another_flag_than_vxlans_is_no_vxlan(start: bytes) -> None:
    found = said(ipv4(17, udp(4789, start + FRAME)), IPV4)
    assert not found["malformed"]
    assert "tunnel" not in found


def test_linux_own_port_is_vxlan_too() -> None:
    assert said(ipv4(17, udp(8472, b"\x08\0\0\0\0\0\1\0" + FRAME)), IPV4)["tunnel_id"] == 1


def test_geneve_may_carry_ip_and_be_cut_in_its_options() -> None:
    assert said(ipv4(17, geneve(1, TYPE4, INNER4)), IPV4)["inner_dport"] == 443
    cut = said(ipv4(17, geneve(1, TYPE4, INNER4, bytes(20)))[:40], IPV4)
    assert cut["truncated"]
    assert "tunnel" not in cut


def test_gtp_signals_without_a_packet_inside() -> None:
    found = said(ipv4(17, gtp(0, bytes(8), 0x32, bytes(4), kind=1)), IPV4)
    assert found["gtp_type"] == 1
    assert found.keys() & {"tunnel", "tunnel_id"} == set()


def test_gtp_with_a_sequence_number_has_no_extensions() -> None:
    assert said(ipv4(17, gtp(1, INNER4, 0x32, b"\0\1\0\x85")), IPV4)["inner_dport"] == 443


@pytest.mark.parametrize("extension", [b"\0\0\0\0", b"\x01\0\0\x85" * MOST_GTP_EXTENSIONS])
def test_extensions_without_a_length_or_an_end_are_malformed(extension: bytes) -> None:
    found = said(ipv4(17, gtp(1, extension + INNER4, 0x34, b"\0\0\0\x85")), IPV4)
    assert found["malformed"]
    assert (found["tunnel_id"], "inner_src" in found) == (1, False)


def test_ethernet_and_labels_may_stand_behind_ip() -> None:
    segment = said(ipv6(143, FRAME), IPV6)
    assert (segment["tunnel"], segment["inner_dport"]) == (Tunnel.ETHER_IP, 443)
    labelled = said(ipv4(137, label(16, INNER4)), IPV4)
    assert (labelled["tunnel"], labelled["inner_mpls_label"], labelled["inner_dport"]) == (Tunnel.MPLS_IN_IP, 16, 443)


def test_behind_labels_may_be_what_is_not_ethernet() -> None:
    found = said(label(16, b"\x01\x02" + bytes(30)), MPLS)
    assert "tunnel" not in found
    assert found["mpls_depth"] == 1
