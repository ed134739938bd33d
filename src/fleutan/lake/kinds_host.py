# SPDX-License-Identifier: Apache-2.0
"""The fields of what a host records of itself, by kind, in the order in which they are kept.

``time`` is when a row's interval began, of ``lifecycle`` when the connection ended (of one that
is open: when it began), of ``paths`` when the trace did.  Counters are what the interval added.
"""

from __future__ import annotations

from collections.abc import Mapping

_ENDS = ("netns", "netns_inode", "cookie", "proto", "family", "src", "sport", "dst", "dport")
_OWNER = ("user", "pid", "comm", "unit", "container", "cgroup")

HOST: Mapping[str, tuple[str, ...]] = {
    # A flow that had packets in the interval.  ``tx_bytes`` ... are unknown where packets could not be
    # counted, ``bytes_sent`` ... of what is no TCP; one packet may stand in both.
    "flows": (
        *("time", "interval", *_ENDS, *_OWNER, "state", "change", "dev", "forwarded"),
        *("tx_bytes", "rx_bytes", "tx_packets", "rx_packets", "tx_segments", "rx_segments", "first_seen", "last_seen"),
        *("bytes_sent", "bytes_received", "segs_out", "segs_in", "retrans", "bytes_retrans"),
        *("rtt", "min_rtt", "rtt_var", "cwnd", "mss", "delivery_rate", "limit"),
    ),
    "lifecycle": (
        *("time", *_ENDS, *_OWNER, "owner_by", "dev", "role", "outcome", "closed_by", "error"),
        *("began", "established", "ended", "connect_time", "duration", "connections"),
        *("bytes_sent", "bytes_acked", "bytes_received", "bytes_retrans", "segs_out", "segs_in", "retrans"),
        *("rtt", "min_rtt"),
    ),
    "drops": (
        *("time", "interval", "event", "reason", "function", "direction", "dev", *_ENDS),
        *("pid", "comm", "unit", "container", "cgroup", "owner_by", "packets", "segments", "bytes"),
    ),
    # A queue of a device and direction; a row without ``queue`` is the whole device, by its own counters.
    "queues": (
        *("time", "interval", "netns", "netns_inode", "dev", "direction", "queue"),
        *("bytes", "packets", "segments", "errors", "dropped", "qdisc", "handle"),
        *("qdisc_bytes", "qdisc_packets", "qdisc_drops", "overlimits", "requeues"),
        *("backlog_bytes", "backlog_packets", "bql_limit", "bql_inflight", "interrupts"),
    ),
    "paths": (
        *("time", "netns", "netns_inode", "dst", "method", "hop_count", "rtt", "path_loss", "path_end"),
        *("via", "via_rtt", "connections"),
    ),
}
