# SPDX-License-Identifier: Apache-2.0
"""How much a flow could carry: its window in bytes and as a rate, its path's product, its losses.

Derived from the figures of a reading, row by row; unknown where one of them is.  Rates over an
interval are in ``rates``, the formulas in ``figures``.
"""

from __future__ import annotations

from fleutan.analysis.figures import COMPUTED, Figures, float_column, int_column
from fleutan.column import Column
from fleutan.table import Table

#: The fields that ``columns`` gives, and those that it needs.
GIVES = ("cwnd_bytes", "cwnd_rate", "bdp", "retrans_share")
NEEDS = tuple(dict.fromkeys(field for name in GIVES for field in COMPUTED[name].of))


def columns(table: Table) -> dict[str, Column]:
    """The fields of GIVES, each of the table's length.

    ``cwnd_bytes``: cwnd x mss.  ``cwnd_rate``: that every round trip (bit/s).  ``bdp``: bytes
    on the way at the measured delivery rate and the least round-trip time.  ``retrans_share``:
    bytes retransmitted of bytes sent, to six decimals, unknown where none was sent.  Figures
    beyond an int64 are held at its bounds.
    """
    figures = Figures(table)
    shares = {"retrans_share": float_column(figures["retrans_share"], decimals=6)}
    return {name: shares[name] if name in shares else int_column(figures[name]) for name in GIVES}
