# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.spans import Spans, aligned, joined, number, packed, texts


@given(st.lists(st.binary(max_size=9)))
def test_strings_come_back_from_one_buffer(strings: list[bytes]) -> None:
    spans = joined(strings)
    assert spans.rows == len(strings)
    assert spans.strings() == strings


def test_strings_are_taken_by_number_and_by_mask() -> None:
    spans = joined([b"a", b"", b"bc"])
    assert spans.take(np.array([2, 0])).strings() == [b"bc", b"a"]
    assert spans.take(np.array([False, True, True])).strings() == [b"", b"bc"]


@given(st.binary(min_size=8, max_size=40), st.integers(1, 8), st.data())
def test_numbers_are_read_in_network_order(octets: bytes, size: int, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(octets) - size), min_size=1))
    expected = [int.from_bytes(octets[at : at + size]) for at in places]
    found = number(np.frombuffer(octets, np.uint8), np.array(places), size)
    assert [value & (1 << 8 * size) - 1 for value in found.tolist()] == expected


def test_places_beyond_the_buffer_and_an_empty_buffer_are_no_error() -> None:
    assert number(np.frombuffer(b"ab", np.uint8), np.array([5]), 2).shape == (1,)
    assert number(np.zeros(0, np.uint8), np.array([0, 7]), 4).tolist() == [0, 0]
    assert Spans(np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64)).strings() == []


@given(st.lists(st.binary(max_size=9)), st.binary(max_size=3))
def test_strings_are_packed_one_behind_the_other(strings: list[bytes], before: bytes) -> None:
    spans = joined([before, *strings]).take(np.arange(1, len(strings) + 1))
    assert packed(spans).tobytes() == b"".join(strings)
    assert packed(spans.take(np.arange(spans.rows)[::-1])).tobytes() == b"".join(strings[::-1])


@given(st.lists(st.binary(max_size=9)))
def test_aligned_strings_begin_at_multiples_of_four_in_a_buffer_of_their_own(strings: list[bytes]) -> None:
    spans = joined(strings)
    found = aligned(spans)
    assert found.strings() == strings
    assert not (found.starts & 3).any()
    assert not np.shares_memory(found.octets, spans.octets)


def test_one_long_string_among_many_short_ones_takes_no_room_for_all_of_them() -> None:
    strings = [b"short"] * 1000 + [bytes(60_000)]
    spans = joined(strings)
    found = aligned(spans)
    assert found.strings() == strings
    assert len(found.octets) == 1000 * 8 + 60_000
    assert packed(spans).tobytes() == b"".join(strings)


def test_the_same_octets_may_be_in_several_strings() -> None:
    octets = np.frombuffer(b"abcdef", np.uint8)
    spans = Spans(octets, np.array([0, 1, 4]), np.array([3, 3, 2]))
    assert packed(spans).tobytes() == b"abcbcdef"
    assert aligned(spans).strings() == [b"abc", b"bcd", b"ef"]


@given(st.lists(st.binary(max_size=9)), st.integers(1, 9))
def test_texts_are_strings_as_numpy_has_them(strings: list[bytes], most: int) -> None:
    found = texts(joined(strings), most)
    assert found.tolist() == [one[:most].rstrip(b"\0") for one in strings]
