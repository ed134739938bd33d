# SPDX-License-Identifier: Apache-2.0
"""Headers as tables of bits, as the RFCs draw them.

What lives here says where members stand in a header, and what a header that is one must say; it
reads nothing.  Names that begin with ``_`` are for the walk alone and become no columns.
"""

from __future__ import annotations

from typing import Final, NamedTuple

IPV4_BITS, IPV6_BITS = 32, 128


class Member(NamedTuple):
    """``bits`` of a header from its bit ``first``, counted from the most significant of octet 0."""

    name: str
    first: int
    bits: int
    address: bool = False

    @property
    def end(self) -> int:
        """How many octets of the header it needs."""
        return (self.first + self.bits + 7) // 8


class Layout(NamedTuple):
    """A header of ``size`` octets (its fixed part).

    ``expected``: values of members without which it is no such header.  ``guessed``: only a port
    said that it is one, so that another value there is no mistake of the packet.
    """

    size: int
    members: tuple[Member, ...]
    expected: tuple[tuple[str, int], ...] = ()
    guessed: bool = False


def _address(name: str, first: int, bits: int) -> Member:
    return Member(name, first, bits, address=True)


def _tag(name: str) -> Layout:
    """IEEE 802.1Q 9.6, from the tag protocol identifier to the type behind the tag."""
    return Layout(
        6,
        (
            Member(f"{name}_tpid", 0, 16),
            Member(f"{name}_priority", 16, 3),
            Member(f"{name}_dei", 19, 1),
            Member(name, 20, 12),
            Member("_type", 32, 16),
        ),
    )


# IEEE 802.3 3.2
ETHERNET: Final = Layout(14, (Member("dst_mac", 0, 48), Member("src_mac", 48, 48), Member("_type", 96, 16)))
#: The outermost tag, the second one, all others.
TAGS: Final = (_tag("vlan"), _tag("vlan2"), _tag("_vlan"))
# IEEE 802.2 3.2; RFC 1042 (SNAP)
LLC: Final = Layout(3, (Member("llc_dsap", 0, 8), Member("llc_ssap", 8, 8), Member("_control", 16, 8)))
SNAP: Final = Layout(5, (Member("_organisation", 0, 24), Member("_type", 24, 16)))
# RFC 2516 4
PPPOE: Final = Layout(
    6,
    (Member("_version", 0, 4), Member("_kind", 4, 4), Member("pppoe_code", 8, 8), Member("pppoe_session", 16, 16)),
    (("_version", 1), ("_kind", 1)),
)
# RFC 1662 3.1: address and control, which may be left out; Cisco's HDLC has its own (RFC 1547 4.3.1)
PPP_START: Final = Layout(2, (Member("_address", 0, 8), Member("_control", 8, 8)))
CISCO_HDLC: Final = Layout(4, (Member("_type", 16, 16),))
# RFC 1661 2 and 6.5: an odd first octet is the whole number
PPP_SHORT: Final = Layout(1, (Member("ppp_protocol", 0, 8),))
PPP: Final = Layout(2, (Member("ppp_protocol", 0, 16),))
# LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2, LINKTYPE_NULL and LINKTYPE_LOOP of tcpdump.org's list
SLL: Final = Layout(16, (Member("_size", 32, 16), Member("_sender", 48, 48), Member("_type", 112, 16)))
SLL2: Final = Layout(20, (Member("_type", 0, 16), Member("_size", 88, 8), Member("_sender", 96, 48)))
NULL: Final = Layout(4, (Member("_first", 0, 8), Member("_last", 24, 8)))
NIBBLE: Final = Layout(1, (Member("_nibble", 0, 4),))
# RFC 3032 2.1; RFC 5462 (traffic class)
LABEL: Final = Layout(
    4,
    (
        Member("mpls_label", 0, 20),
        Member("mpls_exp", 20, 3),
        Member("mpls_bottom", 23, 1),
        Member("mpls_ttl", 24, 8),
    ),
)
FURTHER_LABEL: Final = Layout(4, (Member("_label", 0, 20), Member("_bottom", 23, 1)))

# RFC 791 3.1
IPV4: Final = Layout(
    20,
    (
        Member("version", 0, 4),
        Member("_words", 4, 4),
        Member("tos", 8, 8),
        Member("_length", 16, 16),
        Member("id", 32, 16),
        Member("fragment_flags", 48, 3),
        Member("_offset", 51, 13),
        Member("ttl", 64, 8),
        Member("_proto", 72, 8),
        _address("src", 96, IPV4_BITS),
        _address("dst", 128, IPV4_BITS),
    ),
    (("version", 4),),
)
# RFC 8200 3
IPV6: Final = Layout(
    40,
    (
        Member("version", 0, 4),
        Member("tos", 4, 8),
        Member("flow_label", 12, 20),
        Member("_length", 32, 16),
        Member("_proto", 48, 8),
        Member("ttl", 56, 8),
        _address("src", 64, IPV6_BITS),
        _address("dst", 192, IPV6_BITS),
    ),
    (("version", 6),),
)
# RFC 8200 4.3, 4.4, 4.6; 4.5; RFC 4302 2
EXTENSION: Final = Layout(2, (Member("_proto", 0, 8), Member("_units", 8, 8)))
FRAGMENT: Final = Layout(
    8, (Member("_proto", 0, 8), Member("_offset", 16, 13), Member("fragment_flags", 31, 1), Member("id", 32, 32))
)
AUTHENTICATION: Final = Layout(8, (Member("_proto", 0, 8), Member("_units", 8, 8), Member("spi", 32, 32)))
# RFC 826, of IPv4 over Ethernet
ARP: Final = Layout(
    28,
    (
        Member("_hardware", 0, 16),
        Member("_protocol", 16, 16),
        Member("_hardware_size", 32, 8),
        Member("_protocol_size", 40, 8),
        Member("arp_operation", 48, 16),
        Member("arp_sender_mac", 64, 48),
        _address("arp_sender", 112, IPV4_BITS),
        Member("arp_target_mac", 144, 48),
        _address("arp_target", 192, IPV4_BITS),
    ),
    (("_hardware", 1), ("_protocol", 0x0800), ("_hardware_size", 6), ("_protocol_size", 4)),
    guessed=True,
)

