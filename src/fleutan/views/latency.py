# SPDX-License-Identifier: Apache-2.0
"""How long round trips are: the distribution, and every flow from the quickest to the slowest."""

from fleutan.views import View

VIEW = View(
    name="latency",
    columns=("rtt", "min_rtt", "rtt_var", "local", "remote", "proc"),
    with_interval=(),
    luxuries=(),
    spare=("rtt_var", "local", "proc", "min_rtt"),
    order=("rtt",),
    tcp_only=True,
)
