# SPDX-License-Identifier: Apache-2.0
"""What stands on the screen of ``fleutan top``, and what keys make of it.

Order, groups, selection, and what is remembered from round to round.  Pure: no terminal, thread
or clock, and nothing drawn; a ``Round`` goes in, lines to be drawn come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from fleutan.analysis.figures import is_word, numbers
from fleutan.analysis.stack import stacked
from fleutan.column import Column, text_column
from fleutan.faces.tui import identity, lines
from fleutan.faces.tui.grouping import Groups, grouped
from fleutan.faces.tui.history import FIGURES, History
from fleutan.faces.tui.identity import Ints
from fleutan.faces.tui.rounds import NO_COST, Round
from fleutan.faces.tui.tabs import TABS, Tab
from fleutan.table import Table
from fleutan.views import ENDS
from fleutan.views.ranking import SEVERITY

#: So many closed flows are remembered, the latest ones.
CLOSED = 1000
#: What is not known of a flow any more once it is closed.
_ENDED = ("tx_rate", "rx_rate", "retrans_rate")
Page = Literal["list", "details", "help"]
_NOTHING = np.zeros(0, np.int64)


class Model:
    """All that the screen shows; methods are what keys and rounds do to it."""

    def __init__(self, history: History | None = None, tabs: Sequence[Tab] = TABS) -> None:
        self.history = history or History()
        self.tabs = tabs
        self.tab = tabs[0]
        self.cost = NO_COST
        self.filter = ""
        self.page: Page = "list"
        self.with_closed = self.paused = False
        self.detail: Table | None = None
        self.cursor = self.top = self.offset = 0
        self.height = 1
        self.groups: Groups | None = None
        self.table = self.live = self.closed = Table("flows", {})
        self.lines = lines.NO_LINES
        self._others: dict[str, Table] = {}
        self._orders: dict[int, lines.Order] = {}
        self._expanded: set[int] = set()
        self._anchor: int | None = None
        self._watched: int | None = None
        self._keys = _NOTHING

    # -- what comes in

    def take(self, found: Round) -> None:
        """The newest round in the place of the one before."""
        live, brief = found.flows, None
        if "change" in live:
            brief = live.take(is_word(live, "change", "brief"))
            live = live.take(~is_word(live, "change", "vanished", "brief"))
        keys = identity.of_flows(live)
        if found.filter == self.filter:
            self._remember_closed(keys if found.open is None else np.append(keys, found.open))
        else:
            self.filter, self.closed = found.filter, live.take(_NOTHING)
        if brief is not None and len(brief):
            self._close(brief)
        self.live, self.cost, self.detail, self._others = live, found.cost, found.detail, dict(found.others)
        if live.reading.interval_ns:
            self.history.record(keys, _points(live), live.reading.at_ns)
        self._arrange()

    def _remember_closed(self, still_open: Ints) -> None:
        before = self.live
        if not before.columns:
            return
        gone = before.take(~np.isin(identity.of_flows(before), still_open))
        if len(gone):
            unknown = Column(np.zeros(len(gone), np.int64), np.zeros(len(gone), np.bool_))
            ended = {name: unknown for name in _ENDED if name in gone}
            self._close(gone.with_columns({**ended, "change": text_column(["vanished"] * len(gone))}))

    def _close(self, flows: Table) -> None:
        joined = stacked(flows, self.closed) if self.closed.columns else flows
        self.closed = joined.take(np.arange(min(len(joined), CLOSED)))

    def reset(self) -> None:
        """Forgets the history and the closed flows."""
        self.history.clear()
        self.closed = self.closed.take(_NOTHING)
        self._arrange()

    # -- what is shown

    def shown_tabs(self) -> list[Tab]:
        """The tabs that have data, and the one that is open."""
        return [tab for tab in self.tabs if tab is self.tab or self.has_data(tab)]

    def has_data(self, tab: Tab) -> bool:
        """Whether anything is known of what the tab shows."""
        if tab.kind != "flows":
            return len(self._others.get(tab.kind, ())) > 0
        return not tab.needs or (tab.by in self.live and bool(self.live.column(tab.by).mask().any()))

    def columns(self) -> tuple[str, ...]:
        """The columns of the open tab: fields, ends of flows, ``flows`` and ``trend``."""
        columns = self.tab.columns
        return columns if self.tab.kind == "flows" else tuple(name for name in columns if self._has(name))

    def _has(self, name: str) -> bool:
        return all(field in self.table for field in ENDS.get(name, (name,)))

    def order(self) -> lines.Order:
        """The order of the open tab."""
        first = next((name for name in self.tab.first if name in self.table), self.tab.first[-1])
        return self._orders.get(self.tab.number, lines.by(first))

    def selected(self) -> tuple[int | None, int | None]:
        """The row of the flow and the number of the group under the cursor."""
        if not len(self.lines):
            return None, None
        row, group = int(self.lines.rows[self.cursor]), int(self.lines.groups[self.cursor])
        return (row if row >= 0 else None), (group if group >= 0 else None)

    def is_expanded(self, group: int) -> bool:
        """Whether the members of a group are shown."""
        return self.groups is not None and int(self.groups.ids[group]) in self._expanded

    def keys_of(self, rows: Ints) -> Ints:
        """The identities of these rows."""
        return self._keys[rows]

    def member_keys(self, group: int) -> Ints:
        """The identities of the flows of a group."""
        return _NOTHING if self.groups is None else self._keys[self.groups.members(group)]

    # -- what keys do

    def open(self, number: int) -> str:
        """Opens the tab with this number; says why where it has nothing to show."""
        tab = next((tab for tab in self.tabs if tab.number == number), None)
        if tab is None:
            return ""
        if not self.has_data(tab):
            return f"no {tab.title}: {tab.needs}"
        self.tab, self.page, self._expanded = tab, "list", set()
        self.cursor, self.top, self._anchor = 0, 0, None
        self._arrange()
        return ""

    def show(self, page: Page) -> None:
        """Another page, from its start."""
        self.page, self.offset = page, 0

    def move(self, by: int) -> None:
        """Down (up: negative) by so many lines: the cursor, or of a page of text what is seen.

        On the first line the cursor stays, whatever comes there.
        """
        if self.page != "list":
            self.offset = max(self.offset + by, 0)
            return
        self.cursor = max(min(self.cursor + by, len(self.lines) - 1), 0)
        self._anchor = int(self.lines.ids[self.cursor]) if self.cursor else None

    def scroll(self, height: int) -> None:
        """Moves what is seen, so many lines high, to where the cursor is."""
        self.height = height
        last = max(len(self.lines) - height, 0)
        self.top = min(max(self.top, self.cursor - height + 1, 0), self.cursor, last)

    def sort_next(self) -> None:
        """Orders by the next column."""
        columns = [name for name in self.columns() if name != "local"]
        place = columns.index(self.order().column) + 1 if self.order().column in columns else 0
        if columns:
            self._reorder(lines.by(columns[place % len(columns)]))

    def sort_other_way(self) -> None:
        """Turns the order round."""
        self._reorder(self.order().turned())

    def _reorder(self, order: lines.Order) -> None:
        self._orders[self.tab.number] = order
        self._arrange()

    def toggle_closed(self) -> bool:
        """Shows closed flows, or not any more; whether they are shown now."""
        self.with_closed = not self.with_closed
        self._arrange()
        return self.with_closed

    def toggle_group(self) -> bool:
        """Shows the members of the group under the cursor, or not any more; whether there is a group."""
        _, group = self.selected()
        if self.groups is None or group is None:
            return False
        self._expanded ^= {int(self.groups.ids[group])}
        self._anchor = int(self.groups.ids[group])
        self._arrange()
        return True

    # -- one flow

    def watch(self) -> int | None:
        """Shows the flow under the cursor in detail; its cookie, where it has one."""
        row, _ = self.selected()
        if row is None:
            return None
        self._watched, self.detail = int(self._keys[row]), None
        self.show("details")
        return self.cookie()

    def unwatch(self) -> None:
        """Shows the list again."""
        self._watched = self.detail = None
        self.show("list")

    @property
    def watched(self) -> int | None:
        """The identity of the flow that is shown in detail."""
        return self._watched

    def watched_flow(self) -> Table | None:
        """That flow as a table of one row: as it is, else as it was when it closed."""
        for table in (self.live, self.closed):
            if self._watched is not None and table.columns:
                found = np.flatnonzero(identity.of_flows(table) == self._watched)
                if len(found):
                    return table.take(found[:1])
        return None

    def cookie(self) -> int | None:
        """The cookie of that flow, where the kernel gave it one."""
        flow = self.watched_flow()
        value = None if flow is None else flow.column("cookie").objects()[0]
        return int(value) if value else None

    # -- lines

    def _arrange(self) -> None:
        """Makes the lines anew; the cursor stays on what it was on."""
        tab = self.tab
        self.table, self.groups = self._meant(), None
        if tab.kind != "flows":
            self._keys = np.arange(len(self.table))
        else:
            self._keys = identity.of_flows(self.table) if self.table.columns else _NOTHING
        if tab.by and tab.by in self.table:
            self.groups = grouped(self.table, tab.by, tab.columns)
            self.lines = lines.of_groups(self.groups, self.table, self._keys, self.order(), self._expanded)
        else:
            self.lines = lines.of_rows(self.table, self._keys, self.order())
        self._put_cursor()

    def _meant(self) -> Table:
        """The table that the open tab is about."""
        if self.tab.kind != "flows":
            return self._others.get(self.tab.kind, Table(self.tab.kind, {}))
        return stacked(self.live, self.closed) if self.with_closed and not self.tab.by else self.live

    def _put_cursor(self) -> None:
        if self._anchor is not None:
            found = np.flatnonzero(self.lines.ids == self._anchor)
            if len(found):
                self.cursor = int(found[0])
        self.cursor = min(self.cursor, max(len(self.lines) - 1, 0))


def _points(table: Table) -> dict[str, np.ndarray]:
    """The figures that the history keeps; a verdict as its place in SEVERITY."""
    found = {name: numbers(table, name) for name in FIGURES if name != "limit"}
    limit = table.columns.get("limit")
    if limit is None:
        return {**found, "limit": np.full(len(table), np.nan)}
    places = [float(SEVERITY.index(word)) if word in SEVERITY else np.nan for word in limit.words or ()]
    return {**found, "limit": np.array([*places, np.nan])[limit.values]}
