# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from fleutan.records import Records, concatenate, fill

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


# -- filling in


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def mask(*values: bool) -> np.ndarray:
    return np.array(values)


def test_a_new_column_is_taken_as_it_is() -> None:
    found, values = records(2), numbers(1, 2)
    fill(found, "a", values)
    assert found.values["a"] is values
    assert found.known == {}
    fill(found, "b", values, mask(True, True))
    assert "b" not in found.known
    fill(found, "c", values, mask(True, False))
    assert found.known["c"].tolist() == [True, False]


def test_what_is_known_stays_and_the_rest_is_filled() -> None:
    first, second = numbers(1, 2, 3), numbers(7, 8, 9)
    found = records(3)
    fill(found, "a", first, mask(True, False, False))
    fill(found, "a", second, mask(True, True, False))
    assert found.values["a"].tolist()[:2] == [1, 8]
    assert found.known["a"].tolist() == [True, True, False]
    fill(found, "a", numbers(4, 5, 6))
    assert found.values["a"].tolist() == [1, 8, 6]
    assert "a" not in found.known
    fill(found, "a", second)
    assert found.values["a"].tolist() == [1, 8, 6]
    assert (first.tolist(), second.tolist()) == ([1, 2, 3], [7, 8, 9])


def test_some_rows_of_a_column() -> None:
    found = records(3)
    fill(found, "a", np.array([[1, 2]]), rows=numbers(2))
    assert found.values["a"].tolist() == [[0, 0], [0, 0], [1, 2]]
    assert found.known["a"].tolist() == [False, False, True]
    fill(found, "a", np.array([[3, 4], [5, 6]]), mask(False, True), numbers(0, 1))
    assert found.known["a"].tolist() == [False, True, True]
    assert found.values["a"].tolist()[1] == [5, 6]
