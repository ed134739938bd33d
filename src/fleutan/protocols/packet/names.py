# SPDX-License-Identifier: Apache-2.0
"""What decoding can give: every name, the layer at which it is read, and what it means.

What lives here knows no header.  The headers inside a tunnel have the same names after
``inner_``, those of a tunnel inside that tunnel after ``inner_inner_``.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import Final


class Layer(IntEnum):
    """How far a packet has to be walked for a name."""

    LINK = 1
    NETWORK = 2
    TRANSPORT = 3
    TUNNEL = 4
    INNER = 5


class Tunnel(IntEnum):
    """What ``tunnel`` says: how the inner packet is carried."""

    PSEUDOWIRE = 1  # Ethernet behind MPLS labels
    IP_IN_IP = 2  # 4in4, 6in4, 4in6, 6in6: ``version`` and ``inner_version`` tell
    GRE = 3
    ERSPAN = 4
    VXLAN = 5
    GENEVE = 6
    GTP_U = 7
    ETHER_IP = 8
    MPLS_IN_IP = 9


INNER: Final = "inner_"

_LINK: Final = {
    "dst_mac": "destination, a number of 48 bits",
    "src_mac": "source, likewise; of Linux cooked captures the sender's",
    "ethertype": "the final one, behind VLAN tags and SNAP; unknown for other 802.2 frames",
    "vlan_tags": "how many 802.1Q and 802.1ad tags there are; known where there is one",
    "vlan": "VLAN id of the outermost tag",
    "vlan_priority": "its priority code point",
    "vlan_dei": "its drop eligible indicator",
    "vlan_tpid": "its tag protocol identifier: 0x8100, 0x88A8, 0x9100 or 0x9200",
    "vlan2": "VLAN id of the second tag",
    "vlan2_priority": "its priority code point",
    "vlan2_dei": "its drop eligible indicator",
    "vlan2_tpid": "its tag protocol identifier",
    "llc_dsap": "destination service access point of an 802.2 frame",
    "llc_ssap": "source service access point",
    "pppoe_code": "0 for a session's packets, else a stage of discovery",
    "pppoe_session": "session id",
    "ppp_protocol": "protocol field of PPP",
    "mpls_label": "top label",
    "mpls_exp": "its traffic class",
    "mpls_bottom": "whether it is the only one: 1 or 0",
    "mpls_ttl": "its time to live",
    "mpls_depth": "how many labels there are; known when the bottom was seen",
    "l2_at": "where the level's first header begins, in octets from the row's beginning, as all places",
    "l2_payload_at": "where the payload of the link's header and tags begins",
}
_NETWORK: Final = {
    "l3_at": "where the IP header begins",
    "version": "4 or 6",
    "src": "source address, (n, 2) halves",
    "dst": "destination address, likewise",
    "proto": "upper-layer protocol, behind extension headers; of later fragments as the fragment says",
    "tos": "type of service or traffic class: DSCP and ECN",
    "ttl": "time to live or hop limit",
    "id": "identification: of IPv4 16 bits, of an IPv6 fragment 32",
    "length": "octets of the whole IP packet as its header says; unknown where it says none (0)",
    "fragment_offset": "in octets; of IPv6 known where there is a fragment header",
    "fragment_flags": "2 don't fragment, 1 more fragments, 4 the reserved bit",
    "fragment_at": "where a fragment's own octets begin; known for fragments only",
    "flow_label": "IPv6",
    "l4_at": "where the upper-layer header begins; unknown for later fragments",
    "arp_operation": "1 request, 2 reply",
    "arp_sender_mac": "a number of 48 bits",
    "arp_sender": "IPv4 address, (n, 2) halves",
    "arp_target_mac": "a number of 48 bits",
    "arp_target": "IPv4 address, (n, 2) halves",
}
_TRANSPORT: Final = {
    "sport": "source port of TCP, UDP, UDP-Lite, SCTP and DCCP",
    "dport": "destination port",
    "tcp_flags": "12 bits, the lowest 8 of them CWR to FIN",
    "tcp_seq": "sequence number",
    "tcp_ack": "acknowledgement number, whether the ACK flag is set or not",
    "tcp_window": "as sent, not scaled",
    "udp_length": "octets with the header",
    "sctp_tag": "verification tag",
    "icmp_type": "of ICMP and ICMPv6",
    "icmp_code": "of ICMP and ICMPv6",
    "spi": "security parameters index of AH and ESP",
    "payload_at": "where the transport's payload begins, perhaps beyond what was captured",
}
_TUNNEL: Final = {
    "tunnel": "how an inner packet is carried: a number of ``Tunnel``",
    "tunnel_id": "VNI, TEID, GRE key, ERSPAN session or a pseudowire's label",
    "gre_protocol": "protocol type",
    "gre_key": "32 bits",
    "gre_sequence": "sequence number",
    "nvgre_vsid": "upper 24 bits of a GRE key before Ethernet, NVGRE's network; a plain keyed GRE looks the same",
    "erspan_vlan": "the mirrored frame's VLAN",
    "gtp_type": "message type, 255 for a user's packet",
}
_ROW: Final = {
    "truncated": "whether the captured octets end inside a header; known in every row that has the level",
    "malformed": "whether a header cannot be one, or more follow each other than are read; likewise",
}

#: Every name of the outermost level and what it means.
NAMES: Final = {**_LINK, **_NETWORK, **_TRANSPORT, **_TUNNEL, **_ROW}
_LAYERS: Final = {
    **dict.fromkeys(_LINK, Layer.LINK),
    **dict.fromkeys(_NETWORK, Layer.NETWORK),
    **dict.fromkeys(_TRANSPORT, Layer.TRANSPORT),
    **dict.fromkeys(_TUNNEL, Layer.TUNNEL),
    **dict.fromkeys(_ROW, Layer.TUNNEL),
}


@cache
def layer_of(name: str) -> Layer:
    """How far a packet is walked for this name; KeyError for one that is none."""
    if name.startswith(INNER):
        return max(Layer.INNER, layer_of(name.removeprefix(INNER)))
    return _LAYERS[name]
