# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.address import texts
from fleutan.column import Column, text_column
from fleutan.exports.cells import LONGEST, MARK, Dialect, FloatCell, IntCell, WordCell, cell_of
from fleutan.fields import Type

PLAIN = Dialect(null=b"null", quote=b"'", text=str.encode, ints=lambda numbers: repr(list(numbers)).encode())

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def written(type_: Type, column: Column, dialect: Dialect = PLAIN) -> list[bytes]:
    made = cell_of(type_, column, dialect)
    assert made.width % 4 == 0
    out = np.full((len(column), made.width + 4), ord("!"), np.uint8)
    for first in range(0, len(column), 3):
        rows = slice(first, min(first + 3, len(column)))
        made.write(rows, out[rows, : made.width])
    assert (out[:, made.width :] == ord("!")).all()
    return [row[: made.width].tobytes().replace(b"\0", b"") for row in out]


def numbers(values: Sequence[Any], dtype: Any) -> Column:
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.array([value or 0 for value in values], dtype), known)


def addresses(values: Sequence[bytes | None]) -> Column:
    packed = b"".join(value or bytes(16) for value in values)
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.frombuffer(packed, ">i8").astype(np.int64).reshape(-1, 2), known)


@given(st.lists(st.one_of(st.none(), INT64, st.integers(0, 99), st.sampled_from([-(1 << 63), (1 << 63) - 1, 10_000]))))
def test_integers_are_written_as_python_writes_them(values: list[int | None]) -> None:
    expected = [b"null" if value is None else str(value).encode() for value in values]
    assert written("int", numbers(values, np.int64)) == expected


@pytest.mark.parametrize("power", range(19))
def test_integers_around_each_power_of_ten(power: int) -> None:
    values = np.array([10**power - 1, 10**power, 10**power + 1, 0], np.int64)
    assert written("int", Column(values)) == [str(value).encode() for value in values.tolist()]
    assert written("int", Column(-values)) == [str(-value).encode() for value in values.tolist()]


def test_an_unknown_integer_leaves_no_trace_of_what_lies_under_it() -> None:
    column = Column(np.array([-(1 << 63), 7, 123_456]), np.array([False, True, False]))
    assert IntCell(column, b"null").width == 4
    assert written("int", column) == [b"null", b"7", b"null"]


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.floats(),
            st.integers(-(10**9), 10**9).map(lambda value: value / 1000),
            st.integers(-(10**15), 10**15).map(lambda value: value / 1e8),
        )
    )
)
def test_floats_come_back_exactly(values: list[float | None]) -> None:
    texts = written("float", numbers(values, np.float64))
    for value, text in zip(values, texts, strict=True):
        if value is None or not np.isfinite(value):
            assert text == b"null"
        else:
            assert float(text) == json.loads(text) == value
            assert len(text) <= max(len(repr(value)), len(f"{value:.8f}".rstrip("0")) + 1)


def test_the_forms_of_floats() -> None:
    values = [0.0, -0.0, 1.0, 0.5, -12.25, 0.1, 1e-8, 123456.789, 1 / 3, 1e300, -5e-324, 9_999_999.5, 1e7, float("nan")]
    assert written("float", Column(np.array(values))) == [
        *(b"0.0", b"-0.0", b"1.0", b"0.5", b"-12.25", b"0.1", b"0.00000001", b"123456.789", b"0.3333333333333333"),
        *(b"1e+300", b"-5e-324", b"9999999.5", b"10000000.0", b"null"),
    ]
    assert FloatCell.width >= max(len(repr(value)) for value in values)


@given(st.lists(st.one_of(st.none(), st.booleans())))
def test_booleans(values: list[bool | None]) -> None:
    expected = [{None: b"null", True: b"true", False: b"false"}[value] for value in values]
    assert written("bool", numbers(values, np.bool_)) == expected


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.binary(min_size=16, max_size=16),
            st.binary(min_size=4, max_size=4).map(lambda v4: bytes(10) + b"\xff\xff" + v4),
            st.sampled_from([bytes(16), bytes(15) + b"\1", b"\xff" * 16]),
        )
    )
)
def test_addresses_are_written_as_the_table_writes_them(values: list[bytes | None]) -> None:
    column = addresses(values)
    expected = [b"null" if text is None else f"'{text}'".encode() for text in column.objects()]
    assert written("address", column) == expected


def test_addresses_of_the_greatest_length_fit() -> None:
    longest = IPv6Address("2001:db8:1111:2222:3333:4444:5555:6666")
    column = addresses([longest.packed, bytes(10) + b"\xff\xff" + b"\xff" * 4])
    assert written("address", column) == [f"'{text}'".encode() for text in texts(column.values)]


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", codec="utf-8")))))
def test_words(values: list[str | None]) -> None:
    expected = [b"null" if value is None else value.encode() for value in values]
    assert written("text", text_column(values)) == [MARK if len(text) > LONGEST else text for text in expected]


def test_lists() -> None:
    assert written("ints", Column(np.array([1, -1, 0], np.int32), None, ((), (1, -2)))) == [b"[1, -2]", b"null", b"[]"]


def test_a_narrowed_column_encodes_only_the_words_of_its_rows() -> None:
    seen: list[str] = []

    def encode(word: str) -> bytes:
        seen.append(word)
        return word.encode()

    column = Column(np.array([900, -1, 3, 900], np.int32), None, tuple(f"word{code}" for code in range(1000)))
    dialect = replace(PLAIN, text=encode)
    assert written("text", column, dialect) == [b"word900", b"null", b"word3", b"word900"]
    assert seen == ["word3", "word900"]


def test_a_long_word_is_marked_and_told() -> None:
    made = WordCell(np.array([0, 1, -1, 1, 2]), [b"short", b"x" * (LONGEST + 1), b"y" * LONGEST], b"null")
    assert made.width == LONGEST
    assert made.long_at(slice(0, 5)).tolist() == [1, 3]
    assert made.long_at(slice(2, 4)).tolist() == [1]
    assert made.long[1] == b"x" * (LONGEST + 1)


def test_octets_are_hexadecimal() -> None:
    column = Column(np.array([1, -1, 0, 2], np.int32), None, (b"", b"\x00\xffA", b"\x01" * LONGEST))
    assert written("octets", column) == [b"00ff41", b"null", b"", MARK]
