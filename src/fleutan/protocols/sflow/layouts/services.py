# SPDX-License-Identifier: Apache-2.0
"""Counters of services: Java machines, web servers, memcached, applications and virtual desktops.

From sFlow JVM Structures, sFlow HTTP Structures, sFlow Memcache Structures and sFlow Application
Structures.
"""

from __future__ import annotations

from fleutan.protocols.sflow.layouts.xdr import U32, U64, Layout, row, string

JVM = row(
    "heap_initial heap_used heap_committed heap_max",
    "non_heap_initial non_heap_used non_heap_committed non_heap_max",
    U64,
    "gc_count gc_time classes_loaded classes_total classes_unloaded compilation_time",
    "thread_num_live thread_num_daemon thread_num_started",
    U32,
)

LAYOUTS = (
    Layout(0, 2105, "jvm_runtime", row("vm_name", string(64), "vm_vendor vm_version", string(32))),
    Layout(0, 2106, "jvm_statistics", (*JVM, *row("fd_open_count fd_max_count", U32))),
    # The form that older agents send.
    Layout(0, 2106, "jvm_statistics", JVM),
    # The deprecated form of memcache_counters, 2204.
    Layout(
        0,
        2200,
        "memcache_counters",
        row(
            "uptime rusage_user rusage_system curr_connections total_connections connection_structures",
            "cmd_get cmd_set cmd_flush get_hits get_misses delete_misses delete_hits incr_misses incr_hits",
            "decr_misses decr_hits cas_misses cas_hits cas_badval auth_cmds auth_errors",
            U32,
            *("bytes_read bytes_written", U64),
            *("limit_maxbytes accepting_conns listen_disabled_num threads conn_yields", U32),
            *("bytes", U64, "curr_items total_items evictions", U32),
        ),
    ),
    Layout(
        0,
        2201,
        "http_counters",
        row(
            "method_option_count method_get_count method_head_count method_post_count method_put_count",
            "method_delete_count method_trace_count method_connect_count method_other_count",
            "status_1XX_count status_2XX_count status_3XX_count status_4XX_count status_5XX_count status_other_count",
            U32,
        ),
    ),
    Layout(
        0,
        2202,
        "app_operations",
        row(
            *("application", string(32)),
            "success other timeout internal_error bad_request forbidden too_large not_implemented",
            "not_found unavailable unauthorized",
            U32,
        ),
    ),
    Layout(
        0,
        2203,
        "app_resources",
        row("user_time system_time", U32, "mem_used mem_max", U64, "fd_open fd_max conn_open conn_max", U32),
    ),
    Layout(
        0,
        2204,
        "memcache_counters",
        row(
            "cmd_set cmd_touch cmd_flush get_hits get_misses delete_hits delete_misses incr_hits incr_misses",
            "decr_hits decr_misses cas_hits cas_misses cas_badval auth_cmds auth_errors threads conn_yields",
            "listen_disabled_num curr_connections rejected_connections total_connections connection_structures",
            "evictions reclaimed curr_items total_items",
            U32,
            *("bytes_read bytes_written bytes limit_maxbytes", U64),
        ),
    ),
    Layout(
        0,
        2205,
        "vdi_counters",
        row(
            "sessions_current sessions_total sessions_duration rx_bytes tx_bytes rx_packets tx_packets",
            "rx_packets_lost tx_packets_lost rtt_min_ms rtt_max_ms rtt_avg_ms audio_rx_bytes audio_tx_bytes",
            "audio_tx_limit img_rx_bytes img_tx_bytes img_frames img_qual_min img_qual_max img_qual_avg",
            "usb_rx_bytes usb_tx_bytes",
            U32,
        ),
    ),
    Layout(0, 2206, "app_workers", row("workers_active workers_idle workers_max req_delayed req_dropped", U32)),
)
