# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.sflow.columns.words import MAPPED, halves, mapped, words_of
from fleutan.protocols.spans import Spans, joined

STRINGS = [struct.pack("!3I", 1, 2, 3), struct.pack("!I", 4) + b"ab", b"", struct.pack("!2I", 5, 6)]


def scattered(strings: list[bytes], offsets: list[int]) -> Spans:
    """The strings at these places of one buffer."""
    octets = np.full(max(at + len(string) for at, string in zip(offsets, strings, strict=True)), 0xEE, np.uint8)
    for at, string in zip(offsets, strings, strict=True):
        octets[at : at + len(string)] = np.frombuffer(string, np.uint8)
    return Spans(octets, np.array(offsets), np.array([len(string) for string in strings]))


@given(st.lists(st.binary(max_size=21), min_size=1, max_size=6), st.lists(st.integers(0, 9), min_size=6, max_size=6))
def test_strings_at_any_place_are_the_same_as_words(strings: list[bytes], gaps: list[int]) -> None:
    offsets = [sum(map(len, strings[:row])) + sum(gaps[: row + 1]) for row in range(len(strings))]
    words = words_of(scattered(strings, offsets))
    assert [bytes(words.octets[4 * at : end]) for at, end in zip(words.starts, words.ends, strict=True)] == strings
    for row, string in enumerate(strings):
        expected = [value for (value,) in struct.iter_unpack("!I", string[: len(string) & ~3])]
        places = words.starts[row] + np.arange(len(expected))
        assert words.at(places).tolist() == expected


def test_what_is_aligned_is_not_copied() -> None:
    octets = np.zeros(64, np.uint8)
    words = words_of(Spans(octets, np.array([0, 16]), np.array([16, 13])))
    assert np.shares_memory(words.octets, octets)
    shifted = words_of(Spans(octets, np.array([0, 17]), np.array([16, 13])))
    assert not np.shares_memory(shifted.octets, octets)


def test_only_the_part_that_is_used_is_copied() -> None:
    octets = np.arange(4001, dtype=np.uint64).astype(np.uint8)
    words = words_of(Spans(octets, np.array([2001, 2010]), np.array([4, 5])))
    assert len(words.octets) == 2 * 16


def test_a_buffer_that_does_not_end_with_a_word() -> None:
    words = words_of(joined([b"\0\0\0\1abc"]))
    assert words.at(words.starts + 1).tolist() == [int.from_bytes(b"abc\0")]
    assert words.ends.tolist() == [7]


@pytest.mark.parametrize("width", [1, 3, 4])
def test_blocks_are_words_from_each_place_on(width: int) -> None:
    words = words_of(joined([struct.pack("!5I", *range(5)), struct.pack("!3I", *range(10, 13))]))
    assert words.blocks(np.array([0, 4, 5]), width)[:, :1].T.tolist() == [list(range(width))]
    assert words.blocks(np.array([4]), width)[:, 0].tolist() == [4, 10, 11, 12][:width]


def test_places_beyond_the_buffer_are_no_error() -> None:
    words = words_of(joined([struct.pack("!2I", 1, 2)]))
    assert words.blocks(np.array([0, 1, 99]), 2)[:, 0].tolist() == [1, 2]
    assert words.blocks(np.array([0, 1, 99]), 2)[0].tolist() == [1, 2, 2]
    empty = words_of(joined([b"", b"ab"]))
    assert empty.at(np.array([7])).shape == (1,)
    nothing = words_of(Spans(np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64)))
    assert nothing.blocks(np.array([3]), 2).shape == (2, 1)


def test_spans_are_strings_that_begin_at_words() -> None:
    words = words_of(joined([b"abcdefgh"]))
    assert words.spans(np.array([1]), np.array([3])).strings() == [b"efg"]


def test_addresses_are_halves() -> None:
    assert mapped(np.array([0x0A000001])).tolist() == [[0, MAPPED | 0x0A000001]]
    four = np.array([[0x20010DB8], [1], [0xFFFFFFFF], [2]])
    expected = struct.unpack("!qq", struct.pack("!4I", 0x20010DB8, 1, 0xFFFFFFFF, 2))
    assert halves(four).tolist() == [list(expected)]
