# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fleutan.column import text_column
from fleutan.faces.tui import identity
from fleutan.faces.tui.model import CLOSED, Model
from fleutan.faces.tui.rounds import Cost, Round
from fleutan.faces.tui.tabs import TABS
from fleutan.table import Table

Make = Callable[..., Any]


def owners(model: Model) -> list[Any]:
    names = model.table["proc"]
    return [names[row] for row in model.lines.rows.tolist()]


def cookies(model: Model) -> list[int]:
    values = model.table["cookie"]
    return [int(values[row]) for row in model.lines.rows.tolist() if row >= 0]


def under(model: Model) -> int | None:
    """The cookie of the flow under the cursor."""
    row, _ = model.selected()
    return None if row is None else int(model.table["cookie"][row])


def test_a_model_begins_with_nothing() -> None:
    model = Model()
    assert (len(model.lines), model.selected(), model.watch(), model.watched_flow(), model.cookie()) == (
        0,
        (None, None),
        None,
        None,
        None,
    )
    assert model.tab.number == 1
    model.move(1)
    model.reset()
    assert model.cursor == 0
    assert [tab.number for tab in model.shown_tabs()] == [1, 2, 3, 4, 6, 7]


def test_the_busiest_flow_stands_first(model: Model) -> None:
    assert cookies(model)[0] == 3
    assert model.cost == Cost(0.0123)
    assert model.history.rounds == 12  # none for the first look, which has no rates


def test_the_cursor_stays_on_top_until_it_is_moved(model: Model, second: Make) -> None:
    model.take(Round(second(8)))  # where all are silent
    first = under(model)
    model.take(Round(second(9)))
    assert (under(model), model.cursor) == (3, 0)
    assert first != 3


def test_the_cursor_follows_its_flow(model: Model, second: Make) -> None:
    model.move(1)
    chosen = under(model)
    model.sort_next()
    model.sort_other_way()
    model.take(Round(second(13)))
    assert under(model) == chosen
    model.take(Round(second(14, [])))
    assert model.selected() == (None, None)
    model.move(-9)
    assert model.cursor == 0


def test_the_cursor_stays_inside(model: Model) -> None:
    model.move(99)
    assert model.cursor == 3
    model.scroll(2)
    assert (model.top, model.height) == (2, 2)
    model.move(-2)
    model.scroll(2)
    assert (model.cursor, model.top) == (1, 1)
    model.scroll(10)
    assert model.top == 0


def test_columns_take_turns_in_deciding_the_order(model: Model) -> None:
    seen = []
    for _ in range(12):
        seen.append(model.order().column)
        model.sort_next()
    assert seen[:4] == ["trend", "retrans_rate", "limit", "proc"]
    assert "local" not in seen
    assert seen[10:] == seen[:2] or len(set(seen)) == 10
    while model.order().column != "rtt":
        model.sort_next()
    assert cookies(model) == [4, 3, 2, 1]
    model.sort_other_way()
    assert cookies(model) == [1, 2, 3, 4]


def test_tabs_group_and_keep_their_order(model: Model) -> None:
    assert model.open(2) == ""
    assert model.groups is not None
    assert model.groups.table["proc"].tolist().count("nginx(1234)") == 1
    model.sort_next()
    assert model.order().column == "retrans_rate"
    assert model.open(4) == ""
    assert model.order().column == "trend"
    assert model.open(2) == ""
    assert model.order().column == "retrans_rate"
    assert model.open(0).startswith("no paths: start with --paths")
    assert model.open(11) == ""
    assert model.tab.number == 2


def test_groups_open_and_close(model: Model) -> None:
    model.open(2)
    names = model.groups.table["proc"].tolist() if model.groups else []
    lines = len(model.lines)
    while names[model.selected()[1] or 0] != "nginx(1234)":
        model.move(1)
    assert model.toggle_group()
    _, group = model.selected()
    assert group is not None
    assert model.is_expanded(group)
    assert len(model.lines) == lines + 2
    assert len(model.member_keys(group)) == 2
    model.move(1)
    assert model.selected()[0] is not None
    assert model.toggle_group()  # from a member too
    assert len(model.lines) == lines
    assert model.selected() == (None, group)
    model.open(1)
    assert not model.toggle_group()
    assert not model.is_expanded(0)
    assert len(model.member_keys(0)) == 0


def test_a_tab_without_data_says_what_it_needs(model: Model, second: Make, make_table: Make) -> None:
    assert [tab.number for tab in model.shown_tabs()] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert model.open(9).startswith("no drops: nothing was dropped")
    table: Table = second(13)
    model.take(Round(table))
    assert model.open(5) == "no CPUs: nothing is read of CPUs here"
    assert [tab.number for tab in model.shown_tabs()] == [1, 2, 3, 4, 6, 7]


def test_other_tables_have_tabs_where_they_come(model: Model, second: Make, make_table: Make) -> None:
    names = ("dev", "queue", "qdisc_bytes")
    rows = [{"dev": "eth0", "queue": 0, "qdisc_bytes": 7}, {"dev": "eth1", "queue": 1, "qdisc_bytes": 9}]
    queues = make_table(rows, names, "queues")
    model.take(Round(second(13), others={"queues": queues}))
    assert model.open(8) == ""
    assert (model.columns(), model.order().column) == (names, "qdisc_bytes")
    assert model.lines.rows.tolist() == [1, 0]
    model.sort_other_way()
    assert model.lines.rows.tolist() == [0, 1]
    model.sort_next()
    assert model.order() == ("dev", False)
    model.take(Round(second(14)))
    assert (len(model.lines), model.columns()) == (0, ())
    model.sort_next()
    assert model.tab.number == 8
    assert 8 in [tab.number for tab in model.shown_tabs()]


