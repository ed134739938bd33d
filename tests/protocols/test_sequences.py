# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.sequences import (
    AGAIN,
    AHEAD,
    ANEW,
    BEHIND,
    FIRST,
    FORWARD,
    LATE,
    NEXT,
    RECENT,
    Arrivals,
    Sequences,
    totals,
)

TOP = 1 << 32


class Row(NamedTuple):
    key: str
    sequence: int
    step: int = 1
    anew: bool = False


class Slow:
    """One exporter, row by row."""

    def __init__(self) -> None:
        self.last: int | None = None
        self.expected = 0
        self.recent: deque[int] = deque(maxlen=RECENT)

    def follow(self, row: Row) -> tuple[int, int]:
        if self.last is None:
            return self._begin(row, FIRST)
        jump = (row.sequence - self.last + TOP // 2) % TOP - TOP // 2
        if row.anew or not -BEHIND <= jump <= FORWARD:
            return self._begin(row, ANEW)
        start = self.last + jump
        ahead = start - self.expected
        kind = NEXT if not ahead else AHEAD if ahead > 0 else AGAIN if start in self.recent else LATE
        self._pass(start, row.step)
        return kind, max(ahead, 0)

    def _begin(self, row: Row, kind: int) -> tuple[int, int]:
        self.recent.clear()
        self.expected = row.sequence
        self._pass(row.sequence, row.step)
        return kind, 0

    def _pass(self, start: int, step: int) -> None:
        self.last = start + step
        self.expected = max(self.expected, self.last)
        self.recent.append(start)


def follow(sequences: Sequences, rows: list[Row]) -> Arrivals:
    keys = sorted({row.key for row in rows})
    columns = [[keys.index(row.key), row.sequence, row.step] for row in rows]
    groups, sequence, step = np.array(columns, np.int64).reshape(-1, 3).T
    return sequences.follow(keys, groups, sequence, step, np.array([row.anew for row in rows], np.bool_))


def found(sequences: Sequences, rows: list[Row]) -> list[tuple[int, int]]:
    arrivals = follow(sequences, rows)
    return list(zip(arrivals.kind.tolist(), arrivals.missing.tolist(), strict=True))


def of(*numbers: int, step: int = 1) -> list[tuple[int, int]]:
    return found(Sequences(), [Row("a", number % TOP, step) for number in numbers])


def test_numbers_that_go_on() -> None:
    assert of(7, 8, 9) == [(FIRST, 0), (NEXT, 0), (NEXT, 0)]
    assert of(0, 30, 60, step=30) == [(FIRST, 0), (NEXT, 0), (NEXT, 0)]


def test_a_gap_is_as_wide_as_what_is_missing() -> None:
    assert of(7, 10) == [(FIRST, 0), (AHEAD, 2)]
    assert of(0, 90, step=30) == [(FIRST, 0), (AHEAD, 60)]


def test_numbers_wrap() -> None:
    assert of(TOP - 2, TOP - 1, 0, 1) == [(FIRST, 0), (NEXT, 0), (NEXT, 0), (NEXT, 0)]
    assert of(TOP - 2, 1) == [(FIRST, 0), (AHEAD, 2)]
    assert of(0, TOP - 1, 1) == [(FIRST, 0), (LATE, 0), (NEXT, 0)]


def test_one_that_comes_late_does_not_move_what_is_expected() -> None:
    assert of(1, 3, 2, 4) == [(FIRST, 0), (AHEAD, 1), (LATE, 0), (NEXT, 0)]


def test_one_that_comes_again() -> None:
    assert of(1, 2, 2, 3, 1) == [(FIRST, 0), (NEXT, 0), (AGAIN, 0), (NEXT, 0), (AGAIN, 0)]
    long_ago = of(*range(RECENT + 1), 0)
    assert long_ago[-1] == (LATE, 0)


def test_an_exporter_that_begins_anew() -> None:
    assert of(1_000_000, 1, 2)[1:] == [(ANEW, 0), (NEXT, 0)]
    assert of(5, FORWARD + 7)[1:] == [(ANEW, 0)]
    assert of(5, FORWARD + 6)[1:] == [(AHEAD, FORWARD)]
    rows = [Row("a", 9), Row("a", 1, anew=True), Row("a", 2), Row("a", 9)]
    assert found(Sequences(), rows) == [(FIRST, 0), (ANEW, 0), (NEXT, 0), (AHEAD, 6)]


def test_exporters_do_not_meet() -> None:
    sequences = Sequences()
    rows = [Row("a", 1), Row("b", 700), Row("a", 2), Row("b", 702)]
    assert found(sequences, rows) == [(FIRST, 0), (FIRST, 0), (NEXT, 0), (AHEAD, 1)]
    assert found(sequences, [Row("b", 703), Row("a", 3)]) == [(NEXT, 0), (NEXT, 0)]


def test_a_batch_without_rows() -> None:
    sequences = Sequences()
    assert found(sequences, []) == []
    assert sequences.forgotten == 0


def test_who_is_not_heard_of_makes_room() -> None:
    sequences = Sequences(exporters=2)
    found(sequences, [Row("a", 1), Row("b", 1)])
    assert found(sequences, [Row("a", 2), Row("c", 1)]) == [(NEXT, 0), (FIRST, 0)]
    assert sequences.forgotten == 1
    assert found(sequences, [Row("b", 2)]) == [(FIRST, 0)]
    assert found(sequences, [Row("c", 2)]) == [(NEXT, 0)]
    assert found(sequences, [Row("c", 1)]) == [(AGAIN, 0)]


def test_a_batch_may_have_more_exporters_than_are_remembered() -> None:
    sequences = Sequences(exporters=3)
    rows = [Row(f"{number:03}", 5) for number in range(200)]
    assert found(sequences, rows * 2) == [(FIRST, 0)] * 200 + [(AGAIN, 0)] * 200
    assert sequences.forgotten == 197
    assert found(sequences, [Row("199", 6), Row("000", 6)]) == [(NEXT, 0), (FIRST, 0)]


def test_totals_by_exporter() -> None:
    rows = [Row("a", number, 2) for number in (0, 6, 2, 8, 8)] + [Row("b", 1 << 20), Row("b", 3)]
    arrivals = follow(Sequences(), rows)
    groups, step = np.array([0] * 5 + [1] * 2), np.array([row.step for row in rows])
    assert [column.tolist() for column in totals(arrivals, groups, step, 3)] == [
        [4, 0, 0],
        [2, 0, 0],
        [1, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
    ]


NEAR = st.integers(-40, 40) | st.sampled_from([-BEHIND - 1, -BEHIND, FORWARD, FORWARD + 1, TOP // 2, -TOP // 2])


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    ends = dict.fromkeys("abc", 0) | {"b": TOP - 3}
    rows = []
    for _ in range(draw(st.integers(0, 60))):
        key = draw(st.sampled_from("abc"))
        step = draw(st.sampled_from([0, 1, 1, 1, 30, TOP - 1]))
        sequence = (ends[key] + draw(st.just(0) | NEAR)) % TOP
        ends[key] = sequence + step
        rows.append(Row(key, sequence, step, draw(st.integers(0, 20)) == 0))
    return rows


@given(histories(), st.lists(st.integers(0, 60), max_size=4))
def test_as_row_by_row_however_they_are_cut_into_batches(rows: list[Row], cuts: list[int]) -> None:
    slow = {key: Slow() for key in "abc"}
    sequences = Sequences()
    bounds = [0, *sorted(cuts), len(rows)]
    fast = [pair for begin, end in pairwise(bounds) for pair in found(sequences, rows[begin:end])]
    assert fast == [slow[row.key].follow(row) for row in rows]


@pytest.mark.parametrize("jump", [-BEHIND, 7, FORWARD, FORWARD + 1])
def test_what_is_kept_does_not_grow(jump: int) -> None:
    sequences, slow = Sequences(), Slow()
    for batch in range(20):
        rows = [Row("a", (batch * 50 + number) * jump % TOP) for number in range(50)]
        assert found(sequences, rows) == [slow.follow(row) for row in rows]
    assert len(sequences._places.known) == 64
