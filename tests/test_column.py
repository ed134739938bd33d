# SPDX-License-Identifier: Apache-2.0
import numpy as np

from fleutan.column import Column, text_column


def test_numbers_with_unknowns() -> None:
    column = Column(np.array([1, 2, 3]), np.array([True, False, True]))
    assert len(column) == 3
    assert column.objects() == [1, None, 3]
    assert column.mask().tolist() == [True, False, True]
    assert column.take(np.array([2, 1])).objects() == [3, None]


def test_numbers_all_known() -> None:
    column = Column(np.array([1.5, 2.5]))
    assert column.objects() == [1.5, 2.5]
    assert column.mask().all()
    assert column.take(np.array([False, True])).objects() == [2.5]


def test_text_is_coded() -> None:
    column = text_column(["b", None, "a", "b"])
    assert column.words == ("b", "a")
    assert column.values.tolist() == [0, -1, 1, 0]
    assert column.objects() == ["b", None, "a", "b"]
    assert column.mask().tolist() == [True, False, True, True]
    assert text_column([]).objects() == []


def test_addresses_are_text_outside() -> None:
    column = Column(np.array([[0, (0xFFFF << 32) | 0x0A000001], [0, 1]]), np.array([True, False]))
    assert column.objects() == ["10.0.0.1", None]
