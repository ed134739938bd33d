# SPDX-License-Identifier: Apache-2.0
"""Which connections began and ended: whose, with whom, for how long, how they ended, what they carried."""

from fleutan.views import View

VIEW = View(
    name="lifecycle",
    columns=(
        *("outcome", "role", "proc", "local", "remote", "duration", "connect_time"),
        *("bytes_sent", "bytes_received", "rtt", "retrans", "closed_by"),
    ),
    with_interval=(),
    luxuries=("connect_time", "closed_by", "retrans", "role"),
    spare=("rtt", "local", "bytes_received", "bytes_sent", "duration"),
    order=("ended", "began"),
)
