# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lake.rows import NOW, PLAIN, framed, numbered, read

from fleutan.column import Column
from fleutan.lake.tail import MARK, Frame, frames
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

THREE = [framed(numbered(first, count)) for first, count in ((0, 3), (3, 2), (5, 40))]
WHOLE = b"".join(THREE)
ENDS = [sum(map(len, THREE[:count])) for count in range(4)]


def numbers(found: list[Frame]) -> list[int]:
    """The numbers of frames, by nanoarrow alone."""
    read: list[int] = []
    for frame in found:
        array = frame.arrow()
        column = next(child for child in array.children if child.schema.name == "bytes")
        read += np.frombuffer(column.view().buffer(1), np.int64).tolist()
    return read


def test_frames_are_read_as_they_were_written(connection: DuckDBPyConnection) -> None:
    assert numbers(list(frames(WHOLE))) == list(range(45))
    assert read(WHOLE, connection) == list(range(45))
    assert [frame.select for frame in frames(WHOLE)] == [{"node": "'mine'", "packets": "1"}] * 3


def test_a_file_without_frames_has_none() -> None:
    assert list(frames(b"")) == []
    assert list(frames(bytes(4096))) == []


def test_a_frame_of_constants_alone_has_its_rows(connection: DuckDBPyConnection) -> None:
    octets = framed(Table(PLAIN, {"time": Column(np.array([NOW])), "bytes": Column(np.array([7]))}))
    assert read(octets, connection) == [7]


@pytest.mark.parametrize("after", [b"", b"\0" * 50])
def test_a_tail_that_is_cut_anywhere_has_its_whole_frames(after: bytes) -> None:
    for size in range(len(WHOLE)):
        found = list(frames(WHOLE[:size] + after))
        # Where only zeros of a frame are cut off, as behind its end mark, those that come instead are the same.
        assert len(found) in {sum(end <= kept for end in ENDS[1:]) for kept in (size, size + len(after))}
        assert numbers(found) == list(range([0, 3, 5, 45][len(found)]))


def test_a_tail_with_a_broken_bit_has_the_frames_before_it() -> None:
    first, second = len(THREE[0]), len(THREE[1])
    for place in range(first, first + second):
        for bit in range(8):
            octets = bytearray(WHOLE)
            octets[place] ^= 1 << bit
            assert numbers(list(frames(bytes(octets)))) == [0, 1, 2]


@given(st.binary(max_size=200))
def test_what_is_no_frame_ends_the_tail(octets: bytes) -> None:
    assert len(list(frames(THREE[0] + octets))) == 1


@pytest.mark.parametrize("constants", [b"{", b"\xff", b""])
def test_constants_that_are_none_end_the_tail_whatever_the_sum_says(constants: bytes) -> None:
    head = struct.pack("<4sIQI", MARK, zlib.crc32(constants), len(constants), len(constants))
    assert list(frames(head + constants)) == []


def test_a_length_beyond_the_frame_ends_the_tail() -> None:
    rest = b"{}"
    head = struct.pack("<4sIQI", MARK, zlib.crc32(rest), len(rest), len(rest) + 1)
    assert list(frames(head + rest)) == []
