# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.protocols.netflow.rows import Rows


def test_groups_fill_rows_in_whatever_order() -> None:
    rows = Rows(4)
    rows.at(np.array([3, 0]))
    rows.put("a", np.array([30, 0]))
    rows.put("b", np.array([33, 3]), np.array([True, False]))
    rows.at(np.array([1, 2]))
    rows.put("a", np.array([10, 20]))
    found = rows.records()
    assert found.rows == 4
    assert found.values["a"].tolist() == [0, 10, 20, 30]
    assert "a" not in found.known
    assert found.values["b"].tolist() == [0, 0, 0, 33]
    assert found.known["b"].tolist() == [False, False, False, True]


def test_texts_of_all_lengths_fill_rows() -> None:
    rows = Rows(4)
    rows.at(np.array([3, 0]))
    rows.put("a", np.array([b"abc", b"x"]), np.array([True, False]))
    rows.at(np.array([2]))
    rows.put("a", np.array([b"longer"]))
    found = rows.records()
    assert found.values["a"].tolist() == [b"", b"", b"longer", b"abc"]
    assert found.known["a"].tolist() == [False, False, True, True]


def test_one_group_may_be_all_in_another_order() -> None:
    rows = Rows(3)
    rows.at(np.array([2, 0, 1]))
    rows.put("a", np.array([[2, 2], [0, 0], [1, 1]]))
    assert rows.records().values["a"].tolist() == [[0, 0], [1, 1], [2, 2]]


def test_columns_in_which_nothing_is_known_are_not_there() -> None:
    rows = Rows(2)
    rows.put("a", np.array([1, 2]), np.array([False, False]))
    rows.put("b", np.array([1, 2]), np.array([True, True]))
    rows.put("c", np.array([1, 2]), np.array([True, False]))
    found = rows.records()
    assert list(found.values) == ["b", "c"]
    assert (list(found.known), found.values["c"].tolist()) == (["c"], [1, 0])
