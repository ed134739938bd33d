# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleutan.faces.cli.figures import Names
from fleutan.faces.cli.layout import cell_width
from fleutan.faces.tui import cells
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.rounds import Round
from fleutan.faces.tui.tabs import TABS
from fleutan.table import Table

Make = Callable[..., Any]


def names(model: Model, width: int) -> list[str]:
    return [column.name for column in cells.fitted(model, width)[0]]


def drawn(model: Model, width: int, blocks: bool = True, hosts: Names | None = None) -> list[cells.Line]:
    columns, gap = cells.fitted(model, width)
    return cells.rows(model, columns, gap, 50, blocks, hosts)


def texts(lines: list[cells.Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def test_a_narrow_screen_shows_what_matters_most(model: Model) -> None:
    assert names(model, 200) == list(model.tab.columns)
    assert names(model, 80) == ["proc", "remote", "rtt", "tx_rate", "rx_rate", "trend", "retrans_rate", "limit"]
    assert names(model, 40) == ["proc", "remote", "tx_rate", "rx_rate"]
    assert names(model, 20) == ["proc", "tx_rate"]
    assert names(model, 3) == ["proc"]
    assert cells.fitted(model, 3)[0][0].width == 3


def test_widths_do_not_depend_on_what_stands_there(model: Model, second: Make) -> None:
    before = cells.fitted(model, 80)
    model.take(Round(second(13)))
    model.move(1)
    assert cells.fitted(model, 80) == before


def test_only_ipv6_takes_the_room_of_ipv6(model: Model, second: Make) -> None:
    wide = {column.name: column.width for column in cells.fitted(model, 250)[0]}
    four: Table = second(13)
    model.take(Round(four.take(np.array([0, 2, 3]))))
    narrow = {column.name: column.width for column in cells.fitted(model, 250)[0]}
    assert (wide["remote"], narrow["remote"]) == (45, 21)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(width=st.integers(1, 260), tab=st.sampled_from([1, 2, 3, 4, 5, 6, 7]), blocks=st.booleans())
def test_lines_are_as_wide_as_the_screen(model: Model, width: int, tab: int, blocks: bool) -> None:
    model.open(tab)
    model.toggle_group()
    columns, gap = cells.fitted(model, width)
    lines = [*texts(drawn(model, width, blocks)), *texts([cells.heading(model, columns, gap, blocks)])]
    assert all(cell_width(line) <= width for line in lines)
    assert len({cell_width(line) for line in lines}) == 1
    assert blocks or "".join(lines).isascii()


def test_the_order_is_marked(model: Model) -> None:
    columns, gap = cells.fitted(model, 80)
    assert "TREND▼" in texts([cells.heading(model, columns, gap, True)])[0]
    model.sort_other_way()
    assert "TREND▲" in texts([cells.heading(model, columns, gap, True)])[0]
    assert "TREND^" in texts([cells.heading(model, columns, gap, False)])[0]
    model.sort_other_way()
    assert "TRENDv" in texts([cells.heading(model, columns, gap, False)])[0]


def test_what_asks_for_attention_has_a_style(model: Model, second: Make) -> None:
    found = {text.strip(): style for line in drawn(model, 200) for text, style in line if style}
    assert (found["2.50"], found["cwnd"], found["idle"]) == ("bad", "warn", "dim")
    model.take(Round(second(13).take(np.array([0]))))
    model.toggle_closed()
    closed = [line for line in drawn(model, 200) if "closed" in texts([line])[0]]
    assert len(closed) == 3
    assert {style for line in closed for _, style in line} == {"dim"}


def test_a_new_flow_is_marked(make_row: Make, make_table: Make) -> None:
    model = Model()
    model.take(Round(make_table([make_row(1, "a(1)", change="appeared")])))
    assert {style for _, style in drawn(model, 80)[0]} == {"new"}


def test_members_stand_below_their_group(model: Model) -> None:
    model.open(4)
    while model.selected()[1] is None or "203.0.113.9" not in texts(drawn(model, 80))[model.cursor]:
        model.move(1)
    model.toggle_group()
    at = model.cursor
    assert texts(drawn(model, 80))[at].startswith("▾ 203.0.113.9")
    assert texts(drawn(model, 80))[at + 1].startswith("  nginx(123…192.0.2.10#443")
    assert texts(drawn(model, 80, blocks=False))[at].startswith("- 203.0.113.9")
    model.toggle_group()
    assert texts(drawn(model, 80, blocks=False))[at].startswith("+ 203.0.113.9")


def test_addresses_have_names_where_there_are_some(model: Model) -> None:
    hosts = Names({"203.0.113.9": "client.example"}.get, lambda port, _: {443: "https"}.get(port))
    found = "\n".join(texts(drawn(model, 200, hosts=hosts)))
    assert "client.example#51000" in found
    assert "192.0.2.10#https" in found


def test_other_tables_are_drawn_by_their_types(make_table: Make, second: Make) -> None:
    model = Model()
    rows = [{"dev": "eth0", "queue": 3, "qdisc_bytes": 7000, "irq_cpus": None}]
    queues = make_table(rows, ("dev", "queue", "qdisc_bytes", "irq_cpus"), "queues")
    model.take(Round(second(1), others={"queues": queues}))
    model.open(8)
    assert texts(drawn(model, 60))[0].split() == ["eth0", "3", "7kB", "-"]


@pytest.mark.parametrize("tab", [tab.number for tab in TABS])
def test_nothing_is_no_lines(empty: Model, tab: int) -> None:
    empty.open(tab)
    assert drawn(empty, 80) == []
