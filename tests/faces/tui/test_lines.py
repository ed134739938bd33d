# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fleutan.faces.tui import identity, lines
from fleutan.faces.tui.grouping import grouped
from fleutan.faces.tui.lines import Order
from fleutan.table import Table

Make = Callable[..., Any]


def sockets(make_row: Make, make_table: Make) -> Table:
    """Flows 1 to 5."""
    found: Table = make_table(
        [
            make_row(1, "b(2)", "192.0.2.1#9", tx_rate=5, rx_rate=5),
            make_row(2, "a(1)", "192.0.2.1#10", tx_rate=None, rx_rate=30),
            make_row(3, None, "10.0.0.1#1", tx_rate=None, rx_rate=None),
            make_row(4, "b(2)", "192.0.2.1#8", tx_rate=15, rx_rate=0),
            make_row(5, "c(3)", "10.0.0.2#1", tx_rate=0, rx_rate=0, rtt=None),
        ]
    )
    return found


def cookies(table: Table, found: lines.Lines) -> list[int]:
    values = table["cookie"]
    return [int(values[row]) for row in found.rows.tolist()]


def test_figures_descend_and_names_ascend() -> None:
    assert lines.by("rtt") == lines.by("rtt").turned().turned() == Order("rtt", True)
    assert [lines.by(name).down for name in ("trend", "flows", "proc", "remote", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("order", "first"),
    [
        (Order("trend", True), [2, 4, 1]),
        (Order("tx_rate", True), [4, 1, 5]),
        (Order("rtt", True), [4, 3, 2, 1, 5]),
        (Order("rtt", False), [1, 2, 3, 4, 5]),
        (Order("proc", False), [2]),
        (Order("remote", False), [3, 5, 4, 1, 2]),
        (Order("remote", True), [2, 1, 4, 5, 3]),
    ],
)
def test_rows_in_order(order: Order, first: list[int], make_row: Make, make_table: Make) -> None:
    table = sockets(make_row, make_table)
    ids = identity.of_flows(table)
    found = lines.of_rows(table, ids, order)
    assert cookies(table, found)[: len(first)] == first
    assert found.ids.tolist() == ids[found.rows].tolist()
    assert set(found.groups.tolist()) == {-1}
    assert len(found) == 5


def test_what_is_alike_stays_in_its_place(make_row: Make, make_table: Make) -> None:
    rows = [make_row(number, "a(1)") for number in range(50)]
    forth, back = make_table(rows), make_table(rows[::-1])
    orders = [
        cookies(table, lines.of_rows(table, identity.of_flows(table), lines.by("trend"))) for table in (forth, back)
    ]
    assert orders[0] == orders[1]


def test_a_column_that_is_not_there_orders_nothing(make_row: Make, make_table: Make) -> None:
    table = sockets(make_row, make_table)
    assert len(lines.of_rows(table, identity.of_flows(table), lines.by("flows"))) == 5
    empty: Table = make_table([])
    assert len(lines.of_rows(empty, identity.of_flows(empty), lines.by("rtt"))) == len(lines.NO_LINES) == 0


def test_members_stand_below_their_group(make_row: Make, make_table: Make) -> None:
    table = sockets(make_row, make_table)
    ids = identity.of_flows(table)
    groups = grouped(table, "proc", ("tx_rate", "rx_rate", "rtt"))
    names = groups.table["proc"].tolist()

    def shown(order: Order, *expanded: str) -> list[str]:
        opened = {int(groups.ids[names.index(name)]) for name in expanded}
        found = lines.of_groups(groups, table, ids, order, opened)
        assert len({*found.ids.tolist()}) == len(found)
        return [
            f"{names[group]}" if row < 0 else f" {table['cookie'][row]}"
            for row, group in zip(found.rows.tolist(), found.groups.tolist(), strict=True)
        ]

    assert shown(lines.by("trend"))[:2] == ["a(1)", "b(2)"]
    assert shown(lines.by("trend"), "b(2)", "a(1)")[:5] == ["a(1)", " 2", "b(2)", " 4", " 1"]
    assert shown(lines.by("flows"), "b(2)")[:3] == ["b(2)", " 4", " 1"]
    assert shown(lines.by("proc"), "c(3)") == ["a(1)", "b(2)", "c(3)", " 5", "None"]
    assert shown(Order("rtt", False), "b(2)")[:4] == ["b(2)", " 1", " 4", "a(1)"]
