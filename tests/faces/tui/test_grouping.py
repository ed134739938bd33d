# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleutan.faces.tui.grouping import Groups, grouped
from fleutan.table import Table

Make = Callable[..., Any]
NAMES = ("tx_rate", "rtt", "retrans_rate", "user", "flows", "trend")


def by_value(groups: Groups, by: str) -> dict[Any, tuple[Any, ...]]:
    columns = [groups.table.column(name).objects() for name in groups.table.columns]
    rows = zip(*columns, groups.counts.tolist(), strict=True)
    return {row[0]: row[1:] for row in rows}


def test_groups_have_sums_and_medians(make_row: Make, make_table: Make) -> None:
    rows = [
        make_row(1, "a(1)", tx_rate=10, rtt=30, retrans_rate=0.5, user="ann"),
        make_row(2, "b(2)", tx_rate=None, rtt=None, retrans_rate=None, user="bob"),
        make_row(3, "a(1)", tx_rate=5, rtt=10, retrans_rate=None, user="ann"),
        make_row(4, "a(1)", tx_rate=None, rtt=20, retrans_rate=0.25, user="ann"),
        make_row(5, "a(1)", tx_rate=1, rtt=40, retrans_rate=0.25, user="ann"),
        make_row(6, None, tx_rate=0, rtt=7, user=None),
    ]
    groups = grouped(make_table(rows), "proc", NAMES)
    assert list(groups.table.columns) == ["proc", "tx_rate", "rtt", "retrans_rate", "user"]
    assert by_value(groups, "proc") == {
        "a(1)": (16, 20, 1.0, "ann", 4),
        "b(2)": (None, None, None, "bob", 1),
        None: (0, 7, 0.0, None, 1),
    }
    assert groups.table.kind == "groups"
    assert len(groups) == 3


def test_members_are_rows_of_the_table(make_row: Make, make_table: Make) -> None:
    rows = [make_row(number, None, f"192.0.2.{number % 2}#1") for number in range(5)]
    groups = grouped(make_table(rows), "dst", ())
    found = {address: groups.members(group).tolist() for group, address in enumerate(groups.table["dst"].tolist())}
    assert found == {"192.0.2.0": [0, 2, 4], "192.0.2.1": [1, 3]}


def test_nothing_has_no_groups(make_table: Make) -> None:
    table: Table = make_table([])
    for by in ("proc", "dst", "cpu"):
        assert len(grouped(table, by, NAMES)) == 0
