# SPDX-License-Identifier: Apache-2.0
"""The rows of a table, or its groups with some of their members, as lines in an order.

Lines are numbers only; what stands in them is the business of ``drawing``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fleutan.analysis.figures import numbers
from fleutan.analysis.order import ordered
from fleutan.column import Column
from fleutan.faces.tui.grouping import Groups
from fleutan.faces.tui.identity import Ints
from fleutan.faces.tui.tabs import COUNT, TREND
from fleutan.fields import BY_NAME
from fleutan.table import Table
from fleutan.views import ENDS

_RATES = ("tx_rate", "rx_rate")


class Order(NamedTuple):
    """By which column of a tab lines are ordered, and whether the greatest comes first."""

    column: str
    down: bool

    def turned(self) -> Order:
        """The other way round."""
        return self._replace(down=not self.down)


@dataclass(frozen=True)
class Lines:
    """Of each line its identity, the row of a flow (−1: a group's line) and the group (−1: none); int64."""

    ids: Ints
    rows: Ints
    groups: Ints

    def __len__(self) -> int:
        return len(self.ids)


NO_LINES = Lines(*(np.zeros(0, np.int64) for _ in range(3)))


def by(column: str) -> Order:
    """The order by a column as it is first meant: figures descend, names ascend."""
    field = BY_NAME.get(column)
    return Order(column, column in (TREND, COUNT) or (field is not None and field.kind in ("gauge", "counter")))


def of_rows(table: Table, ids: Ints, order: Order) -> Lines:
    """A line a row."""
    rows = _sorted(table, np.argsort(ids, kind="stable"), order)
    return Lines(ids[rows], rows, np.full(len(rows), -1))


def of_groups(groups: Groups, table: Table, ids: Ints, order: Order, expanded: Collection[int]) -> Lines:
    """A line a group, and below those that are expanded (by identity) one for each member.

    ``table`` and ``ids`` are those of the members.
    """
    key = next(iter(groups.table.columns))
    named = _ordered(groups.table, np.arange(len(groups)), {key: groups.table.columns[key]}, False)
    places = _sorted(groups.table, named, order, groups.counts)
    within = by(TREND) if order.column in (COUNT, key) else order
    parts = []
    start = 0
    for place in np.flatnonzero(np.isin(groups.ids[places], list(expanded))).tolist():
        parts.append(_heads(groups, places[start : place + 1]))
        parts.append(_members(groups, int(places[place]), table, ids, within))
        start = place + 1
    parts.append(_heads(groups, places[start:]))
    columns = ([getattr(part, name) for part in parts] for name in ("ids", "rows", "groups"))
    return Lines(*map(np.concatenate, columns))


def _heads(groups: Groups, places: Ints) -> Lines:
    return Lines(groups.ids[places], np.full(len(places), -1), places)


def _members(groups: Groups, group: int, table: Table, ids: Ints, order: Order) -> Lines:
    members = groups.members(group)
    rows = members[_sorted(table.take(members), np.argsort(ids[members], kind="stable"), order)]
    return Lines(ids[rows], rows, np.full(len(rows), group))


def _sorted(table: Table, start: Ints, order: Order, counts: Ints | None = None) -> Ints:
    """The rows in order; those that are alike in it stay as they are in ``start``."""
    if order.column == TREND:
        # A sum that is no field travels under the name of one: only its values decide.
        columns = {"tx_rate": Column(np.nansum([numbers(table, name) for name in _RATES], axis=0))}
    elif order.column == COUNT and counts is not None:
        columns = {"tx_rate": Column(counts)}
    else:
        columns = {name: table.columns[name] for name in ENDS.get(order.column, (order.column,)) if name in table}
    return _ordered(table, start, columns, order.down)


def _ordered(table: Table, start: Ints, columns: Mapping[str, Column], down: bool) -> Ints:
    """The numbers of the rows, which are carried along as a column of their own."""
    numbered = Table("rows", {**columns, "row": Column(np.arange(len(table)))}).take(start)
    found: Ints = ordered(numbered, [("-" if down else "") + name for name in columns]).columns["row"].values
    return found
