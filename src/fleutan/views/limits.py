# SPDX-License-Identifier: Apache-2.0
"""Why a flow is no faster: one verdict a flow, with its evidence and a hint."""

from fleutan.views import View

VIEW = View(
    name="limits",
    columns=("limit", "proc", "local", "remote", "rtt", "delivery_rate"),
    with_interval=("limit", "proc", "local", "remote", "rtt", "tx_rate", "rx_rate"),
    luxuries=(),
    spare=("rx_rate", "local", "rtt", "delivery_rate", "tx_rate"),
    order=("limit", "delivery_rate"),
    tcp_only=True,
)
