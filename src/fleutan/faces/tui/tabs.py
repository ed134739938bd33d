# SPDX-License-Identifier: Apache-2.0
"""The tabs as values: what each shows, by what it groups, what it needs.

``trend`` and ``flows`` are columns that are no fields: the rate of late as a picture, and how
many flows a group has.  How wide a column is stands in ``drawing``.
"""

from __future__ import annotations

from typing import NamedTuple


class Tab(NamedTuple):
    """One tab, chosen by its number.

    Rows are flows, or groups of them ``by`` a field, or those of a table of another ``kind``.
    Of ``spare`` columns the first goes first where not all fit.  Rows are ordered at first by the
    first of the columns ``first`` that there is.  ``members`` name a flow below its group.
    ``needs`` says what gives the tab its data where there is none.
    """

    number: int
    title: str
    by: str = ""
    columns: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    members: tuple[str, ...] = ("proc", "remote")
    kind: str = "flows"
    needs: str = ""
    first: tuple[str, ...] = ("trend",)


#: The column that tabs are sorted by at first: what is sent and received together.
TREND = "trend"
COUNT = "flows"

_FIGURES = ("rtt", "tx_rate", "rx_rate", TREND, "retrans_rate")
_SPARE = ("retrans_rate", "rtt", TREND, "rx_rate", COUNT, "tx_rate")
_LOAD = ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")

TABS = (
    Tab(
        1,
        "flows",
        columns=("proc", "proto", "local", "remote", "state", *_FIGURES, "limit"),
        spare=("state", "local", "proto", "retrans_rate", "limit", "rtt", TREND, "rx_rate", "remote", "tx_rate"),
    ),
    Tab(
        2,
        "processes",
        "proc",
        ("proc", COUNT, "user", "unit", *_FIGURES),
        ("user", "unit", *_SPARE),
        ("local", "remote"),
    ),
    Tab(3, "units", "unit", ("unit", COUNT, *_FIGURES), _SPARE),
    Tab(4, "peers", "dst", ("dst", COUNT, *_FIGURES), _SPARE, ("proc", "local")),
    Tab(
        5,
        "CPUs",
        columns=("cpu", *_LOAD, "net_rx", "cpu_softirq", "cpu_busy", "softnet_dropped", "time_squeeze", "serves"),
        spare=("time_squeeze", "serves", "softnet_dropped", "net_rx", "tx_packets", "rx_packets", "cpu_softirq"),
        kind="cpus",
        needs="nothing is read of CPUs here",
        first=("cpu",),
    ),
    Tab(6, "states", "state", ("state", COUNT, *_FIGURES), _SPARE),
    Tab(7, "limits", "limit", ("limit", COUNT, *_FIGURES), _SPARE),
    Tab(
        8,
        "queues",
        columns=(
            *("dev", "direction", "queue", "bytes", "packets", "qdisc", "handle", "qdisc_bytes", "qdisc_drops"),
            *("backlog_bytes", "bql_inflight", "irq_cpus"),
        ),
        spare=("irq_cpus", "bql_inflight", "handle", "packets", "qdisc_bytes", "qdisc", "backlog_bytes", "qdisc_drops"),
        kind="queues",
        needs="nothing is read of queues here",
        first=("bytes", "qdisc_bytes"),
    ),
    Tab(
        9,
        "drops",
        columns=("event", "reason", "packets", "bytes", "proc", "remote", "dev", "function", "meaning"),
        spare=("function", "meaning", "dev", "bytes", "event"),
        kind="drops",
        needs="nothing was dropped since the start, or BPF is not to be had (see 'fleutan doctor')",
        first=("packets",),
    ),
    Tab(
        0,
        "paths",
        columns=("path", "dst", "method", "hop_count", "rtt", "path_loss", "connections", "path_end", "via"),
        spare=("path_end", "method", "path_loss", "connections", "hop_count", "via", "rtt"),
        kind="paths",
        needs="start with --paths SECS to trace them (root), or nothing was traced yet",
        first=("path",),
    ),
)

#: What the screen shows of a flow: all that a question has to give.
FIELDS = (
    *("proc", "pid", "comm", "user", "unit", "container", "proto", "src", "sport", "dst", "dport", "state", "service"),
    *("dev", "netns", "cookie", "rtt", "min_rtt", "cwnd", "retrans", "bytes_sent", "bytes_received"),
    *("change", "tx_rate", "rx_rate", "retrans_rate", "limit", "cpu"),
)
#: What is asked besides of the one flow whose details are shown.
DETAILS = (
    *("exe", "cmdline", "runtime", "pod", "cong", "ca_state", "rtt_var", "rto", "ssthresh", "mss", "pmtu"),
    *("snd_wnd", "rcv_wnd", "rqueue", "wqueue", "sndbuf", "rcvbuf", "unacked", "lost", "notsent"),
    *("bytes_acked", "bytes_retrans", "delivery_rate", "pacing_rate", "busy", "rwnd_limited", "sndbuf_limited"),
    *("rx_queue", "tx_queue", "evidence", "hint"),
)
