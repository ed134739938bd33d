# SPDX-License-Identifier: Apache-2.0
"""What is the most interesting: which flows a view shows first when it is not told.

The order that a user names is the business of ``analysis.order``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.figures import numbers
from fleutan.analysis.traffic import is_counted
from fleutan.table import Table

#: The verdicts that ask for something to be done come first.
SEVERITY = ("loss", "rwnd", "sndbuf", "cwnd", "pacing", "app", "idle")

_COUNTED = ("tx_bytes", "rx_bytes")
_RATES = ("tx_rate", "rx_rate")
_TOTALS = ("bytes_sent", "bytes_received")

Keys = list[NDArray[np.float64]]


def ranked(table: Table, view: str, top: int = 0) -> Table:
    """The table in the order of the view's interest; ``top`` rows, 0 for all.

    ``flows`` and ``volume``: most bytes first, of an interval those in it, or the highest rate.
    ``drops``: the most packets first.  ``lifecycle``: as they ended, then what is open.
    ``products``: the widest window first.  ``latency``: the quickest first; its ``top`` are the
    slowest.  ``limits``: the worst verdict first, in it the fastest flow.
    """
    keys = _KEYS[view](table)
    if not len(table):
        return table
    if top and view == "latency":
        return table.take(_first([-keys[0], *keys[1:]], top)[::-1])
    return table.take(_first(keys, top))


def _first(keys: Keys, top: int) -> NDArray[np.intp]:
    """The rows in order, the first key above all; ``top`` of them, 0 for all."""
    rows = np.arange(len(keys[0]))
    if top and len(rows) > 2 * top:  # what cannot be among them need not be sorted
        bound = np.partition(keys[0], top - 1)[top - 1]
        rows = rows if np.isnan(bound) else np.flatnonzero(keys[0] <= bound)
    ordered: NDArray[np.intp] = rows[np.lexsort([key[rows] for key in reversed(keys)])]
    return ordered[:top] if top else ordered


def _busiest(table: Table) -> Keys:
    pair = _COUNTED if is_counted(table) else _RATES if "tx_rate" in table else _TOTALS
    return [-_sum(table, pair), *_ties(table)]


def _sum(table: Table, names: tuple[str, str]) -> NDArray[np.float64]:
    """Both directions together; -1 where neither is known."""
    figures = np.array([numbers(table, name) for name in names]).reshape(2, len(table))
    known = np.isfinite(figures).any(axis=0)
    return np.where(known, np.nansum(figures, axis=0), -1)


def _quickest(table: Table) -> Keys:
    return [numbers(table, "rtt"), *_ties(table)]


def _widest(table: Table) -> Keys:
    return [-numbers(table, "cwnd_bytes"), *_ties(table)]


def _most_packets(table: Table) -> Keys:
    return [-np.nan_to_num(numbers(table, "packets")), -np.nan_to_num(numbers(table, "bytes")), *_ties(table)]


def _latest(table: Table) -> Keys:
    """What is still open last, by when it began."""
    ended = numbers(table, "ended")
    return [np.where(np.isnan(ended), np.inf, ended), numbers(table, "began"), *_ties(table)]


def _worst(table: Table) -> Keys:
    column = table.column("limit")
    places = {word: place for place, word in enumerate(SEVERITY)}
    ranks = np.array([*(places.get(word, len(places)) for word in column.words or ()), len(places) + 1], float)
    return [ranks[column.values], -np.nan_to_num(numbers(table, "delivery_rate"), nan=-1), *_ties(table)]


def _ties(table: Table) -> Keys:
    """What orders flows that are alike in interest: the local port, last of all the cookie."""
    return [numbers(table, name) for name in ("sport", "cookie")]


_KEYS: dict[str, Callable[[Table], Keys]] = {
    "flows": _busiest,
    "volume": _busiest,
    "products": _widest,
    "latency": _quickest,
    "limits": _worst,
    "drops": _most_packets,
    "lifecycle": _latest,
}
