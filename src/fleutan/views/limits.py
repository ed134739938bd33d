# SPDX-License-Identifier: Apache-2.0
"""Why a flow is no faster: one verdict a flow, with its evidence and a hint."""

from fleutan.views import View

VIEW = View(
    name="limits",
    title="what limits each flow",
    columns=("limit", "proc", "local", "remote", "rtt", "delivery_rate", "evidence", "hint"),
    order=("limit", "-delivery_rate", "-bytes_acked"),
    tcp_only=True,
)
