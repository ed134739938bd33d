# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fleutan.column import Column, text_column
from fleutan.faces.tui import identity
from fleutan.table import Table

Make = Callable[..., Any]


def test_a_flow_is_its_cookie_in_its_namespace(make_row: Make, make_table: Make) -> None:
    rows = [make_row(5, "a(1)"), make_row(6, "a(1)"), make_row(5, "a(1)", netns_inode=8)]
    first = identity.of_flows(make_table(rows))
    again = identity.of_flows(make_table([{**rows[1], "rtt": 1}, {**rows[0], "proc": "b(2)", "dport": 1}]))
    assert first.dtype == np.int64
    assert len(set(first.tolist())) == 3
    assert again.tolist() == [first[1], first[0]]


def test_a_socket_without_cookie_is_its_5_tuple(make_row: Make, make_table: Make) -> None:
    rows = [make_row(0, None, sport=1), make_row(0, None, sport=2), make_row(0, None, sport=1) | {"cookie": None}]
    found = identity.of_flows(make_table([*rows, make_row(9, None)])).tolist()
    assert found[0] == found[2]
    assert len(set(found)) == 3
    assert identity.of_flows(make_table([])).tolist() == []


def test_values_keep_their_number_whatever_their_code() -> None:
    first = identity.of_values(text_column(["ssh", "nginx", None])).tolist()
    again = identity.of_values(text_column([None, "nginx", "curl", "ssh"])).tolist()
    assert (again[0], again[1], again[3]) == (first[2], first[1], first[0])
    assert len({*first, *again}) == 4


def test_values_of_every_type() -> None:
    numbers = Column(np.array([1, 2, 1]), np.array([True, True, False]))
    floats = Column(np.array([0.5, 0.5, 1.5]))
    truths = Column(np.array([True, False, True]))
    addresses = Column(np.array([[1, 2], [2, 1], [1, 2]]))
    patterns = {"numbers": (0, 1, 2), "floats": (0, 0, 2), "truths": (0, 1, 0), "addresses": (0, 1, 0)}
    for name, column in {"numbers": numbers, "floats": floats, "truths": truths, "addresses": addresses}.items():
        found = identity.of_values(column).tolist()
        assert tuple(map(found.index, found)) == patterns[name], name


def test_equal_numbers_of_two_runs() -> None:
    table = Table("flows", {"proc": text_column(["nginx(1)"])})
    assert identity.of_values(table.column("proc")).tolist() == [25633743316227517]
