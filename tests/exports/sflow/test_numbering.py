# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from fleutan.exports.sflow.numbering import Numbers
from fleutan.observed import Source


def test_each_source_counts_for_itself_from_one() -> None:
    numbers = Numbers()
    assert [numbers.next(Source(2, 1)), numbers.next(Source(0, 1)), numbers.next(Source(2, 1))] == [1, 1, 2]


def test_a_batch_is_counted_at_once_and_goes_on() -> None:
    numbers = Numbers()
    assert numbers.many(0, np.array([7, 8, 7])).tolist() == [1, 1, 2]
    assert numbers.many(0, np.array([8, 7])).tolist() == [2, 3]
    assert numbers.next(Source(0, 7)) == 4
    assert numbers.many(0, np.array([], np.int64)).tolist() == []


def test_numbers_go_round() -> None:
    numbers = Numbers()
    numbers._had[Source(0, 1)] = 0xFFFF_FFFE
    assert numbers.many(0, np.array([1, 1, 1])).tolist() == [0xFFFF_FFFF, 0, 1]


def test_what_is_forgotten_begins_anew() -> None:
    numbers = Numbers()
    numbers.next(Source(0, 1))
    numbers.forget([Source(0, 1), Source(0, 2)])
    assert numbers.next(Source(0, 1)) == 1


def test_data_sources_without_end_take_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleutan.exports.sflow.numbering.MOST", 3)
    numbers = Numbers()
    for index in range(5):
        numbers.next(Source(0, index))
    assert numbers.many(0, np.array([0, 4, 9])).tolist() == [1, 2, 1]
    assert len(numbers._had) == 3
