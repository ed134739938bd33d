# SPDX-License-Identifier: Apache-2.0
"""How sflowtool calls counters: by structure, in the order in which it prints them.

Most are the specification's names or those behind a prefix; where sflowtool has its own, the
whole list stands here.
"""

from __future__ import annotations

from fleutan.exports.sflowtool.flows import Printed
from fleutan.protocols.sflow.layouts import COUNTER_FORMS

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