_SPORT, _DPORT = Member("sport", 0, 16), Member("dport", 16, 16)
# RFC 9293 3.1
TCP: Final = Layout(
    20,
    (
        _SPORT,
        _DPORT,
        Member("tcp_seq", 32, 32),
        Member("tcp_ack", 64, 32),
        Member("_words", 96, 4),
        Member("tcp_flags", 100, 12),
        Member("tcp_window", 112, 16),
    ),
)
# RFC 768; RFC 3828 (UDP-Lite, whose third word is no length); RFC 9260 3.1; RFC 4340 5.1
UDP: Final = Layout(8, (_SPORT, _DPORT, Member("udp_length", 32, 16)))
UDP_LITE: Final = Layout(8, (_SPORT, _DPORT))
SCTP: Final = Layout(12, (_SPORT, _DPORT, Member("sctp_tag", 32, 32)))
DCCP: Final = Layout(12, (_SPORT, _DPORT, Member("_words", 32, 8)))
# RFC 792, RFC 4443 2.1
ICMP: Final = Layout(4, (Member("icmp_type", 0, 8), Member("icmp_code", 8, 8)))
# RFC 4303 2
ESP: Final = Layout(8, (Member("spi", 0, 32),))

# RFC 2784 2.1, RFC 2890 2, RFC 2637 4.1 (version 1)
GRE: Final = Layout(
    4,
    (
        Member("_checksum", 0, 1),
        Member("_routing", 1, 1),
        Member("_key", 2, 1),
        Member("_sequence", 3, 1),
        Member("_acknowledged", 8, 1),
        Member("_version", 13, 3),
        Member("gre_protocol", 16, 16),
    ),
)
GRE_KEY: Final = Layout(4, (Member("gre_key", 0, 32),))
GRE_SEQUENCE: Final = Layout(4, (Member("gre_sequence", 0, 32),))
# draft-foschiano-erspan 4.2, 4.3
ERSPAN2: Final = Layout(
    8, (Member("_version", 0, 4), Member("erspan_vlan", 4, 12), Member("_session", 22, 10)), (("_version", 1),)
)
ERSPAN3: Final = Layout(
    12,
    (
        Member("_version", 0, 4),
        Member("erspan_vlan", 4, 12),
        Member("_session", 22, 10),
        Member("_frame", 81, 5),
        Member("_more", 95, 1),
    ),
    (("_version", 2),),
)
# RFC 7348 5: all other flags and the last octet are 0, but for the group policy's bit in front
VXLAN: Final = Layout(
    8,
    (Member("_flags", 1, 7), Member("_vni", 32, 24), Member("_reserved", 56, 8)),
    (("_flags", 0x08), ("_reserved", 0)),
    guessed=True,
)
# draft-ietf-nvo3-vxlan-gpe 3
VXLAN_GPE: Final = Layout(
    8,
    (Member("_version", 2, 2), Member("_known", 4, 1), Member("_next", 24, 8), Member("_vni", 32, 24)),
    (("_version", 0), ("_known", 1)),
    guessed=True,
)
# RFC 8926 3.4
GENEVE: Final = Layout(
    8,
    (
        Member("_version", 0, 2),
        Member("_words", 2, 6),
        Member("_reserved", 10, 6),
        Member("_type", 16, 16),
        Member("_vni", 32, 24),
    ),
    (("_version", 0), ("_reserved", 0)),
    guessed=True,
)
# 3GPP TS 29.281 5.1; the longer form where one of the last three flags is set
GTP_U: Final = Layout(
    8,
    (
        Member("_version", 0, 3),
        Member("_kind", 3, 1),
        Member("_optional", 5, 3),
        Member("gtp_type", 8, 8),
        Member("_teid", 32, 32),
    ),
    (("_version", 1), ("_kind", 1)),
    guessed=True,
)
GTP_U_LONG: Final = Layout(12, (Member("_extended", 5, 1), Member("_next", 88, 8)))
OCTET: Final = Layout(1, (Member("_octet", 0, 8),))
# RFC 3378 2
ETHER_IP: Final = Layout(2, (Member("_version", 0, 4),), (("_version", 3),))
# Ethernet with the control word of RFC 4385 3 before it, and without
PSEUDOWIRE: Final = Layout(
    18, (Member("_nibble", 0, 4), Member("_type", 96, 16), Member("_type_behind_control", 128, 16))
)
