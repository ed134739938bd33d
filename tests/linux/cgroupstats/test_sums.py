# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleutan.linux.cgroupstats.sums import Kept


def test_what_ended_stays_in_the_sum() -> None:
    kept = Kept(2)
    assert kept.total({}) == (None, None)
    assert kept.total({"a": (5, None), "b": (1, 2)}) == (6, 2)
    assert kept.total({"b": (2, 3)}) == (7, 3)
    assert kept.total({}) == (7, 3)
    assert kept.total({"c": (1, 0)}) == (8, 3)


def test_zero_is_known() -> None:
    kept = Kept(1)
    assert kept.total({"a": (0,)}) == (0,)
    assert kept.total({}) == (0,)


def test_who_counts_less_has_begun_anew() -> None:
    kept = Kept(1)
    kept.total({"a": (5,)})
    assert kept.total({"a": (2,)}) == (7,)
    assert kept.total({"a": (3,)}) == (8,)


def test_what_is_not_told_once_is_what_it_was() -> None:
    kept = Kept(1)
    kept.total({"a": (5,)})
    assert kept.total({"a": (None,)}) == (5,)
    assert kept.total({"a": (6,)}) == (6,)


def test_who_is_forgotten_is_in_no_sum() -> None:
    kept = Kept(1)
    kept.total({"a": (5,), "b": (1,)})
    kept.forget("a")
    kept.forget("c")
    assert kept.total({"b": (1,)}) == (1,)


@given(st.lists(st.dictionaries(st.integers(0, 5), st.tuples(st.integers(0, 99) | st.none()), max_size=5)))
def test_it_never_goes_back_and_holds_those_that_there_are(readings: list[dict[int, tuple[int | None]]]) -> None:
    kept, before = Kept(1), 0
    for now in readings:
        (total,) = kept.total(now)
        assert (total or 0) >= before
        assert (total or 0) >= sum(count or 0 for (count,) in now.values())
        before = total or 0
    assert len(kept._last) <= 6
