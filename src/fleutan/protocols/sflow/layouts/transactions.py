# SPDX-License-Identifier: Apache-2.0
"""What is said of a sampled transaction of an application, and of the socket on which a packet or transaction went.

From sFlow HTTP Structures, sFlow Memcache Structures, sFlow Application Structures, and Host
sFlow's TCP and entity structures.
"""

from __future__ import annotations

from fleutan.protocols.sflow.layouts.xdr import IPV4, IPV6, U32, U64, Layout, row, string

SOCKET_IPV4 = row("protocol", U32, "local_ip remote_ip", IPV4, "local_port remote_port", U32)
SOCKET_IPV6 = row("protocol", U32, "local_ip remote_ip", IPV6, "local_port remote_port", U32)
CONTEXT = row("application operation", string(32), "attributes", string(255))
REQUEST = row("method protocol", U32, "uri", string(255), "host", string(64), "referer", string(255))

LAYOUTS = (
    Layout(0, 2100, "extended_socket_ipv4", SOCKET_IPV4),
    Layout(0, 2101, "extended_socket_ipv6", SOCKET_IPV6),
    Layout(0, 2102, "extended_proxy_socket_ipv4", SOCKET_IPV4),
    Layout(0, 2103, "extended_proxy_socket_ipv6", SOCKET_IPV6),
    Layout(
        0,
        2200,
        "memcache_operation",
        row("protocol cmd", U32, "key", string(255), "nkeys value_bytes duration status", U32),
    ),
    # The deprecated form of http_request, 2206.
    Layout(
        0,
        2201,
        "http_request",
        (
            *REQUEST,
            *row("useragent", string(128), "authuser", string(32), "mime_type", string(64)),
            *row("bytes", U64, "duration status", U32),
        ),
    ),
    Layout(
        0,
        2202,
        "app_operation",
        (
            *CONTEXT,
            *row("status_descr", string(64), "req_bytes resp_bytes", U64, "duration status", U32),
        ),
    ),
    Layout(0, 2203, "app_parent_context", CONTEXT),
    Layout(0, 2204, "app_initiator", row("actor", string(64))),
    Layout(0, 2205, "app_target", row("actor", string(64))),
    Layout(
        0,
        2206,
        "http_request",
        (
            *REQUEST,
            *row("useragent", string(128), "xff", string(64), "authuser", string(32), "mime_type", string(64)),
            *row("req_bytes resp_bytes", U64, "duration status", U32),
        ),
    ),
    Layout(0, 2207, "extended_proxy_request", row("uri", string(255), "host", string(64))),
    Layout(
        0,
        2208,
        "extended_nav_timing",
        row(
            "type redirectCount navigationStart unloadEventStart unloadEventEnd redirectStart redirectEnd",
            "fetchStart domainLookupStart domainLookupEnd connectStart connectEnd secureConnectionStart",
            "requestStart responseStart responseEnd domLoading domInteractive domContentLoadedEventStart",
            "domContentLoadedEventEnd domComplete loadEventStart loadEventEnd",
            U32,
        ),
    ),
    Layout(
        0,
        2209,
        "extended_tcp_info",
        row("direction snd_mss rcv_mss unacked lost retrans pmtu rtt rttvar snd_cwnd reordering min_rtt", U32),
    ),
    Layout(0, 2210, "extended_entities", row("src_ds_class src_ds_index dst_ds_class dst_ds_index", U32)),
)
