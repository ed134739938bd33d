# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.netflow.making import read, reasons, set_of, template, v10

from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.groups import Group
from fleutan.protocols.netflow.wire.templates import VARIABLE

SIZES = st.lists(st.sampled_from([1, 2, 3, 4, 6, 7, 8, 16, 20, VARIABLE]), min_size=1, max_size=6)


def lengthened(octets: bytes) -> bytes:
    """With its length before it (RFC 7011, 7)."""
    if len(octets) < 255:
        return bytes([len(octets)]) + octets
    return b"\xff" + len(octets).to_bytes(2) + octets


@st.composite
def records(draw: st.DrawFn) -> tuple[list[int], list[list[list[bytes]]]]:
    """The sizes of fields, and of each set the fields of its records."""
    sizes = draw(SIZES)
    if sum(sizes) < 4:
        sizes.append(4)
    long = st.one_of(st.binary(min_size=4, max_size=9), st.just(bytes(range(250)) * 2))
    fields = [st.binary(min_size=size, max_size=size) if size != VARIABLE else long for size in sizes]
    one = st.lists(st.tuples(*fields).map(list), max_size=4)
    return sizes, draw(st.lists(one, max_size=4))


def written(sizes: list[int], fields: list[bytes]) -> bytes:
    parts = zip(sizes, fields, strict=True)
    return b"".join(lengthened(octets) if size == VARIABLE else octets for size, octets in parts)


@given(records())
def test_fields_come_back_whatever_their_lengths(made: tuple[list[int], list[list[list[bytes]]]]) -> None:
    sizes, sets = made
    shape = v10(set_of(2, template(256, *((32000 + place, size) for place, size in enumerate(sizes)))))
    strings = [v10(set_of(256, *(written(sizes, one) for one in these))) for these in sets]
    batch = read(shape, *strings)
    assert reasons(batch) == {}
    expected = [one for these in sets for one in these]
    assert sum(group.rows for group in batch.groups) == len(expected)
    for group in batch.groups:
        for place, size in enumerate(sizes):
            column = [one[place] for one in expected]
            assert group.spans(place).strings() == column
            numbers, known = group.numbers(place)
            for octets, number, there in zip(column, numbers.tolist(), _all(group, known), strict=True):
                assert there == (len(octets) <= 8)
                assert not there or number & (1 << 8 * len(octets)) - 1 == int.from_bytes(octets)
            halves, known = group.halves(place)
            long = [len(octets) == 16 for octets in column]
            assert _all(group, known) == (long if size in (VARIABLE, 16) else [False] * len(column))
            for octets, pair in zip(column, halves.tolist(), strict=True):
                if len(octets) == 16:
                    assert struct.pack("!qq", *pair) == octets


def _all(group: Group, known: np.ndarray[tuple[int], np.dtype[np.bool_]] | None) -> list[bool]:
    return [True] * group.rows if known is None else known.tolist()


def test_padding_behind_the_last_record_is_no_record() -> None:
    batch = read(v10(set_of(2, template(256, (8, 4), (7, 2))), set_of(256, b"abcdef" * 2, bytes(3))))
    assert [group.rows for group in batch.groups] == [2]
    assert reasons(batch) == {}


def test_a_record_whose_lengths_lead_beyond_its_set_ends_it() -> None:
    shape = set_of(2, template(256, (8, 4), (96, VARIABLE)))
    batch = read(v10(shape, set_of(256, b"abcd\x01x", b"abcd\x09x"), set_of(256, b"abcd\x00")))
    (group,) = batch.groups
    assert group.spans(1).strings() == [b"x", b""]
    assert group.sets.tolist() == [1, 2]
    assert group.place.tolist() == [0, 0]
    assert reasons(batch) == {rejects.RECORD: 1}


def test_of_octets_no_more_records_are_made_than_could_be_meant() -> None:
    state = State()
    batch = read(v10(set_of(2, template(256, (96, VARIABLE))), set_of(256, bytes(4000))), state=state)
    assert batch.groups[0].rows == 1000
    assert reasons(batch) == {rejects.RECORDS: 1}
