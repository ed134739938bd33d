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
)

#: The queues of a device (table queues, ``analysis.queues.with_loads``).
QUEUES = (
    *("dev", "direction", "queue", "bytes", "packets", "qdisc", "handle", "qdisc_drops", "requeues"),
    *("backlog_bytes", "bql_limit", "bql_inflight", "xps_cpus", "rps_cpus", "irq_effective_cpus"),
)
#: Of those, what a narrow screen leaves out, the first first.
QUEUES_SPARE = (
    *("bql_inflight", "requeues", "handle", "bql_limit", "irq_effective_cpus", "xps_cpus", "rps_cpus"),
    *("backlog_bytes", "packets", "qdisc_drops"),
)
#: The queueing disciplines and their classes (table qdiscs).
QDISCS = (
    *("dev", "layer", "qdisc", "handle", "parent", "qdisc_bytes", "qdisc_packets", "qdisc_drops"),
    *("overlimits", "requeues", "backlog_bytes", "backlog_packets", "qdisc_options"),
)
QDISCS_SPARE = ("requeues", "backlog_packets", "layer", "qdisc_options", "overlimits", "backlog_bytes", "parent")
