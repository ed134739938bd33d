# SPDX-License-Identifier: Apache-2.0
"""Whose socket a sampled packet belongs to, and how its connection fared since the sample before: fleutan's own.

Their enterprise is the number that RFC 5612 keeps for examples; who does not know them passes over
them by their length.
"""

from __future__ import annotations

from fleutan.protocols.sflow.layouts.xdr import I32, U32, U64, Layout, row, string

ENTERPRISE = 32473

LAYOUTS = (
    # The process and user, all ones where unknown; the socket's cookie and its control group's id, 0 where unknown.
    Layout(
        ENTERPRISE,
        1,
        "socket_owner",
        row("pid uid", U32, "cookie cgroup", U64, "comm", string(16), "unit container", string(255)),
    ),
    # Since the socket's sample before: milliseconds, segments that were sent and sent again, and by how many
    # microseconds its round-trip time (``rtt``) grew.
    Layout(ENTERPRISE, 2, "tcp_deltas", row("elapsed segs_out retrans rtt", U32, "rtt_change", I32)),
)
