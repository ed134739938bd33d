# SPDX-License-Identifier: Apache-2.0
"""How long round trips are: the distribution, and every flow from the quickest to the slowest."""

from fleutan.views import View

VIEW = View(
    name="latency",
    title="round-trip time",
    columns=("rtt", "min_rtt", "rtt_var", "local", "remote", "proc"),
    order=("rtt",),
    tcp_only=True,
)
