# SPDX-License-Identifier: Apache-2.0
"""Figures to compute with: fields as floats, and what is made of them; floats as columns again.

Unknown is NaN, which spreads through arithmetic and fails every comparison.  What the figures
mean for a flow is the business of ``limits`` and ``volume``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.column import Column
from fleutan.table import Table

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: The kind of a Table whose counters are those of an interval, ``reading.interval_ns`` long.
DELTAS = "deltas"

#: The largest float that still is an int64.
_MOST = float(np.nextafter(2.0**63, 0))


def numbers(table: Table, name: str) -> Floats:
    """A numeric or bool field as float64; NaN where it is unknown or the table lacks it.

    Exact up to 2**53 (9 PB, or 285 years in microseconds).
    """
    column = table.columns.get(name)
    if column is None:
        return np.full(len(table), np.nan)
    values = column.values.astype(np.float64)
    if column.known is not None:
        values[~column.known] = np.nan
    return values


def is_word(table: Table, name: str, *words: str) -> Mask:
    """Where a text field is one of the words; false where the table lacks it."""
    column = table.columns.get(name)
    if column is None:
        return np.zeros(len(table), np.bool_)
    codes = [code for code, word in enumerate(column.words or ()) if word in words]
    found: Mask = np.isin(column.values, codes)
    return found


def ratio(dividend: Floats, divisor: Floats) -> Floats:
    """``dividend / divisor``; NaN where that divides by zero."""
    return dividend / np.where(divisor == 0, np.nan, divisor)


def int_column(values: Floats) -> Column:
    """Rounded to int64 and held within it; what is not finite is unknown."""
    known = np.isfinite(values)
    return Column(np.rint(np.clip(np.where(known, values, 0), -_MOST, _MOST)).astype(np.int64), known)


def float_column(values: Floats, decimals: int) -> Column:
    """Rounded to so many decimals; what is not finite is unknown."""
    known = np.isfinite(values)
    return Column(np.round(np.where(known, values, 0), decimals), known)


class Figures:
    """The figures of a table by name: fields as floats, and those of COMPUTED; NaN where unknown."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.interval_us = (table.kind == DELTAS and table.reading.interval_ns / 1e3) or np.nan
        self._found: dict[str, Floats] = {}

    def __getitem__(self, name: str) -> Floats:
        if name not in self._found:
            compute = COMPUTED.get(name)
            self._found[name] = compute.figure(self) if compute else numbers(self.table, name)
        return self._found[name]

    def known(self, needs: Collection[str]) -> Mask:
        """The rows of which all of these are known."""
        known: Mask = np.all([np.isfinite(self[name]) for name in needs], axis=0)
        return known

    def says(self, name: str, *words: str) -> Mask:
        """The rows where a text field is one of the words."""
        return is_word(self.table, name, *words)


class Computed(NamedTuple):
    """A figure made from fields: its unit, the fields, and how."""

    unit: str
    of: tuple[str, ...]
    figure: Callable[[Figures], Floats]


def _share(part: str, whole: str) -> Computed:
    return Computed("share", (part, whole), lambda f: ratio(f[part], f[whole]))


#: Segments in flight as the kernel counts them: tcp_packets_in_flight() (include/net/tcp.h).
_IN_FLIGHT = ("unacked", "sacked", "lost", "retrans_out")

#: Rates and shares of the interval are NaN where there is none.
COMPUTED: Mapping[str, Computed] = {
    "cwnd_bytes": Computed("bytes", ("cwnd", "mss"), lambda f: f["cwnd"] * f["mss"]),
    "cwnd_rate": Computed("bps", ("cwnd", "mss", "rtt"), lambda f: ratio(f["cwnd_bytes"] * 8e6, f["rtt"])),
    "bdp": Computed("bytes", ("delivery_rate", "min_rtt"), lambda f: f["delivery_rate"] * f["min_rtt"] / 8e6),
    "retrans_share": _share("bytes_retrans", "bytes_sent"),
    "interval": Computed("us", (), lambda f: np.full(len(f.table), f.interval_us)),
    "rate_acked": Computed("bps", ("bytes_acked",), lambda f: f["bytes_acked"] * 8e6 / f.interval_us),
    "rate_received": Computed("bps", ("bytes_received",), lambda f: f["bytes_received"] * 8e6 / f.interval_us),
    "own_window_rate": Computed(
        "bps", ("rcv_wnd", "rtt", "rcv_rtt"), lambda f: ratio(f["rcv_wnd"] * 8e6, np.fmin(f["rtt"], f["rcv_rtt"]))
    ),
    "in_flight": Computed("segments", _IN_FLIGHT, lambda f: f["unacked"] - f["sacked"] - f["lost"] + f["retrans_out"]),
    "unacked_bytes": Computed("bytes", ("unacked", "mss"), lambda f: f["unacked"] * f["mss"]),
    "quiet": Computed(
        "ms", ("last_data_sent", "last_data_recv"), lambda f: np.minimum(f["last_data_sent"], f["last_data_recv"])
    ),
    "unread_share": Computed("share", ("rqueue", "rcv_wnd"), lambda f: ratio(f["rqueue"], f["rqueue"] + f["rcv_wnd"])),
    "busy_share": Computed("share", ("busy",), lambda f: f["busy"] / f.interval_us),
    "rwnd_share": _share("rwnd_limited", "busy"),
    "sndbuf_share": _share("sndbuf_limited", "busy"),
    "spurious_share": _share("dsack_dups", "retrans"),
    "marked_share": _share("delivered_ce", "delivered"),
}
