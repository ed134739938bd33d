# SPDX-License-Identifier: Apache-2.0
"""What was dropped since the display began: one reading after the other, added up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fleutan.analysis.figures import numbers
from fleutan.analysis.stack import stacked
from fleutan.analysis.totals import totals
from fleutan.table import Table

#: So many rows are kept, those with the most packets.
MOST = 2_000
_ROW = (
    *("event", "reason", "function", "direction", "dev", "netns_inode"),
    *("proto", "src", "sport", "dst", "dport", "cookie"),
)


class Dropped:
    """Sums of the tables that ``read`` gives, each of the time since the one before."""

    def __init__(self, read: Callable[[], Table]) -> None:
        self._read = read
        self._sum: Table | None = None

    def table(self) -> Table:
        """All that was dropped so far, the most packets first."""
        latest = self._read()
        every = latest if self._sum is None else replace(stacked(latest, self._sum), reading=latest.reading)
        found = totals(every, _ROW, ("packets", "segments", "bytes"))
        self._sum = found.take(np.argsort(-numbers(found, "packets"), kind="stable")[:MOST])
        return self._sum
