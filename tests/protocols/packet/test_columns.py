# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.protocols.packet.columns import Columns

ALL = np.arange(3)


def test_what_all_rows_know_has_no_mask() -> None:
    columns = Columns(ALL, None)
    columns.put("ttl", ALL, np.array([1, 2, 3]))
    columns.put("tos", np.array([0, 2]), np.array([4, 6]))
    columns.put("tos", np.array([1]), np.array([5]))
    found = columns.records()
    assert {name: values.tolist() for name, values in found.values.items()} == {"ttl": [1, 2, 3], "tos": [4, 5, 6]}
    assert found.known == {}


def test_what_some_rows_know_has_one() -> None:
    columns = Columns(ALL, None)
    columns.put("src", np.array([1]), np.array([[7, 8]]))
    found = columns.records()
    assert found.rows == 3
    assert found.values["src"].tolist() == [[0, 0], [7, 8], [0, 0]]
    assert found.known["src"].tolist() == [False, True, False]


def test_what_was_put_first_stays() -> None:
    columns = Columns(ALL, None)
    columns.put("id", np.array([1]), np.array([7]))
    columns.put("id", np.array([0, 1]), np.array([8, 9]))
    columns.put("id", ALL, np.array([1, 1, 1]))
    columns.put("ttl", ALL, np.array([1, 1, 1]))
    columns.put("ttl", np.array([2]), np.array([5]))
    found = columns.records()
    assert found.values["id"].tolist() == [8, 7, 1]
    assert found.values["ttl"].tolist() == [1, 1, 1]


def test_only_wanted_names_and_none_of_the_walk_become_columns() -> None:
    columns = Columns(ALL, {"ttl", "_size"})
    for name in ("ttl", "_size", "tos"):
        columns.put(name, ALL, np.array([1, 2, 3]))
    columns.put("ttl", ALL[:0], np.zeros(0, np.int64))
    assert list(columns.records().values) == ["ttl"]
    assert Columns(ALL, None).wants("anything")
