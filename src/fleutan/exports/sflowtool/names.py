# SPDX-License-Identifier: Apache-2.0
"""How sflowtool calls what is said of packets and transactions, and counters: by structure, in its order of print.

A name stands beside the field it is printed from.  What is printed in another way than a name and
a field each (packets, paths, label stacks) is in ``lists`` and ``packets``.  Most counters
have the specification's names or those behind a prefix; where sflowtool has its own, the whole list
stands here.
"""

from __future__ import annotations

from typing import NamedTuple

from fleutan.protocols.sflow.layouts import COUNTER_FORMS


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

#: Printed as the specification calls them, behind this.
_PREFIXED = {
    **dict.fromkeys((2, 3, 4, 6, 2007, 2008, 2009, 2010), ""),
    2200: "memcache_",
    2204: "memcache_",
    2205: "vdi_",
    4413 << 12 | 3: "bcm_",
    11: "PFC_",
    2207: "OVS_dp_",
}
_NETWORK = "{0}_bytes_in {0}_pkts_in {0}_errs_in {0}_drops_in {0}_bytes_out {0}_pkts_out {0}_errs_out {0}_drops_out"

_OWN = {
    1: "ifIndex networkType ifSpeed ifDirection ifStatus ifInOctets ifInUcastPkts ifInMulticastPkts "
    "ifInBroadcastPkts ifInDiscards ifInErrors ifInUnknownProtos ifOutOctets ifOutUcastPkts ifOutMulticastPkts "
    "ifOutBroadcastPkts ifOutDiscards ifOutErrors ifPromiscuousMode",
    5: "in_vlan octets ucastPkts multicastPkts broadcastPkts discards",
    7: "actorSystemID partnerSystemID attachedAggID actorAdminPortState actorOperPortState partnerAdminPortState "
    "partnerOperPortState LACPDUsRx markerPDUsRx markerResponsePDUsRx unknownRx illegalRx LACPDUsTx markerPDUsTx "
    "markerResponsePDUsTx",
    1001: "5s_cpu 1m_cpu 5m_cpu total_memory_bytes free_memory_bytes",
    1002: "radio_elapsed_time radio_on_channel_time radio_on_channel_busy_time",
    1004: "openflow_datapath_id openflow_port",
    1005: "ifName",
    2000: "hostname UUID machine_type os_name os_release",
    2002: "parent_dsClass parent_dsIndex",
    2003: "cpu_load_one cpu_load_five cpu_load_fifteen cpu_proc_run cpu_proc_total cpu_num cpu_speed cpu_uptime "
    "cpu_user cpu_nice cpu_system cpu_idle cpu_wio cpuintr cpu_sintr cpuinterrupts cpu_contexts cpu_steal cpu_guest "
    "cpu_guest_nice",
    2004: "mem_total mem_free mem_shared mem_buffers mem_cached swap_total swap_free page_in page_out swap_in swap_out",
    2005: "disk_total disk_free disk_partition_max_used disk_reads disk_bytes_read disk_read_time disk_writes "
    "disk_bytes_written disk_write_time",
    2006: _NETWORK.format("nio"),
    2100: "vnode_mhz vnode_cpus vnode_memory vnode_memory_free vnode_num_domains",
    2101: "vcpu_state vcpu_cpu_mS vcpu_cpuCount",
    2102: "vmem_memory vmem_maxMemory",
    2103: "vdsk_capacity vdsk_allocation vdsk_available vdsk_rd_req vdsk_rd_bytes vdsk_wr_req vdsk_wr_bytes vdsk_errs",
    2104: _NETWORK.format("vnio"),
    2105: "jvm_name jvm_vendor jvm_version",
    2106: "heap_mem_initial heap_mem_used heap_mem_committed heap_mem_max non_heap_mem_initial non_heap_mem_used "
    "non_heap_mem_committed non_heap_mem_max gc_count gc_mS classes_loaded classes_total classes_unloaded "
    "compilation_mS threads_live threads_daemon threads_started fds_open fds_max",
    2201: "http_method_option_count http_method_get_count http_method_head_count http_method_post_count "
    "http_method_put_count http_method_delete_count http_method_trace_count http_method_connect_count "
    "http_method_other_count http_status_1XX_count http_status_2XX_count http_status_3XX_count http_status_4XX_count "
    "http_status_5XX_count http_status_other_count",
    2202: "application status_OK errors_OTHER errors_TIMEOUT errors_INTERNAL_ERROR errors_BAD_REQUEST errors_FORBIDDEN "
    "errors_TOO_LARGE errors_NOT_IMPLEMENTED errors_NOT_FOUND errors_UNAVAILABLE errors_UNAUTHORIZED",
    2203: "user_time system_time memory_used memory_max files_open files_max connections_open connections_max",
    2206: "workers_active workers_idle workers_max requests_delayed requests_dropped",
    5703 << 12 | 1: "nvml_device_count nvml_processes nvml_gpu_mS nvml_mem_mS nvml_mem_bytes_total nvml_mem_bytes_free "
    "nvml_ecc_errors nvml_energy_mJ nvml_temperature_C nvml_fan_speed_pc",
}

COUNTERS = {tag: Printed(names=names) for tag, names in _OWN.items()} | {
    tag: Printed(names=" ".join(prefix + name for name in COUNTER_FORMS[tag][0].names))
    for tag, prefix in _PREFIXED.items()
}
#: Misspelt by sflowtool.
MISSPELT = {"http_method_connect_count": "http_methd_connect_count"}
