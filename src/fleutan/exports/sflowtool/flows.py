# SPDX-License-Identifier: Apache-2.0
"""How sflowtool calls what is said of packets and transactions: by structure, in the order in which it prints them.

A name stands beside the field it is printed from.  What is printed in another way than a name and
a field each (packets, paths, label stacks) is in ``structures`` and ``packets``.
"""

from __future__ import annotations

from typing import NamedTuple


class Printed(NamedTuple):
    """A structure as it is printed: words that stand first, then ``name`` or ``name=field`` in order.

    Names without a field are the structure's fields in wire order.  ``always`` are names whose
    string is printed even where it is empty.
    """

    lead: tuple[tuple[str, str], ...] = ()
    names: str = ""
    always: str = ""


def _extended(kind: str, names: str, always: str = "") -> Printed:
    return Printed((("extendedType", kind),), names, always)


_SOCKET = ("ip_protocol", "local_ip", "remote_ip", "local_port", "remote_port")


def _socket(kind: str) -> Printed:
    return _extended(kind, " ".join(f"{kind}_{name}" for name in _SOCKET))


_ETHERNET = "{0}ethernet_type=type {0}ethernet_len=length {0}ethernet_src=src_mac {0}ethernet_dst=dst_mac"


def _ethernet(prefix: str = "") -> Printed:
    return Printed((("flowSampleType", f"{prefix}ETHERNET"),), _ETHERNET.format(prefix))


_HTTP = "http_method http_protocol http_uri http_host http_referrer http_useragent"
_SAMPLED = (("flowSampleType", "http"),)

FLOWS = {
    1: Printed(
        (("flowSampleType", "HEADER"),), "headerProtocol=protocol sampledPacketSize=frame_length strippedBytes=stripped"
    ),
    2: _ethernet(),
    1001: _extended("SWITCH", "in_vlan in_priority out_vlan out_priority"),
    1002: _extended("ROUTER", "nextHop srcSubnetMask dstSubnetMask"),
    1004: _extended(
        "USER",
        "src_user_charset=src_charset dst_user_charset=dst_charset src_user=src_user dst_user=dst_user",
        "src_user dst_user",
    ),
    1005: _extended("URL", "url_direction url host", "url host"),
    1007: _extended("NAT", "nat_src nat_dst"),
    1008: Printed(names="mpls_tunnel_lsp_name mpls_tunnel_id mpls_tunnel_cos"),
    1009: Printed(names="mpls_vc_name mpls_vll_vc_id mpls_vc_cos"),
    1010: Printed(names="mpls_ftn_descr mpls_ftn_mask"),
    1011: Printed(names="mpls_fec_addr_prefix_len"),
    1014: Printed(names="rx_SSID rx_BSSID rx_version rx_channel rx_speed rx_rsni rx_rcpi rx_packet_uS"),
    1015: Printed(
        names="tx_SSID tx_BSSID tx_version tx_transmissions tx_packet_uS tx_retrans_uS tx_channel tx_speed tx_power_mW"
    ),
    1020: _extended("NAT PORT", "nat_src_port nat_dst_port"),
    1021: _ethernet("tunnel_l2_out_"),
    1022: _ethernet("tunnel_l2_in_"),
    1027: _extended("out_decap", "out_decap_inner_header_offset"),
    1028: _extended("in_decap", "in_decap_inner_header_offset"),
    1029: _extended("out_VNI", "out_VNI"),
    1030: _extended("in_VNI", "in_VNI"),
    1036: _extended("egress_queue", "egress_queue_id"),
    1038: _extended("function", "symbol"),
    1039: _extended("transit_delay", "transit_delay_nS"),
    1040: _extended("queue_depth", "queue_depth_bytes"),
    1041: _extended("hw_trap", "hw_trap_group hw_trap_name"),
    1042: _extended("linux_reason", "linux_drop_reason"),
    1043: _extended("timestamp", "timestamp_nS"),
    2100: _socket("socket4"),
    2101: _socket("socket6"),
    2102: _socket("proxy_socket4"),
    2103: _socket("proxy_socket6"),
    2200: Printed(
        (("flowSampleType", "memcache"),),
        "memcache_op_protocol memcache_op_cmd memcache_op_key memcache_op_nkeys memcache_op_value_bytes "
        "memcache_op_duration_uS memcache_op_status",
    ),
    2201: Printed(_SAMPLED, f"{_HTTP} http_authuser http_mimetype http_bytes http_duration_uS http_status"),
    2202: Printed(
        (("flowSampleType", "applicationOperation"),),
        "application operation attributes status_descr request_bytes response_bytes duration_uS status",
    ),
    2203: Printed(names="server_context_application server_context_operation server_context_attributes"),
    2204: Printed(names="actor_initiator"),
    2205: Printed(names="actor_target"),
    2206: Printed(
        _SAMPLED,
        f"{_HTTP} http_xff http_authuser http_mimetype http_request_bytes http_bytes http_duration_uS http_status",
    ),
    2209: Printed(
        names="tcpinfo_direction tcpinfo_send_mss tcpinfo_receive_mss tcpinfo_unacked_pkts tcpinfo_lost_pkts "
        "tcpinfo_retrans_pkts tcpinfo_path_mtu tcpinfo_rtt_uS tcpinfo_rtt_uS_var tcpinfo_send_congestion_win "
        "tcpinfo_reordering tcpinfo_rtt_uS_min"
    ),
    2210: _extended("entities", "entities_src_class entities_src_index entities_dst_class entities_dst_index"),
}
