# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.records import Records, concatenate, fill, kinds, take

EMPTY = Records(0, {}, {})


def records(rows: int, known: dict[str, list[bool]] | None = None, **values: list[int]) -> Records:
    columns = {name: np.array(numbers, np.int64) for name, numbers in values.items()}
    return Records(rows, columns, {name: np.array(mask) for name, mask in (known or {}).items()})


@pytest.mark.parametrize("parts", [[], [EMPTY], [EMPTY, EMPTY]])
def test_nothing_stays_nothing(parts: list[Records]) -> None:
    assert concatenate(parts) == EMPTY


def test_one_part_is_handed_on() -> None:
    part = records(2, a=[1, 2])
    assert concatenate(iter([EMPTY, part, EMPTY])) is part


def test_rows_follow_each_other_in_order() -> None:
    found = concatenate([records(2, a=[1, 2]), EMPTY, records(1, a=[3]), records(1, a=[4])])
    assert found.rows == 4
    assert found.values["a"].tolist() == [1, 2, 3, 4]
    assert found.known == {}


def test_what_a_part_lacks_is_unknown_in_its_rows() -> None:
    found = concatenate([records(1, a=[1]), records(2, a=[2, 3], b=[7, 8]), records(1, c=[9])])
    assert list(found.values) == ["a", "b", "c"]
    assert found.values["a"].tolist() == [1, 2, 3, 0]
    assert {name: mask.tolist() for name, mask in found.known.items()} == {
        "a": [True, True, True, False],
        "b": [False, True, True, False],
        "c": [False, False, False, True],
    }
    assert found.values["b"].dtype == np.int64


def test_what_rows_of_a_part_lack_stays_unknown() -> None:
    found = concatenate([records(2, {"a": [True, False]}, a=[1, 0]), records(1, a=[3])])
    assert found.known["a"].tolist() == [True, False, True]


def test_addresses_and_names_keep_their_shape() -> None:
    ends = np.arange(8, dtype=np.uint32).reshape(2, 4)
    first = Records(2, {"src": ends, "cong": np.array([b"bbr", b"cubic"], "S16")}, {})
    found = concatenate([first, records(3, a=[1, 2, 3])])
    assert found.values["src"].shape == (5, 4)
    assert found.values["src"].dtype == np.uint32
    assert found.values["cong"].dtype == np.dtype("S16")
    assert found.values["cong"].tolist() == [b"bbr", b"cubic", b"", b"", b""]
    assert found.known["src"].tolist() == [True, True, False, False, False]


def test_rows_are_taken_by_number_or_mask() -> None:
    found = records(3, {"b": [True, False, True]}, a=[1, 2, 3], b=[4, 0, 6])
    for rows in (np.array([2, 1]), np.array([False, True, True])):
        some = take(found, rows)
        assert some.rows == 2
        assert sorted(some.values["a"].tolist()) == [2, 3]
        assert sorted(some.known["b"].tolist()) == [False, True]
    assert take(found, np.zeros(0, np.int64)).values["a"].tolist() == []


# -- fill


def numbers(*those: int) -> np.ndarray:
    return np.array(those, np.int64)


def mask(*those: bool) -> np.ndarray:
    return np.array(those, np.bool_)


def test_a_mask_that_names_share_is_shared_by_what_is_taken() -> None:
    mask = np.array([True, False, True])
    column = np.arange(3)
    found = take(Records(3, {"a": column, "b": column}, {"a": mask, "b": mask}), np.array([2, 1]))
    assert found.known["a"] is found.known["b"]
    assert found.known["a"].tolist() == [True, False]


@given(st.lists(st.tuples(*[st.sampled_from([-1, 0, 5, 1 << 62])] * 3), max_size=12))
def test_rows_of_a_kind_are_alike_and_others_are_not(rows: list[tuple[int, int, int]]) -> None:
    columns = [np.array([row[place] for row in rows], np.int64) for place in range(3)]
    first, place = kinds(columns)
    assert len(first) == len(set(rows))
    assert [rows[first[kind]] for kind in place.tolist()] == rows
    assert all(rows.index(rows[at]) == at for at in first.tolist())


def test_a_first_column_is_put_as_it_is() -> None:
    found, whole, some = records(2), numbers(1, 2), numbers(3, 0)
    fill(found, "a", whole)
    fill(found, "b", some, mask(True, False))
    fill(found, "c", some, mask(True, True))
    assert found.values["a"] is whole
    assert found.values["b"] is some
    assert {name: known.tolist() for name, known in found.known.items()} == {"b": [True, False]}


def test_what_is_known_stays() -> None:
    found = records(2, a=[1, 2])
    fill(found, "a", numbers(8, 9))
    fill(found, "a", numbers(8), rows=numbers(1))
    assert found.values["a"].tolist() == [1, 2]
    assert found.known == {}


def test_what_is_unknown_is_filled_and_nothing_given_is_written_to() -> None:
    first, known = numbers(1, 0, 0), mask(True, False, False)
    second, also = numbers(7, 8, 9), mask(True, True, False)
    found = records(3)
    fill(found, "a", first, known)
    fill(found, "a", second, also)
    assert found.values["a"].tolist() == [1, 8, 0]
    assert found.known["a"].tolist() == [True, True, False]
    assert (first.tolist(), second.tolist()) == ([1, 0, 0], [7, 8, 9])
    assert (known.tolist(), also.tolist()) == ([True, False, False], [True, True, False])
    fill(found, "a", numbers(4, 5, 6))
    assert found.values["a"].tolist() == [1, 8, 6]
    assert found.known == {}


def test_some_rows_are_filled_in_whatever_order_they_come() -> None:
    found = records(4)
    fill(found, "a", numbers(30, 10), rows=numbers(3, 1))
    assert found.values["a"].tolist() == [0, 10, 0, 30]
    assert found.known["a"].tolist() == [False, True, False, True]
    fill(found, "a", numbers(5, 6, 7), mask(True, False, True), numbers(0, 2, 3))
    assert found.values["a"].tolist() == [5, 10, 0, 30]
    assert found.known["a"].tolist() == [True, True, False, True]
    fill(found, "a", numbers(9), rows=numbers(2))
    assert found.values["a"].tolist() == [5, 10, 9, 30]
    assert found.known == {}


def test_addresses_are_filled_by_rows() -> None:
    found = records(3)
    fill(found, "src", numbers(1, 2).reshape(1, 2), rows=numbers(2))
    fill(found, "src", numbers(3, 4, 5, 6, 7, 8).reshape(3, 2), mask(False, True, True))
    assert found.values["src"].tolist() == [[0, 0], [5, 6], [1, 2]]
    assert found.known["src"].tolist() == [False, True, True]


def test_no_rows_are_no_trouble() -> None:
    found = records(0)
    fill(found, "a", numbers(), mask())
    fill(found, "a", numbers(), rows=numbers())
    assert found.values["a"].tolist() == []
    assert found.known == {}
