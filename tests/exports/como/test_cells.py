# SPDX-License-Identifier: Apache-2.0
"""Cells against what Python writes, value by value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.exports.como.answers import addresses as address_column
from tests.exports.como.answers import ints

from fleutan.column import text_column
from fleutan.exports.cells import Cell
from fleutan.exports.como.cells import Figures, Microseconds, addresses, seconds, words
from fleutan.exports.grid import written

INTEGERS = st.lists(st.none() | st.integers(0, 2**63 - 1) | st.integers(0, 99_999), max_size=20)


def lines(cell: Cell, rows: int) -> list[str]:
    return b"".join(written([b"<", cell, b">\n"], rows)).decode().splitlines()


@given(INTEGERS, st.sampled_from([1, 3, 5, 8, 12]))
def test_figures_stand_at_the_right(values: list[int | None], least: int) -> None:
    expected = [f"<{'-' if value is None else value:>{least}}>" for value in values]
    assert lines(Figures(ints(*values), least), len(values)) == expected


@given(INTEGERS)
def test_microseconds_are_cut_not_rounded(values: list[int | None]) -> None:
    expected = ["<       >" if value is None else f"<.{value % 10**9 // 1000:06}>" for value in values]
    assert lines(Microseconds(ints(*values)), len(values)) == expected


@given(INTEGERS)
def test_seconds_in_a_spelling_of_their_own(values: list[int | None]) -> None:
    expected = [f"<{'-' if value is None else value // 10**9:>12}>" for value in values]
    assert lines(seconds(ints(*values), 12, str), len(values)) == expected


def test_words_are_spelled_once_each() -> None:
    spelled = []

    def upper(word: str) -> str:
        spelled.append(word)
        return word.upper()

    column = text_column(["tcp", None, "longer than that", "tcp", "unused"]).take(np.arange(4))
    assert lines(words(column, 5, upper), 4) == ["<  TCP>", "<    ->", "<LONGER THAN THAT>", "<  TCP>"]
    assert sorted(spelled) == ["longer than that", "tcp"]


@pytest.mark.parametrize("least", [0, 15])
def test_addresses(least: int) -> None:
    texts = ["10.0.0.1", None, "2001:db8::1", "10.0.0.1", "255.255.255.255"]
    expected = [f"<{text or '-':>{least}}>" for text in texts]
    assert lines(addresses(address_column(*texts), least), len(texts)) == expected


def test_no_row_gives_nothing() -> None:
    for cell in (Figures(ints(), 5), Microseconds(ints()), seconds(ints(), 5, str), addresses(address_column(), 5)):
        assert lines(cell, 0) == []
