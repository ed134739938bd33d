# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import polars
from hypothesis import given
from hypothesis import strategies as st

from fleutan.arrow import ArrowTable
from fleutan.column import Column, Slices, text_column
from fleutan.protocols.spans import joined

MAPPED = 0xFFFF << 32


def rows(columns: dict[str, Column]) -> list[dict[str, Any]]:
    return polars.DataFrame(ArrowTable(columns)).rows(named=True)


def test_every_type_with_unknowns() -> None:
    known = np.array([True, False])
    found = rows(
        {
            "rtt": Column(np.array([5, 6]), known),
            "retrans_share": Column(np.array([0.5, 0.25]), known),
            "app_limited": Column(np.array([True, True]), known),
            "comm": text_column(["sshd", None]),
            "pids": Column(np.array([0, -1], np.int32), None, ((1, 2),)),
            "src": Column(np.array([[0, MAPPED | 0x7F000001], [0, 1]]), known),
        }
    )
    assert found[0] == {
        "rtt_us": 5,
        "retrans_share": 0.5,
        "app_limited": True,
        "comm": "sshd",
        "pids": [1, 2],
        "src": "127.0.0.1",
        "src_hi": 0,
        "src_lo": MAPPED | 0x7F000001,
    }
    assert set(found[1].values()) == {None}


def test_no_rows_and_no_columns() -> None:
    empty = {"rtt": Column(np.empty(0, np.int64)), "comm": text_column([]), "src": Column(np.empty((0, 2), np.int64))}
    assert rows(empty) == []
    assert rows({}) == []


def test_rows_can_be_numbered() -> None:
    table = ArrowTable({"rtt": Column(np.array([7, 8]))}, row="row")
    assert polars.DataFrame(table).rows(named=True) == [{"row": 0, "rtt_us": 7}, {"row": 1, "rtt_us": 8}]


def test_each_stream_starts_anew() -> None:
    table = ArrowTable({"rtt": Column(np.array([1, 2]))})
    assert [polars.DataFrame(table).height for _ in range(2)] == [2, 2]


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_text(values: list[str | None]) -> None:
    assert [row["comm"] for row in rows({"comm": text_column(values)})] == values


@given(st.lists(st.none() | st.lists(st.integers(0, 2**31), max_size=4)))
def test_any_lists(values: list[list[int] | None]) -> None:
    words = tuple(dict.fromkeys(tuple(value) for value in values if value is not None))
    codes = np.array([-1 if value is None else words.index(tuple(value)) for value in values], np.int32)
    assert [row["pids"] for row in rows({"pids": Column(codes, None, words)})] == values


@given(st.lists(st.none() | st.binary(max_size=5)))
def test_octets_are_binary_whether_they_are_objects_or_slices(values: list[bytes | None]) -> None:
    words = tuple(value for value in values if value is not None)
    places = iter(range(len(words)))
    codes = np.array([-1 if value is None else next(places) for value in values], np.int32)
    for these in (words, Slices(joined(words))):
        found = rows({"header": Column(codes, None, these)})
        assert [row["header"] for row in found] == values


def test_many_words_are_encoded_too() -> None:
    words = tuple(f"wörd{number}" for number in range(3000))
    codes = np.array([2999, -1, 0], np.int32)
    assert [row["comm"] for row in rows({"comm": Column(codes, None, words)})] == ["wörd2999", None, "wörd0"]


@given(st.lists(st.none() | st.binary(max_size=20)))
def test_any_octets(values: list[bytes | None]) -> None:
    words = tuple(dict.fromkeys(value for value in values if value is not None))
    codes = np.array([-1 if value is None else words.index(value) for value in values], np.int32)
    assert [row["header"] for row in rows({"header": Column(codes, None, words)})] == values


def test_without_texts_an_address_is_its_halves() -> None:
    column = Column(np.array([[0, MAPPED | 1], [1, -1]]))
    table = ArrowTable({"src": column, "comm": text_column(["a", None])}, texts=False)
    assert polars.DataFrame(table).rows(named=True) == [
        {"src_hi": 0, "src_lo": MAPPED | 1, "comm": "a"},
        {"src_hi": 1, "src_lo": -1, "comm": None},
    ]
