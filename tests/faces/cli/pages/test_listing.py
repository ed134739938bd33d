# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from tests import lakes
from tests.lakes import AT, SECOND

from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.listing import page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table


def table(*rows: dict[str, object]) -> Table:
    names = ("time", "src", "reason", "packets")
    return lakes.table("drops", [{name: row.get(name) for name in names} for row in rows])


def lines(*tables: Table, utc: bool = True, heading: bool = True, width: int | None = None) -> list[str]:
    return list(page(tables, Look(Screen(width), heading), utc))


ONE = table({"time": AT + SECOND // 2, "src": "10.0.0.1", "packets": 3})
TWO = table({"time": AT + SECOND, "src": "10.0.0.2", "packets": None, "reason": "NO\x1bSOCKET"})
NONE = ONE.take(np.zeros(1, np.bool_))


def test_columns_of_which_nothing_is_known_are_left_out() -> None:
    assert lines(ONE) == ["                   TIME  SRC       PACKETS", "2026-01-15 10:00:00.500  10.0.0.1        3"]


def test_a_heading_comes_again_only_where_more_is_known() -> None:
    found = lines(ONE, NONE, ONE, TWO, ONE)
    assert [line.split() for line in found if "TIME" in line] == [
        ["TIME", "SRC", "PACKETS"],
        ["TIME", "SRC", "REASON", "PACKETS"],
    ]
    assert [("TIME" in line) for line in found] == [True, False, False, True, False, False]
    assert found[-1].split()[2:] == ["10.0.0.1", "-", "3"]
    assert "NO\\x1bSOCKET" in found[4]


def test_without_a_row_there_is_a_heading_of_all() -> None:
    assert [line.split() for line in lines(NONE, NONE)] == [["TIME", "SRC", "REASON", "PACKETS"]]
    assert lines() == []


def test_times_are_of_the_users_clock_or_utc() -> None:
    assert lines(ONE, utc=False)[1][19:].split() == [".500", "10.0.0.1", "3"]
    assert lines(ONE, heading=False)[0].split() == ["2026-01-15", "10:00:00.500", "10.0.0.1", "3"]
    unknown = table({"time": AT, "src": "10.0.0.1"}, {"time": None, "src": "10.0.0.1"})
    assert lines(unknown, heading=False)[1].split() == ["-", "10.0.0.1"]


def test_it_fits_a_narrow_screen() -> None:
    assert all(len(line) <= 30 for line in lines(ONE, TWO, width=30))
