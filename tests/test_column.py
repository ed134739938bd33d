# SPDX-License-Identifier: Apache-2.0
import numpy as np

from fleutan.column import Column, Slices, text_column
from fleutan.protocols.spans import joined


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


def test_byte_strings_in_one_buffer_are_words() -> None:
    words = Slices(joined([b"ab", b"", b"cde"]))
    assert (len(words), words[0], words[-1], words[1:], list(words)) == (
        *(3, b"ab", b"cde", [b"", b"cde"]),
        [b"ab", b"", b"cde"],
    )
    column = Column(np.array([2, -1, 0, 2], np.int32), None, words)
    assert column.objects() == [b"cde", None, b"ab", b"cde"]
    assert column.mask().tolist() == [True, False, True, True]
    assert column.take(np.array([3, 1])).objects() == [b"cde", None]


def test_they_are_gathered_without_an_object_a_row() -> None:
    words = Slices(joined([b"ab", b"", b"cde"]))
    offsets, octets = words.gathered(np.array([2, -1, 0, 1, 2], np.int32))
    assert offsets.tolist() == [0, 3, 3, 5, 5, 8]
    assert octets.tobytes() == b"cdeabcde"
    offsets, octets = words.gathered(np.zeros(0, np.int32))
    assert (offsets.tolist(), octets.tobytes()) == ([0], b"")
