# SPDX-License-Identifier: Apache-2.0
"""The kernel's reasons for dropping a packet as sFlow's codes, and which of them are no loss.

Names are those of include/net/dropreason-core.h without their prefix, of every kernel since 5.17; the
codes those of ``protocols.sflow.reasons``.  A reason that is in no line is "unknown" there, and its own name
goes with the sample.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleutan.protocols.sflow.reasons import REASONS

UNKNOWN, TTL_EXCEEDED = 256, 257

#: Left out: no packet is lost to anybody.  It was used up (a reset that ended its connection was obeyed), came twice,
#: was meant for another host and only seen here, or lay unread in a socket that was closed; or what was
#: dropped is a copy for who listens in.
_NOT_LOST = (
    "SKB_NOT_DROPPED_YET SKB_CONSUMED NOT_SPECIFIED TCP_OLD_DATA TCP_OFOMERGE TCP_OLD_ACK TCP_RESET OTHERHOST "
    "PACKET_SOCK_ERROR SOCKET_CLOSE QUEUE_PURGE UNIX_DISCONNECT UNIX_SKIP_OOB"
)
#: Where a packet is dropped for these the device is the one that it would have left by.
_LEAVING = (
    "QDISC_DROP QDISC_OVERLIMIT QDISC_CONGESTED CAKE_FLOOD FQ_BAND_LIMIT FQ_HORIZON_LIMIT FQ_FLOW_LIMIT "
    "DUALPI2_STEP_DROP TC_EGRESS NEIGH_CREATEFAIL NEIGH_FAILED NEIGH_QUEUEFULL NEIGH_DEAD NEIGH_HH_FILLFAIL "
    "BPF_CGROUP_EGRESS DEV_HDR SKB_GSO_SEG TUNNEL_TXINFO RECURSION_LIMIT TAP_TXFILTER TAP_FILTER PSP_OUTPUT"
)
#: Packets that come in are dropped for these before the kernel notes where they came in.
_ENTERING = "CPU_BACKLOG XDP TC_INGRESS UNHANDLED_PROTO IPV6DISABLED MAC_INVALID_SOURCE LOCAL_MAC"
NOT_LOST, LEAVING, ENTERING = (frozenset(names.split()) for names in (_NOT_LOST, _LEAVING, _ENTERING))

#: A code of sFlow by its name there, and the kernel's reasons that mean it.
_MEANT = (
    # where to
    ("net_unreachable", "IP_OUTNOROUTES IP_INNOROUTES"),
    ("port_unreachable", "NO_SOCKET"),
    ("non_routable_packet", "IP_INADDRERRORS IP_INVALID_DEST"),
    ("unresolved_neigh", "NEIGH_CREATEFAIL NEIGH_FAILED NEIGH_QUEUEFULL NEIGH_DEAD NEIGH_HH_FILLFAIL"),
    ("port_list_is_empty", "NO_TX_TARGET"),
    ("reverse_path_forwarding", "IP_RPFILTER IP_LOCAL_SOURCE"),
    ("sip_is_mc", "IP_INVALID_SOURCE"),
    ("sip_is_loopback_address", "IP_LOCALNET"),
    ("uc_dip_over_mc_dmac", "UNICAST_IN_L2_MULTICAST"),
    ("src_mac_is_multicast", "MAC_INVALID_SOURCE"),
    ("dmac_is_reserved", "MAC_IEEE_MAC_CONTROL"),
    ("ingress_spanning_tree_filter", "BRIDGE_INGRESS_STP_STATE"),
    # policy
    ("acl", "NETFILTER_DROP OVS_DROP_LAST_ACTION OVS_DROP_EXPLICIT OVS_DROP_CONNTRACK"),
    ("comm_admin_prohibited", "SECURITY_HOOK"),
    ("xfrm_policy", "XFRM_POLICY"),
    ("socket_filter", "SOCKET_FILTER"),
    ("bpf_cgroup_egress", "BPF_CGROUP_EGRESS"),
    ("xdp", "XDP"),
    ("tc_ingress", "TC_INGRESS"),
    ("tc_egress", "TC_EGRESS"),
    ("tap_filter", "TAP_FILTER"),
    ("tap_txfilter", "TAP_TXFILTER"),
    # room and rates
    (
        "no_buffer_space",
        "SOCKET_RCVBUFF SOCKET_BACKLOG PROTO_MEM NOMEM PFMEMALLOC FULL_RING QDISC_OVERLIMIT FQ_BAND_LIMIT "
        "FQ_FLOW_LIMIT TCP_LISTEN_OVERFLOW",
    ),
    ("traffic_shaping", "QDISC_DROP FQ_HORIZON_LIMIT OVS_DROP_METER"),
    ("red", "QDISC_CONGESTED CAKE_FLOOD DUALPI2_STEP_DROP"),
    ("cpu_backlog", "CPU_BACKLOG"),
    # headers, checksums, sizes
    ("ttl_exceeded", "OVS_DROP_IP_TTL"),
    ("ip_header_corrupted", "IP_INHDR IP_CSUM"),
    ("skb_csum", "SKB_CSUM TCP_CSUM UDP_CSUM ICMP_CSUM"),
    ("pkt_too_small", "PKT_TOO_SMALL HDR_TRUNC"),
    ("pkt_too_big", "PKT_TOO_BIG"),
    ("unhandled_proto", "UNHANDLED_PROTO"),
    ("invalid_proto", "INVALID_PROTO"),
    ("ip_noproto", "IP_NOPROTO"),
    ("ipv6disabled", "IPV6DISABLED"),
    ("ipv6_bad_exthdr", "IPV6_BAD_EXTHDR"),
    ("ipv6_ndisc_frag", "IPV6_NDISC_FRAG"),
    ("ipv6_ndisc_hop_limit", "IPV6_NDISC_HOP_LIMIT"),
    ("ipv6_ndisc_bad_code", "IPV6_NDISC_BAD_CODE"),
    ("ipv6_ndisc_bad_options", "IPV6_NDISC_BAD_OPTIONS"),
    ("ipv6_ndisc_ns_otherhost", "IPV6_NDISC_NS_OTHERHOST"),
    ("dup_frag", "DUP_FRAG"),
    ("skb_gso_seg", "SKB_GSO_SEG"),
    ("skb_ucopy_fault", "SKB_UCOPY_FAULT"),
    ("dev_ready", "DEV_READY"),
    ("dev_hdr", "DEV_HDR"),
    ("vxlan_parsing", "VXLAN_INVALID_HDR"),
    ("unknown_tunnel", "VXLAN_VNI_NOT_FOUND"),
    ("decap_error", "IP_TUNNEL_ECN"),
    # TCP
    ("tcp_parsing", "TCP_AUTH_HDR"),
    ("tcp_md5notfound", "TCP_MD5NOTFOUND"),
    ("tcp_md5unexpected", "TCP_MD5UNEXPECTED"),
    ("tcp_md5failure", "TCP_MD5FAILURE"),
    ("tcp_flags", "TCP_FLAGS"),
    ("tcp_zerowindow", "TCP_ZEROWINDOW"),
    ("tcp_old_data", "TCP_OLD_DATA"),
    ("tcp_overwindow", "TCP_OVERWINDOW"),
    ("tcp_ofomerge", "TCP_OFOMERGE"),
    ("tcp_rfc7323_paws", "TCP_RFC7323_PAWS TCP_RFC7323_PAWS_ACK TCP_RFC7323_TW_PAWS TCP_RFC7323_TSECR"),
    (
        "tcp_invalid_sequence",
        "TCP_OLD_SEQUENCE TCP_INVALID_SEQUENCE TCP_INVALID_END_SEQUENCE TCP_INVALID_ACK_SEQUENCE",
    ),
    ("tcp_reset", "TCP_RESET"),
    ("tcp_invalid_syn", "TCP_INVALID_SYN"),
    ("tcp_close", "TCP_CLOSE TCP_ABORT_ON_DATA"),
    ("tcp_fastopen", "TCP_FASTOPEN"),
    ("tcp_old_ack", "TCP_OLD_ACK"),
    ("tcp_too_old_ack", "TCP_TOO_OLD_ACK"),
    ("tcp_ack_unsent_data", "TCP_ACK_UNSENT_DATA"),
    ("tcp_ofo_queue_prune", "TCP_OFO_QUEUE_PRUNE"),
    ("tcp_ofo_drop", "TCP_OFO_DROP"),
    ("tcp_minttl", "TCP_MINTTL"),
)
_NUMBERS = {name: number for number, name in REASONS.items()}
#: sFlow's code of each of the kernel's reasons that has one.
CODES: Mapping[str, int] = {reason: _NUMBERS[name] for name, reasons in _MEANT for reason in reasons.split()}
#: For this one the kernel also drops what it forwards and whose time to live is over.
PERHAPS_TTL = "IP_INHDR"
