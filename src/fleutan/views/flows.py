# SPDX-License-Identifier: Apache-2.0
"""Every flow: who owns it, where it goes, how it fares.  Also what a flow is in JSON."""

from fleutan.fields import TRAFFIC
from fleutan.views import View

_WHO = ("proc", "proto", "local", "remote")

VIEW = View(
    name="flows",
    columns=(*_WHO, "state", "rtt", "bytes_sent", "bytes_received", "delivery_rate", "retrans"),
    with_interval=(
        *(*_WHO, "change", "rtt"),
        *("tx_rate", "rx_rate", "segs_out_rate", "segs_in_rate", "retrans_rate"),
    ),
    luxuries=("segs_out_rate", "segs_in_rate", "retrans_rate", "retrans", "delivery_rate", "proto"),
    spare=("bytes_received", "state", "local", "change", "bytes_sent", "rx_rate", "rtt", "tx_rate"),
    order=("bytes_sent", "bytes_received"),
)

#: The fields of a flow in JSON and CSV unless others are asked for.
MACHINE_FIELDS = (
    *("proto", "family", "state", "src", "sport", "dst", "dport", "service", "dev"),
    *("netns", "netns_inode", "cookie", "inode", "uid", "user"),
    *("pids", "pid", "comm", "exe", "cmdline", "cgroup", "unit", "container", "runtime", "pod"),
    *("mark", "rqueue", "wqueue", "cong", "ca_state", "rtt", "rtt_var", "min_rtt", "rto"),
    *("cwnd", "ssthresh", "mss", "pmtu", "snd_wnd", "rcv_wnd"),
    *("bytes_sent", "bytes_acked", "bytes_received", "bytes_retrans", "segs_out", "segs_in"),
    *("retrans", "lost", "unacked", "notsent", "delivery_rate", "pacing_rate"),
    *("busy", "rwnd_limited", "sndbuf_limited", "app_limited", "last_data_sent", "last_data_recv"),
    *("cpu", "rx_queue", "tx_queue"),
)
#: What an interval adds to them.
INTERVAL_FIELDS = ("change", "tx_rate", "acked_rate", "rx_rate", "segs_out_rate", "segs_in_rate", "retrans_rate")
#: What is known over an interval where packets are counted.
TRAFFIC_FIELDS = TRAFFIC
#: What one reading cannot tell.
TIMED_FIELDS = (*INTERVAL_FIELDS, *TRAFFIC_FIELDS)
#: What is computed from them, row by row.
COMPUTED_FIELDS = ("cwnd_bytes", "cwnd_rate", "bdp", "retrans_share", "limit", "evidence", "hint")
