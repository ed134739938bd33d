# SPDX-License-Identifier: Apache-2.0
"""What each flow moved in an interval: counted traffic joined to the flows, and summed up.

A packet that crosses stacked devices (VLAN, bridge, bond) is counted at each of them; in a
flow's sum it stands once.  What queues and CPUs carried is the business of ``queues`` and
``cpus``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.alike import paired, shared
from fleutan.analysis.figures import is_word, numbers
from fleutan.analysis.stack import stacked
from fleutan.analysis.totals import places, totals
from fleutan.column import Column
from fleutan.table import Table

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

COUNTERS = ("bytes", "packets", "segments", "skb_bytes")
DIRECTIONS = ("tx", "rx")
#: The fields of a flow that traffic gives: ``tx_bytes`` ...
FIELDS = tuple(f"{direction}_{counter}" for counter in COUNTERS for direction in DIRECTIONS)
#: What tells flows apart where no socket does.
FLOW = ("netns_inode", "proto", "src", "sport", "dst", "dport")
_SOCKET = ("netns_inode", "proto", "cookie")
#: What traffic says of packets, and flows, by the same name, of a socket.
_OF_PACKETS = ("cpu",)


class Joined(NamedTuple):
    """Flows with FIELDS, the same of their differences, and of each row of traffic its row among them."""

    flows: Table
    deltas: Table
    rows: Ints


def join(flows: Table, deltas: Table, traffic: Table) -> Joined:
    """The flows of both readings (``rates.compare``) and, behind them, those that only packets told of.

    ``traffic`` is a table of that kind, with owners where ``flows`` has them.  Packets belong to
    the flow with their ends, of several to that of their socket; after address translation to
    that of their socket.  What a socket without a peer exchanges with each peer is a flow.
    """
    rows = _flow_of(flows, traffic)
    if (rows < 0).any():
        left = traffic.take(rows < 0)
        rows[rows < 0] = len(flows) + places(left, FLOW)
        said = {name: column for name, column in left.columns.items() if name not in _OF_PACKETS}
        new = totals(replace(left, columns=said), FLOW, ())
        flows, deltas = stacked(flows, new), stacked(deltas, new)
    sums = _sums(traffic, rows, len(flows))
    return Joined(flows.with_columns(sums), deltas.with_columns(sums), rows)


def is_counted(table: Table) -> bool:
    """Whether packets of these flows were counted (FIELDS may stand there unknown)."""
    return FIELDS[0] in table and bool(table.columns[FIELDS[0]].mask().any())


def moved(table: Table) -> Mask:
    """Which flows had any packet in the interval."""
    packets = [numbers(table, f"{direction}_packets") for direction in DIRECTIONS]
    found: Mask = np.nan_to_num(np.array(packets)).sum(axis=0) > 0
    return found


def _sums(traffic: Table, rows: Ints, flows: int) -> dict[str, Column]:
    once = ~traffic.columns["counted_above"].values
    found = {}
    for direction in DIRECTIONS:
        meant = np.flatnonzero(is_word(traffic, "direction", direction) & once)
        of = rows[meant]
        for counter in COUNTERS:
            sums = np.bincount(of, numbers(traffic, counter)[meant], flows)
            found[f"{direction}_{counter}"] = Column(sums.astype(np.int64))
    return {name: found[name] for name in FIELDS}


def _flow_of(flows: Table, traffic: Table) -> Ints:
    """For each row of traffic the row of its flow, −1 where there is none."""
    known, connected = flows.columns["cookie"].mask(), flows.columns["dport"].values != 0
    every = np.ones(len(flows), np.bool_)
    found = np.full(len(traffic), -1, np.int64)
    for names, among in (((*FLOW, "cookie"), known), (FLOW, every), (_SOCKET, known & connected)):
        left = found < 0
        if "cookie" in names:
            left &= traffic.columns["cookie"].mask()
        if left.any():
            found[left] = _first_like(flows, np.flatnonzero(among), traffic.select(names).take(left), names)
    return found


def _first_like(flows: Table, among: Ints, traffic: Table, names: Sequence[str]) -> Ints:
    """For each row of traffic the first of those flows with the same values, −1 for none."""
    hint = "cookie" if "cookie" in names else "sport"  # the rest is compared where this one is found at all
    if len(among) > len(traffic):
        among = among[np.isin(flows.columns[hint].values[among], traffic.columns[hint].values)]
    ours = {name: flows.columns[name].take(among) for name in names}
    theirs, groups = shared(*paired(traffic.columns, ours, names))
    first = np.full(max(theirs.max(initial=-1), groups.max(initial=-1)) + 1, -1, np.int64)
    first[groups[::-1]] = among[::-1]
    return first[theirs]