# -- closed flows


def test_closed_flows_are_shown_on_request(model: Model, second: Make) -> None:
    table: Table = second(13)
    model.take(Round(table.take(np.array([0, 2]))))
    assert (len(model.live), len(model.closed), len(model.lines)) == (2, 2, 2)
    assert model.toggle_closed()
    assert sorted(cookies(model)) == [1, 2, 3, 4]
    closed = model.table.column("change").objects()
    assert closed.count("vanished") == 2
    assert not model.closed.column("tx_rate").mask().any()
    assert model.open(2) == ""
    assert len(model.table) == 2  # groups are of what is open
    model.open(1)
    assert not model.toggle_closed()
    assert len(model.lines) == 2


def test_the_latest_closed_flows_are_kept(second: Make, make_row: Make, make_table: Make) -> None:
    model = Model()
    for start in range(1, 4 * 600, 600):
        rows = [make_row(number, "a(1)", sport=1) for number in range(start, start + 600)]
        model.take(Round(make_table(rows)))
    assert len(model.closed) == CLOSED
    assert model.closed["cookie"][0] == 1201


def test_a_flow_that_a_filter_leaves_out_is_not_closed(model: Model, second: Make) -> None:
    table: Table = second(13)
    everything = identity.of_flows(table)
    model.take(Round(table.take(np.array([0, 1])), everything, filter="rtt < 3ms"))
    assert (model.filter, len(model.closed), len(model.live)) == ("rtt < 3ms", 0, 2)
    model.take(Round(table.take(np.array([0])), everything, filter="rtt < 3ms"))
    assert len(model.closed) == 0
    model.take(Round(table.take(np.array([0])), everything[:1], filter="rtt < 3ms"))
    assert len(model.closed) == 0  # it was gone from the screen before it closed
    model.take(Round(table.take(np.array([], np.int64)), everything[1:], filter="rtt < 3ms"))
    assert model.closed["cookie"].tolist() == [1]


def test_a_flow_that_is_shown_is_not_closed_whatever_its_state(model: Model, second: Make) -> None:
    """A filter may name a state that is not among the open ones."""
    none = identity.of_flows(second(13, []))
    model.take(Round(second(13), none, filter="state time-wait"))
    model.take(Round(second(14), none, filter="state time-wait"))
    assert len(model.closed) == 0


def test_flows_that_vanished_inside_the_interval_are_not_live(model: Model, make_row: Make, make_table: Make) -> None:
    rows = [make_row(1, "a(1)"), make_row(2, "a(1)", change="vanished"), make_row(3, "a(1)", change="appeared")]
    model.take(Round(make_table(rows)))
    assert sorted(model.live["cookie"].tolist()) == [1, 3]


# -- one flow


def test_a_watched_flow_is_remembered_when_it_closes(model: Model, second: Make) -> None:
    assert model.watch() == 3
    assert (model.page, model.cookie()) == ("details", 3)
    table: Table = second(13)
    model.take(Round(table.take(np.array([0])), detail=table.take(np.array([2]))))
    flow = model.watched_flow()
    assert flow is not None
    assert flow["proc"].tolist() == ["postgres(77)"]
    assert model.detail is not None
    assert model.watched is not None
    model.reset()
    assert model.watched_flow() is None
    model.unwatch()
    assert str(model.page) == "list"
    assert model.watched is None
    assert model.detail is None


def test_a_socket_without_cookie_has_none(make_row: Make, make_table: Make) -> None:
    model = Model()
    model.take(Round(make_table([make_row(0, "a(1)")])))
    assert model.watch() is None
    assert model.watched_flow() is not None


def test_pages_of_text_scroll(model: Model) -> None:
    model.show("help")
    model.move(5)
    model.move(-2)
    assert (model.page, model.offset, model.cursor) == ("help", 3, 0)
    model.move(-9)
    assert model.offset == 0
    model.open(2)
    assert model.page == "list"


def test_reset_forgets_the_history(model: Model) -> None:
    model.reset()
    assert (model.history.rounds, len(model.closed)) == (0, 0)
    assert np.isnan(model.history.of(int(model.keys_of(np.array([0]))[0]), "tx_rate")).all()


@pytest.mark.parametrize("tab", TABS)
def test_a_host_without_flows_has_every_tab(empty: Model, tab: Any) -> None:
    empty.open(tab.number)
    empty.sort_next()
    empty.toggle_group()
    empty.toggle_closed()
    empty.move(1)
    assert len(empty.lines) == 0


def test_verdicts_are_kept_as_their_places(model: Model, make_row: Make, make_table: Make) -> None:
    key = int(identity.of_flows(model.live)[0])
    assert set(model.history.of(key, "limit").tolist()) == {3.0}
    names = ("proto", "src", "sport", "dst", "dport", "cookie", "netns_inode", "tx_rate", "rx_rate")
    bare = Model()
    bare.take(Round(make_table([make_row(1, "a(1)", tx_rate=1)], names, at_ns=5, interval_ns=5)))
    assert np.isnan(bare.history.of(int(identity.of_flows(bare.live)[0]), "limit")).all()


def test_a_flow_that_came_and_went_between_two_looks_is_a_closed_one(model: Model, second: Make) -> None:
    table: Table = second(13)
    changes = text_column([None, None, None, "brief"])
    model.take(Round(table.with_columns({"change": changes})))
    assert (len(model.live), len(model.closed)) == (3, 2)  # and the one that was there before is gone
    assert model.closed.column("change").objects() == ["brief", "vanished"]
