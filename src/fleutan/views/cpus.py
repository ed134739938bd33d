# SPDX-License-Identifier: Apache-2.0
"""On which CPUs processes ran, their packets were received and sent; and what each CPU carries."""

from fleutan.views import View

#: A row for a process and a CPU (``analysis.cpus.by_process``): three figures side by side.
VIEW = View(
    name="cpus",
    columns=("proc", "cpu", "run_time", "rx_packets", "tx_packets", "rx_bytes", "tx_bytes"),
    with_interval=(),
    luxuries=("rx_bytes", "tx_bytes"),
    spare=("tx_packets", "rx_packets"),
    order=("proc", "cpu"),
)

#: The three figures of a bar for each CPU: where it ran, where it received, where it sent.
BARS = ("run_time", "rx_packets", "tx_packets")
#: What each CPU carries (table cpus, ``analysis.cpus.with_traffic`` and ``with_serves``).
LOAD = (
    *("cpu", "numa_node", "rx_packets", "rx_bytes", "rx_segments", "rx_bdp"),
    *("tx_packets", "tx_bytes", "tx_segments", "tx_bdp"),
    *("net_rx", "softnet_dropped", "time_squeeze", "received_rps", "cpu_softirq", "serves"),
)
#: Of those, what a narrow screen leaves out, the first first.
LOAD_SPARE = (
    *("received_rps", "time_squeeze", "rx_segments", "tx_segments", "numa_node", "softnet_dropped"),
    *("cpu_softirq", "net_rx", "serves", "rx_bdp", "tx_bdp", "tx_packets", "rx_packets"),
)
#: How much of each process's traffic crosses (``analysis.cpus.crossings``).
CROSSINGS = ("proc", "rx_packets", "cross_cpu", "cross_numa")
