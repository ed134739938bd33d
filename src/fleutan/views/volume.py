# SPDX-License-Identifier: Apache-2.0
"""How much the flows carry, and how much the path and the window would let them."""

from fleutan.views import View

VIEW = View(
    name="volume",
    title="volume",
    columns=("proc", "local", "remote", "cwnd_bytes", "bdp", "bytes_sent", "bytes_received", "segs_out", "segs_in"),
    order=("-bytes_sent", "-bytes_received"),
    with_interval=(
        "proc",
        "local",
        "remote",
        "cwnd_bytes",
        "bdp",
        "tx_rate",
        "rx_rate",
        "segs_out_rate",
        "segs_in_rate",
    ),
)
