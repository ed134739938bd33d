# SPDX-License-Identifier: Apache-2.0
"""What is said of a sampled packet: its header, how it was switched, routed, translated and tunnelled, or dropped.

From sFlow Version 5, sFlow 802.11 Structures, sFlow Tunnel Structures, the drafts for InfiniBand
and OpenFlow, sFlow Dropped Packet Notification Structures and sFlow Transit Delay Structures.
"""

from __future__ import annotations

from fleutan.protocols.sflow.layouts.xdr import (
    ADDRESS,
    ELEMENTS,
    GID,
    IPV4,
    IPV6,
    MAC,
    OPAQUE,
    U32,
    U64,
    Array,
    Layout,
    row,
    string,
)

SAMPLED_HEADER = row("protocol frame_length stripped", U32, "header", OPAQUE)
SAMPLED_ETHERNET = row("length", U32, "src_mac dst_mac", MAC, "type", U32)
SAMPLED_IPV4 = row("length protocol", U32, "src_ip dst_ip", IPV4, "src_port dst_port tcp_flags tos", U32)
SAMPLED_IPV6 = row("length protocol", U32, "src_ip dst_ip", IPV6, "src_port dst_port tcp_flags priority", U32)
STACK = row("stack", Array(U32))
AS_PATH_SEGMENT = row("type", U32, "as", Array(U32))

LAYOUTS = (
    Layout(0, 1, "sampled_header", SAMPLED_HEADER),
    Layout(0, 2, "sampled_ethernet", SAMPLED_ETHERNET),
    Layout(0, 3, "sampled_ipv4", SAMPLED_IPV4),
    Layout(0, 4, "sampled_ipv6", SAMPLED_IPV6),
    Layout(0, 1001, "extended_switch", row("src_vlan src_priority dst_vlan dst_priority", U32)),
    Layout(0, 1002, "extended_router", row("nexthop", ADDRESS, "src_mask_len dst_mask_len", U32)),
    Layout(
        0,
        1003,
        "extended_gateway",
        row(
            *("nexthop", ADDRESS, "as src_as src_peer_as", U32),
            *("dst_as_path", Array(AS_PATH_SEGMENT), "communities", Array(U32), "localpref", U32),
        ),
    ),
    Layout(
        0,
        1004,
        "extended_user",
        row("src_charset", U32, "src_user", string(), "dst_charset", U32, "dst_user", string()),
    ),
    Layout(0, 1005, "extended_url", row("direction", U32, "url host", string())),
    Layout(0, 1006, "extended_mpls", row("nexthop", ADDRESS, "in_stack out_stack", Array(U32))),
    Layout(0, 1007, "extended_nat", row("src_address dst_address", ADDRESS)),
    Layout(0, 1008, "extended_mpls_tunnel", row("tunnel_lsp_name", string(), "tunnel_id tunnel_cos", U32)),
    Layout(0, 1009, "extended_mpls_vc", row("vc_instance_name", string(), "vll_vc_id vc_label_cos", U32)),
    Layout(0, 1010, "extended_mpls_FTN", row("mplsFTNDescr", string(), "mplsFTNMask", U32)),
    Layout(0, 1011, "extended_mpls_LDP_FEC", row("mplsFecAddrPrefixLength", U32)),
    Layout(0, 1012, "extended_vlantunnel", STACK),
    Layout(0, 1013, "extended_80211_payload", row("ciphersuite", U32, "data", OPAQUE)),
    # InMon's own decoder takes the payload for a whole sampled_header.
    Layout(0, 1013, "extended_80211_payload", (*row("ciphersuite", U32), *SAMPLED_HEADER)),
    Layout(
        0,
        1014,
        "extended_80211_rx",
        row(
            *("ssid", string(32), "bssid", MAC, "version channel", U32),
            *("speed", U64, "rsni rcpi packet_duration", U32),
        ),
    ),
    Layout(
        0,
        1015,
        "extended_80211_tx",
        row(
            *("ssid", string(32), "bssid", MAC, "version transmissions packet_duration retrans_duration channel", U32),
            *("speed", U64, "power", U32),
        ),
    ),
    Layout(0, 1016, "extended_80211_aggregation", row("pdus", Array(row("flow_records", ELEMENTS)))),
    Layout(0, 1017, "extended_openflow_v1", row("flow_cookie", U64, "flow_match flow_actions", U32)),
    Layout(0, 1018, "extended_fc", row("src_mask_len dst_mask_len next_hop metric", U32)),
    Layout(0, 1020, "extended_nat_port", row("src_port dst_port", U32)),
    Layout(0, 1021, "extended_L2_tunnel_egress", SAMPLED_ETHERNET),
    Layout(0, 1022, "extended_L2_tunnel_ingress", SAMPLED_ETHERNET),
    Layout(0, 1023, "extended_ipv4_tunnel_egress", SAMPLED_IPV4),
    Layout(0, 1024, "extended_ipv4_tunnel_ingress", SAMPLED_IPV4),
    Layout(0, 1025, "extended_ipv6_tunnel_egress", SAMPLED_IPV6),
    Layout(0, 1026, "extended_ipv6_tunnel_ingress", SAMPLED_IPV6),
    Layout(0, 1027, "extended_decapsulate_egress", row("inner_header_offset", U32)),
    Layout(0, 1028, "extended_decapsulate_ingress", row("inner_header_offset", U32)),
    Layout(0, 1029, "extended_vni_egress", row("vni", U32)),
    Layout(0, 1030, "extended_vni_ingress", row("vni", U32)),
    Layout(
        0,
        1031,
        "extended_ib_lrh",
        row("src_vl src_sl src_dlid src_slid src_lnh dst_vl dst_sl dst_dlid dst_slid dst_lnh", U32),
    ),
    Layout(0, 1032, "extended_ib_grh", row("flow_label tc", U32, "s_gid d_gid", GID, "next_header length", U32)),
    Layout(0, 1033, "extended_ib_brh", row("pky dst_qp", U32)),
    Layout(0, 1034, "extended_vlanin", STACK),
    Layout(0, 1035, "extended_vlanout", STACK),
    Layout(0, 1036, "extended_egress_queue", row("queue", U32)),
    Layout(0, 1037, "extended_acl", row("number", U32, "name", string(), "direction", U32)),
    Layout(0, 1038, "extended_function", row("symbol", string())),
    Layout(0, 1039, "extended_transit_delay", row("delay", U32)),
    Layout(0, 1040, "extended_queue_depth", row("depth", U32)),
    Layout(0, 1041, "extended_hw_trap", row("group trap", string())),
    Layout(0, 1042, "extended_linux_drop_reason", row("reason", string())),
    Layout(0, 1043, "extended_timestamp", row("nanoseconds", U64)),
    Layout(4413, 1, "extended_bst_egress_queue", row("queue", U32)),
)
