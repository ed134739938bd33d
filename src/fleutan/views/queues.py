# SPDX-License-Identifier: Apache-2.0
"""How much each queue of each device carries, what feeds it, and by which flows."""

from fleutan.views import View

#: The volume of each flow by queue (table traffic, ``analysis.queues.by_queue``): the least first.
VIEW = View(
    name="queues",
    columns=("bytes", "packets", "local", "remote", "proc"),
    with_interval=(),
    luxuries=("local",),
    spare=("packets", "proc"),
    order=("dev", "direction", "queue", "bytes"),
    table="volumes",
)

#: The queues of a device by direction (table queues, ``analysis.queues.with_loads``).
QUEUES = {
    "tx": (
        *("queue", "bytes", "packets", "qdisc", "handle", "qdisc_drops", "overlimits", "requeues"),
        *("backlog_bytes", "bql_limit", "bql_inflight", "xps_cpus"),
    ),
    "rx": ("queue", "bytes", "packets", "irq_effective_cpus", "rps_cpus"),
}
#: Where packets were not counted: what the disciplines tell instead.
UNCOUNTED = {"bytes": "qdisc_bytes", "packets": "qdisc_packets"}
#: Of those, what a narrow screen leaves out, the first first.
QUEUES_SPARE = (
    *("requeues", "handle", "bql_inflight", "bql_limit", "overlimits", "xps_cpus", "irq_effective_cpus", "rps_cpus"),
    *("qdisc_packets", "packets", "backlog_bytes", "qdisc", "qdisc_drops"),
)
#: The queueing disciplines and their classes (table qdiscs), as a tree.
QDISCS = (
    *("qdisc", "handle", "parent", "qdisc_bytes", "qdisc_packets", "qdisc_drops"),
    *("overlimits", "requeues", "backlog_bytes", "backlog_packets", "qdisc_options"),
)
QDISCS_SPARE = (
    *("requeues", "backlog_packets", "parent", "qdisc_packets", "backlog_bytes", "overlimits", "qdisc_options"),
    *("qdisc_drops", "handle"),
)

#: What a program gets of each table.
SECTIONS = {
    "queues": (
        *("netns", "netns_inode", "dev", "numa_node", "direction", "queue", "bytes", "packets", "segments"),
        *("qdisc", "handle", "qdisc_bytes", "qdisc_packets", "qdisc_drops", "overlimits", "requeues"),
        *("backlog_bytes", "backlog_packets", "bql_limit", "bql_limit_min", "bql_limit_max", "bql_inflight"),
        *("xps_cpus", "xps_rxqs", "rps_cpus", "rps_flow_cnt"),
        *("irqs", "irq_cpus", "irq_effective_cpus", "interrupts", "channels", "channels_max"),
    ),
    "qdiscs": (
        *("netns", "netns_inode", "dev", "layer", "qdisc", "handle", "parent", "qdisc_options"),
        *("qdisc_bytes", "qdisc_packets", "qdisc_drops", "overlimits", "requeues"),
        *("backlog_bytes", "backlog_packets"),
    ),
    "volumes": (
        *("netns", "netns_inode", "dev", "direction", "queue", "bytes", "packets", "segments"),
        *("proto", "src", "sport", "dst", "dport", "forwarded", "cookie"),
        *("pids", "proc", "pid", "comm", "unit", "container"),
    ),
    "advice": ("advice", "remedy"),
}
