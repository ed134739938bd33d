# SPDX-License-Identifier: Apache-2.0
"""On which CPUs processes ran, their packets were received and sent; and what each CPU carries."""

from fleutan.views import View, queues

#: A row for a process and a CPU (``analysis.cpus.by_process``): three figures side by side.
VIEW = View(
    name="cpus",
    columns=("proc", "cpu", "run_time", "rx_packets", "tx_packets", "rx_bytes", "tx_bytes"),
    with_interval=(),
    luxuries=("rx_bytes", "tx_bytes"),
    spare=("tx_packets", "rx_packets"),
    order=("proc", "cpu"),
    table="processes",
)

#: What each CPU carried (table cpus, ``analysis.cpus.with_traffic``).
CARRIED = (
    *("rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "rx_segments", "tx_segments", "rx_bdp", "tx_bdp"),
    *("cpu", "numa_node"),
)
#: What that cost it, and the rx queues that it serves (``with_serves``).
SERVED = (
    *("cpu_softirq", "cpu_busy", "net_rx", "softnet_dropped", "time_squeeze", "received_rps"),
    *("cpu", "numa_node", "serves"),
)
#: Both.
LOAD = tuple(dict.fromkeys((*CARRIED, *SERVED)))
#: Of those, what a narrow screen leaves out, the first first.
LOAD_SPARE = (
    *("received_rps", "rx_segments", "tx_segments", "numa_node", "cpu_busy", "rx_bdp", "tx_bdp"),
    *("tx_packets", "rx_packets", "serves", "cpu_softirq", "time_squeeze", "net_rx", "softnet_dropped"),
)
#: The flows of a process.
FLOWS = View(
    name="cpus",
    columns=("proto", "local", "remote", "tx_bytes", "rx_bytes"),
    with_interval=(),
    luxuries=("local",),
    spare=("proto", "rx_bytes", "tx_bytes"),
    order=("tx_bytes", "rx_bytes"),
)
LOAD_VIEW = View("load", LOAD, (), (), LOAD_SPARE, ("cpu",), table="cpus")

_FIGURES = (
    *("rx_packets", "rx_bytes", "rx_segments"),
    *("tx_packets", "tx_bytes", "tx_segments"),
)
_CPUS = (
    *("cpu", "numa_node", "rx_packets", "rx_bytes", "rx_segments", "rx_bdp"),
    *("tx_packets", "tx_bytes", "tx_segments", "tx_bdp"),
    *("net_rx", "net_tx", "softnet_processed", "softnet_dropped", "time_squeeze", "received_rps", "flow_limited"),
    *("cpu_busy", "cpu_irq", "cpu_softirq", "cpu_idle", "serves"),
)
#: What a program gets of each table.
SECTIONS = {
    "processes": ("pid", "pids", "proc", "cpu", "numa_node", "run_time", "run_time_estimated", *_FIGURES),
    "crossings": ("pid", "pids", "proc", "rx_packets", "cross_cpu", "cross_numa"),
    "cpus": _CPUS,
    "queues": queues.SECTIONS["queues"],
    "advice": queues.SECTIONS["advice"],
}
LOAD_SECTIONS = {name: SECTIONS[name] for name in ("cpus", "queues", "advice")}
