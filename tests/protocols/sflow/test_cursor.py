# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.sflow.cursor import Broken, Cursor, Reason, Values, reader
from fleutan.protocols.sflow.layouts.xdr import ADDRESS, ELEMENTS, MAC, OPAQUE, U32, U64, Array, Choice, Field, row

METRIC = Choice(((0, "string", OPAQUE), (4, "u64", U64)))


def no_elements(cursor: Cursor, values: Values) -> None:
    values.append(("elements", cursor.number()))


def read(fields: tuple[Field, ...], octets: bytes, end: int | None = None) -> tuple[list[Any], int, Broken | None]:
    """What is read, where the cursor stands then, and what stopped it."""
    cursor = Cursor(octets, 0, len(octets) if end is None else end, [])
    values: Values = []
    try:
        reader(fields, no_elements)(cursor, values)
    except Broken as broken:
        return values, cursor.at, broken
    return values, cursor.at, None


def test_each_type_is_read_as_it_is_sent() -> None:
    fields = row("a", U32, "b", MAC, "c", ADDRESS, "d", ADDRESS, "e", OPAQUE, "f", Array(U32))
    octets = bytes.fromhex(
        "00000007 020000000001 0000 00000001 0a000001 00000002 20010db8000000000000000000000001"
        "00000005 6162636465 000000 00000002 00000003 fffffffe"
    )
    values, at, broken = read(fields, octets)
    assert values == [
        *(7, bytes.fromhex("020000000001"), bytes([10, 0, 0, 1])),
        *(bytes.fromhex("20010db8000000000000000000000001"), b"abcde", (3, 0xFFFFFFFE)),
    ]
    assert (at, broken) == (len(octets), None)


def test_arrays_hold_structures_of_fixed_and_of_changing_length() -> None:
    octets = bytes.fromhex("00000002 00000001 00000002 00000003 00000004")
    assert read(row("a", Array(row("x y", U32))), octets)[0] == [((1, 2), (3, 4))]
    octets = bytes.fromhex("00000002 00000001 61000000 00000000")
    assert read(row("a", Array(OPAQUE)), octets)[0] == [(b"a", b"")]
    assert read(row("a", Array(row("x", OPAQUE, "y", OPAQUE))), bytes.fromhex("00000001 0000000000000000"))[0] == [
        ((b"", b""),)
    ]


def test_choices_are_read_by_their_number() -> None:
    assert read(row("a", METRIC), bytes.fromhex("00000004 0000000100000000"))[0] == [(4, 2**32)]
    assert read(row("a", METRIC), bytes.fromhex("00000000 00000001 61000000"))[0] == [(0, b"a")]
    _, _, broken = read(row("z", U32, "a", METRIC), bytes.fromhex("00000000 00000005 00000001"))
    assert broken
    assert (broken.reason, broken.at) == (Reason.CHOICE, 4)


def test_elements_are_left_to_who_knows_them() -> None:
    assert read(row("a", U32, "b", ELEMENTS), bytes(8))[0] == [0, ("elements", 0)]


@pytest.mark.parametrize("kind", [3, 2**32 - 1])
def test_an_address_of_another_type_stops_the_reading(kind: int) -> None:
    values, _, broken = read(row("a", U32, "b", ADDRESS), bytes(4) + kind.to_bytes(4, "big") + bytes(16))
    assert values == [0]
    assert broken
    assert (broken.reason, broken.at) == (Reason.ADDRESS, 4)


def test_an_unknown_address_has_no_octets() -> None:
    assert read(row("a b", ADDRESS), bytes(8)) == ([b"", b""], 8, None)


def test_what_was_read_before_the_end_is_kept() -> None:
    fields = row("a b", U32, "c", U64, "d", OPAQUE, "e", Array(row("x", OPAQUE)), "f", Array(U32))
    octets = bytes.fromhex(
        "00000001 00000002 0000000000000003 00000001 61000000 00000002 0000000000000000 00000001 00000009"
    )
    whole = read(fields, octets)[0]
    assert whole == [1, 2, 3, b"a", ((b"",), (b"",)), (9,)]
    for end in range(len(octets)):
        values, at, broken = read(fields, octets, end)
        assert broken
        assert broken.reason is Reason.CUT
        assert at <= end
        assert len(values) <= len(whole)
        assert all(
            found == wanted or (isinstance(found, tuple) and found == wanted[: len(found)])
            for found, wanted in zip(values, whole, strict=False)
        )
    assert read(fields, octets, 28)[0] == [1, 2, 3, b"a", ()]
    assert read(fields, octets, 32)[0] == [1, 2, 3, b"a", ((b"",),)]


def test_a_count_beyond_the_octets_takes_what_is_there() -> None:
    octets = b"\xff\xff\xff\xff" + bytes(8)
    values, at, broken = read(row("a", Array(U32)), octets)
    assert (values, at) == ([(0, 0)], 12)
    assert broken
    assert (broken.reason, broken.at) == (Reason.CUT, 12)
    values, at, broken = read(row("a", Array(OPAQUE)), octets)
    assert (values, at) == ([(b"", b"")], 12)
    assert broken


def test_only_the_last_padding_may_be_missing() -> None:
    assert read(row("a", OPAQUE), b"\0\0\0\1a") == ([b"a"], 5, None)
    values, at, broken = read(row("a", OPAQUE), b"\0\0\0\2a")
    assert (values, at) == ([], 4)
    assert broken


@given(st.binary(max_size=64))
def test_any_octets_are_read_or_stopped_at(octets: bytes) -> None:
    fields = row("a", ADDRESS, "b", Array(row("k", OPAQUE, "v", METRIC)), "c", Array(U32), "d", U32)
    _, at, broken = read(fields, octets)
    assert at <= len(octets)
    assert broken is None or broken.at <= len(octets)
