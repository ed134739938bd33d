# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.packet.layouts import IPV4_BITS, IPV6_BITS, Member
from fleutan.protocols.packet.windows import address, matrix, member, number, pieces, windows


def octets(text: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(text, np.uint8)


@given(st.binary(min_size=1, max_size=40), st.integers(1, 20), st.data())
def test_pieces_are_those_of_the_buffer(text: bytes, size: int, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(text)), min_size=1, max_size=5))
    found = windows(octets(text), np.array(places), size)
    padded = text + text[-1:] * size
    assert [bytes(row) for row in matrix(found)] == [padded[at : at + size] for at in places]


def test_an_empty_buffer_has_zeros() -> None:
    assert matrix(windows(octets(b""), np.array([0]), 3)).tolist() == [[0, 0, 0]]


def test_what_is_written_to_pieces_is_written_to_the_buffer() -> None:
    buffer = np.zeros(6, np.uint8)
    pieces(buffer, 2)[np.array([1, 4])] = np.frombuffer(b"abcd", "V2")
    assert buffer.tobytes() == b"\0ab\0cd"


@given(st.binary(min_size=8, max_size=24), st.data())
def test_numbers_are_those_of_the_bits(text: bytes, data: st.DataObject) -> None:
    bits = data.draw(st.integers(1, 57).map(lambda bits: min(bits, 64)))
    first = data.draw(st.integers(0, len(text) * 8 - bits))
    if (first + bits + 7) // 8 - first // 8 > 8:
        bits = 8
    whole = int.from_bytes(text) >> len(text) * 8 - first - bits
    found = windows(octets(text), np.array([0, 0]), len(text))
    assert number(found, first, bits).tolist() == [whole & (1 << bits) - 1] * 2


def test_numbers_of_64_bits_are_reinterpreted() -> None:
    assert number(windows(octets(b"\xff" * 8), np.array([0]), 8), 0, 64).tolist() == [-1]


@pytest.mark.parametrize(("bits", "halves"), [(IPV4_BITS, [0, 0xFFFF_FE00_0001]), (IPV6_BITS, [-(2**57) + 256, 5])])
def test_addresses_are_halves(bits: int, halves: list[int]) -> None:
    text = b"\xfe\0\0\x01" if bits == IPV4_BITS else b"\xfe" + bytes(5) + b"\x01\0" + (5).to_bytes(8)
    found = windows(octets(b"xx" + text), np.array([0]), 2 + len(text))
    assert address(found, 16, bits).tolist() == [halves]
    assert member(found, Member("src", 16, bits, address=True)).tolist() == [halves]
    assert member(found, Member("x", 8, 8)).tolist() == [ord("x")]


def test_no_rows_have_no_numbers() -> None:
    assert number(np.empty(0, "V4"), 16, 8).tolist() == []
    assert address(np.empty(0, "V8"), 32, IPV4_BITS).shape == (0, 2)
