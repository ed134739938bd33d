# SPDX-License-Identifier: Apache-2.0
"""Two readings compared with what was counted between them: packets, and connections that ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis import rates
from fleutan.analysis.rates import Interval
from fleutan.analysis.traffic import join
from fleutan.sources import lifecycle, traffic
from fleutan.sources.capture import Capture
from fleutan.sources.counting import Counted
from fleutan.sources.owners import SOCKET_FIELDS
from fleutan.table import Table


class Packets(NamedTuple):
    """Counted packets (table ``traffic``), and of each row of them the row of its flow."""

    table: Table
    flows: NDArray[np.int64]

    def of(self, rows: NDArray[np.bool_]) -> Packets:
        """Those of some flows, by a mask over all flows; the flows are counted anew."""
        kept = rows[self.flows]
        return Packets(self.table.take(kept), (np.cumsum(rows) - 1)[self.flows[kept]])

    def told(self, flows: Table) -> Table:
        """The table with what only ``flows`` tells of its rows (their ``bdp``)."""
        told = {name: flows.columns[name].take(self.flows) for name in ("bdp",) if name in flows}
        return self.table.with_columns(told)


def compare(
    earlier: Table, later: Table, counted: Counted, capture: Capture, wanted: Collection[str]
) -> tuple[Interval, Packets]:
    """What happened between two tables of flows, the later one of ``capture``.

    With the flows come those that only their packets or their end told of, and the fields of
    ``analysis.traffic``.  ``wanted`` are the fields that are asked for.
    """
    owners = ("owner", "comm", "cgroup", *(name for name in wanted if name in SOCKET_FIELDS))
    host = later.reading.host
    lives = lifecycle.table(counted.lives, owners, (later, earlier), host)
    around = traffic.HOST._replace(places=lambda: counted.places)
    packets = traffic.table(counted.counts, owners, (later, earlier, lives), host, around)
    lives, packets = (_inside(table, capture) for table in (lives, packets))
    interval = rates.compare(earlier, later, lifecycle.ended(lives))
    joined = join(interval.flows, interval.deltas, packets)
    told = (interval.flows, packets, lives)
    reading = replace(
        interval.flows.reading,
        notes=tuple(note for table in told for note in table.reading.notes),
        source="; packets: ".join((interval.flows.reading.source, f"{packets.reading.source}, {lives.reading.source}")),
    )
    flows = replace(joined.flows, reading=reading)
    return Interval(flows, replace(joined.deltas, reading=reading)), Packets(packets, joined.rows)


def _inside(table: Table, capture: Capture) -> Table:
    """The rows of the namespaces that were meant."""
    if capture.every:
        return table
    inodes = [dump.namespace.inode for dump in capture.namespaces]
    return table.take(np.isin(table.columns["netns_inode"].values, inodes))
