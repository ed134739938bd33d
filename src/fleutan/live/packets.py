# SPDX-License-Identifier: Apache-2.0
"""Two readings compared with what was counted between them: packets, connections that ended, who used sockets."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis import rates
from fleutan.analysis.rates import Interval
from fleutan.analysis.traffic import join
from fleutan.sources import lifecycle, traffic, users
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
        if rows.all():
            return self
        kept = np.flatnonzero(rows[self.flows])
        return Packets(self.table.take(kept), (np.cumsum(rows) - 1)[self.flows[kept]])

    def told(self, flows: Table) -> Table:
        """The table with what only ``flows`` tells of its rows (their ``bdp``)."""
        told = {name: flows.columns[name].take(self.flows) for name in ("bdp",) if name in flows}
        return self.table.with_columns(told)


class Compared(NamedTuple):
    """The flows of both readings, their packets, and the connections that began or ended (table ``lifecycle``)."""

    interval: Interval
    packets: Packets
    lives: Table


def compare(earlier: Table, later: Table, counted: Counted, capture: Capture, wanted: Collection[str]) -> Compared:
    """What happened between two tables of flows, the later one of ``capture``.

    With the flows come those that only their packets or their end told of, and the fields of
    ``analysis.traffic``.  ``wanted`` are the fields that are asked for.
    """
    owners = ("owner", "comm", "cgroup", *(name for name in wanted if name in SOCKET_FIELDS))
    host = later.reading.host
    of_lives = lifecycle.HOST._replace(spaces=lambda: {inode: place.name for inode, place in counted.places.items()})
    lives = lifecycle.table(counted.lives, owners, (later, earlier), host, of_lives)
    around = traffic.HOST._replace(places=lambda: counted.places)
    used = [users.table(counted.users, (later, earlier), host)] if counted.users else []
    meant = capture.meant()
    inside = None if meant is None else [space.inode for space in meant]
    known = (later, earlier, *(table for table in (lives, *used) if len(table)))
    packets = traffic.table(counted.counts, owners, known, host, around, inside=inside)
    if inside is not None and len(lives):
        lives = lives.take(np.isin(lives.columns["netns_inode"].values, inside))
    interval = rates.compare(earlier, later, lifecycle.ended(lives) if len(lives) else None)
    joined = join(interval.flows, interval.deltas, packets)
    counters = (packets, lives, *used)
    reading = replace(
        interval.flows.reading,
        notes=tuple(note for table in (interval.flows, *counters) for note in table.reading.notes),
        source=f"{interval.flows.reading.source}; packets: {', '.join(table.reading.source for table in counters)}",
    )
    flows = replace(joined.flows, reading=reading)
    return Compared(Interval(flows, replace(joined.deltas, reading=reading)), Packets(packets, joined.rows), lives)
