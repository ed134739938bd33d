# SPDX-License-Identifier: Apache-2.0
"""What tc says, under our names."""

from __future__ import annotations

#: What tc calls the counts of a queueing discipline.
COUNTS = {
    "qdisc_bytes": "bytes",
    "qdisc_packets": "packets",
    "qdisc_drops": "drops",
    "overlimits": "overlimits",
    "requeues": "requeues",
    "backlog_bytes": "backlog",
    "backlog_packets": "qlen",
}
