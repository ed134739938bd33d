# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fleutan.faces.tui.history import FIGURES, FLOWS, POINTS, History


def keys(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def figures(count: int, **given: Sequence[float]) -> dict[str, NDArray[np.float64]]:
    return {name: np.array(given.get(name, [np.nan] * count), np.float64) for name in FIGURES}


def filled(*rounds: Mapping[int, float], **limits: int) -> History:
    """A history of rounds, each with the rates of its flows."""
    history = History(**limits)
    for at, rates in enumerate(rounds):
        history.record(keys(*rates), figures(len(rates), tx_rate=list(rates.values())), at + 1)
    return history


def sent(history: History, key: int) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in history.of(key, "tx_rate")]


def test_the_newest_point_stands_last() -> None:
    history = filled({1: 10, 2: 20}, {2: 21}, {1: 12, 2: 22})
    assert sent(history, 1) == [10, None, 12]
    assert sent(history, 2) == [20, 21, 22]
    assert sent(history, 99) == [None, None, None]
    assert history.times().tolist() == [1, 2, 3]
    assert history.times(2).tolist() == [2, 3]
    assert history.of(2, "tx_rate", 2).tolist() == [21, 22]
    assert np.isnan(history.of(2, "rtt")).all()


def test_a_ring_forgets_the_oldest_points() -> None:
    history = filled(*({1: number} for number in range(7)), points=3)
    assert sent(history, 1) == [4, 5, 6]
    assert history.times().tolist() == [5, 6, 7]


def test_rates_are_both_directions_together() -> None:
    history = History()
    history.record(keys(1, 2), figures(2, tx_rate=[1, np.nan], rx_rate=[2, np.nan]), 1)
    history.record(keys(1, 2), figures(2, tx_rate=[10, np.nan], rx_rate=[np.nan, 5]), 2)
    assert np.array_equal(history.rates(keys(1, 2), 9), np.array([[3.0, 10.0], [np.nan, 5.0]]), equal_nan=True)
    assert history.total(keys(1, 2), 9).tolist() == [3, 15]
    assert np.isnan(history.total(keys(), 9)).all()
    assert len(history.total(keys(), 9)) == 2


def test_nothing_is_known_of_nothing() -> None:
    history = History()
    assert len(history) == 0
    assert history.rates(keys(1), 5).shape == (1, 0)
    history.record(keys(), figures(0), 1)
    assert np.isnan(history.of(1, "tx_rate")).all()


def test_what_comes_again_at_the_same_time_is_added() -> None:
    history = filled({1: 10})
    history.record(keys(2), figures(1, tx_rate=[20]), 1)
    assert (sent(history, 1), sent(history, 2), history.rounds) == ([10], [20], 1)


def test_flows_that_are_gone_lose_their_place() -> None:
    history = filled({1: 1, 2: 2}, {2: 2}, {2: 2}, {2: 2}, gone=2)
    assert len(history) == 1
    assert sent(history, 1) == [None] * 4
    history.record(keys(2, 3), figures(2, tx_rate=[2, 3]), 9)
    assert sent(history, 3) == [None, None, None, None, 3]  # and none of the points of flow 1


def test_places_go_to_the_busiest() -> None:
    history = filled({1: 0, 2: 5, 3: 9, 4: 0}, flows=2)
    assert len(history) == 2
    assert (sent(history, 2), sent(history, 3), sent(history, 1)) == ([5], [9], [None])


def test_idle_flows_make_room_for_busy_ones() -> None:
    history = filled({1: 0, 2: 5}, {1: 0, 2: 0, 3: 7, 4: 0}, flows=2)
    assert (sent(history, 2), sent(history, 3), sent(history, 1)) == ([5, 0], [None, 7], [None, None])
    history.record(keys(2, 3, 5), figures(3, tx_rate=[1, 1, 1]), 3)
    assert sent(history, 5) == [None] * 3  # none is idle


def test_it_grows_with_the_flows_up_to_its_bound() -> None:
    rounds = [{0: 1.0}, {number: float(number) for number in range(1000)}, dict.fromkeys(range(3000), 1.0)]
    history = filled(*rounds, flows=2000)
    assert len(history) == 2000
    assert sent(history, 0) == [1, 0, 1]
    assert sent(history, 999) == [None, 999, 1]
    assert POINTS * len(FIGURES) * FLOWS * 4 < 60_000_000


def test_clear_forgets_everything() -> None:
    history = filled({1: 1})
    history.clear()
    assert (len(history), history.rounds, sent(history, 1)) == (0, 0, [])


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.integers(0, 12), st.integers(0, 9), max_size=8), max_size=20))
def test_it_is_as_a_list_of_rounds(rounds: list[dict[int, int]]) -> None:
    history = filled(*rounds, points=8, flows=64, gone=99)
    last = rounds[-8:]
    first = {key: next(n for n, one in enumerate(rounds) if key in one) for one in rounds for key in one}
    for key in range(13):
        assert sent(history, key) == [one.get(key) for one in last], (key, first.get(key))
