# SPDX-License-Identifier: Apache-2.0
"""How much the flows carry, and how much the path and the window would let them."""

from fleutan.views import View

VIEW = View(
    name="volume",
    columns=("bytes_sent", "bytes_received", "segs_out", "segs_in", "local", "remote", "proc"),
    with_interval=("tx_rate", "rx_rate", "segs_out_rate", "segs_in_rate", "local", "remote", "proc"),
    luxuries=("local",),
    spare=(
        *("cwnd_rate", "segs_in", "segs_out", "segs_in_rate", "segs_out_rate", "bdp"),
        *("proc", "bytes_received", "rx_rate"),
    ),
    order=("bytes_sent", "bytes_received"),
)

#: Of an interval in which packets were counted: the figures of each section after the products.
COUNTED = (("tx_bytes", "rx_bytes"), ("tx_segments", "rx_segments", "tx_packets", "rx_packets"))
#: Of those, what a narrow screen leaves out.
COUNTED_SPARE = ("rx_packets", "tx_packets")

#: What the window and the path would carry: the first of them decides the order.
PRODUCTS = ("cwnd_bytes", "bdp", "cwnd_rate", "local", "remote", "proc")
