# SPDX-License-Identifier: Apache-2.0
"""What is asked of the host's flows once an interval: those that had packets, and what ended meanwhile.

It stands in the place of ``fleutan.live.Asked``: no filter, no DuckDB, and what was read is let
go as soon as it is a Table.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis import limits, rates
from fleutan.analysis.figures import numbers
from fleutan.analysis.traffic import moved
from fleutan.column import Column
from fleutan.lake.kinds_host import HOST
from fleutan.live import host_name, retimed
from fleutan.live.packets import Packets, compare
from fleutan.programs.recording.kept import of_interval
from fleutan.sources import flows
from fleutan.sources.capture import Capture, Choice
from fleutan.sources.counting import Counted
from fleutan.table import Table

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

#: Counters of the socket that are kept as what they grew by.
GROWN = ("bytes_sent", "bytes_received", "segs_out", "segs_in", "retrans", "bytes_retrans")
_OWNERS = ("pids", "pid", "comm", "unit", "container", "cgroup")
#: What is read of every socket: what is kept of it, and what its verdict needs.
_KEPT = (*_OWNERS, "user", "dev", *GROWN, "rtt", "min_rtt", "rtt_var", "cwnd", "mss", "delivery_rate")
WANTED = tuple(dict.fromkeys((*_KEPT, *limits.NEEDS)))
_NARROW = (*flows.ALWAYS, "owner", *_KEPT)
_NONE = np.iinfo(np.int64).max


class Flows:
    """The question; ``between`` are the sockets of the last two captures, the earlier first."""

    def __init__(self) -> None:
        self.counts = True
        self.answer_by: Choice = "auto"
        self.between: tuple[Table, ...] = ()
        self._host = host_name()

    def look(self, capture: Capture) -> Table:
        """The sockets of a capture, whose octets are let go."""
        table = flows.table(capture, WANTED, self._host)
        for space in capture.namespaces:
            space.dumps.clear()
        capture.holders = None
        self.between = (*self.between[-1:], table)
        return table

    def answer(self, capture: Capture, before: Capture, counted: Counted | None) -> Table:
        """The table ``flows`` as it is kept; where packets were counted ``lifecycle`` and ``traffic`` are related."""
        earlier, later = retimed(self.between[-1], before, capture), self.look(capture)
        sockets = rates.compare(earlier, later)
        limit = limits.verdicts(sockets.deltas, {}, ("limit",))
        if counted is None:
            return _kept(sockets.flows.with_columns(limit), sockets.deltas, _used(sockets.deltas), None)
        # Few columns from here on: most rows are of flows of which no socket tells.
        later = _narrow(later).with_columns(
            {name: column.take(np.arange(len(later))) for name, column in limit.items()}
        )
        interval, packets, lives = compare(_narrow(earlier), later, counted, capture, _KEPT)
        found = _kept(interval.flows, interval.deltas, moved(interval.flows), packets)
        return replace(found, related={"lifecycle": lives, "traffic": packets.table})


def _narrow(table: Table) -> Table:
    """The table with what is kept of sockets only."""
    return replace(table, columns={name: table.columns[name] for name in _NARROW})


def _used(deltas: Table) -> Mask:
    """Where no packets are counted: what sent or received a segment, came or went."""
    found = deltas.columns["change"].mask()
    for name in ("segs_out", "segs_in"):
        found |= np.nan_to_num(numbers(deltas, name)) > 0
    peers: Mask = deltas.columns["dport"].values != 0
    return found & peers


def _kept(table: Table, deltas: Table, rows: Mask, packets: Packets | None) -> Table:
    """The fields that are kept, of these rows."""
    numbers_of = np.flatnonzero(rows)
    reading = table.reading
    columns = {name: table.columns[name].take(numbers_of) for name in HOST["flows"] if name in table.columns}
    columns |= {name: deltas.columns[name].take(numbers_of) for name in GROWN}
    if packets is not None:
        found = _of_packets(packets, len(table), table.columns["dev"])
        columns |= {name: column.take(numbers_of) for name, column in found.items()}
    return of_interval("flows", replace(table, columns=columns), reading)


def _of_packets(packets: Packets, rows: int, dev: Column) -> dict[str, Column]:
    """What each flow's packets tell of it: when the first and the last came, by which device, and whose it is."""
    table, flow = packets
    first, last = np.full(rows, _NONE), np.zeros(rows, np.int64)
    np.minimum.at(first, flow, table.columns["first_seen"].values)
    np.maximum.at(last, flow, table.columns["last_seen"].values)
    passed = np.zeros(rows, np.bool_)
    passed[flow[table.columns["forwarded"].values]] = True
    seen = last > 0
    return {
        "first_seen": Column(first, seen),
        "last_seen": Column(last, seen),
        "forwarded": Column(passed, seen),
        "dev": _devices(table, flow, dev),
    }


def _devices(table: Table, flow: Ints, known: Column) -> Column:
    """The device that most of a flow's packets went by; where that is not known the one of its socket."""
    once = np.flatnonzero(~table.columns["counted_above"].values)
    order = once[np.argsort(table.columns["packets"].values[once], kind="stable")]
    by = table.columns["dev"]
    words = known.words or ()
    codes = np.full(len(known), -1, np.int64)
    codes[flow[order]] = by.values[order]  # the last one that is written stays
    shifted = np.where(codes >= 0, codes + len(words), known.values)
    return Column(shifted.astype(np.int32), None, (*words, *(by.words or ())))
