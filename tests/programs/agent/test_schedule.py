# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter

from fleutan.observed import Source
from fleutan.programs.agent.schedule import Schedule

MANY = [Source(0, number) for number in range(300)]


def test_each_source_is_told_once_in_an_interval_and_never_all_at_once() -> None:
    schedule = Schedule(30.0)
    told: Counter[Source] = Counter()
    most = 0
    for second in range(300):
        due, _ = schedule.due(MANY, float(second))
        told.update(due)
        most = max(most, len(due))
    assert set(told) == set(MANY)
    assert set(told.values()) <= {9, 10}
    assert most < len(MANY) / 4


def test_the_interval_is_kept_without_drifting() -> None:
    schedule = Schedule(10.0, lambda: 0.5)
    at = [tick / 4 for tick in range(400) if schedule.due([Source(2, 1)], tick / 4)[0]]
    assert at == [5.0 + 10 * number for number in range(10)]


def test_who_was_away_tells_each_source_once() -> None:
    schedule = Schedule(10.0, lambda: 0.0)
    assert schedule.due([Source(2, 1)], 0.0)[0] == [Source(2, 1)]
    assert schedule.due([Source(2, 1)], 1000.0)[0] == [Source(2, 1)]
    assert schedule.due([Source(2, 1)], 1001.0)[0] == []
    assert schedule.due([Source(2, 1)], 1005.0)[0] == [Source(2, 1)]


def test_sources_come_and_go() -> None:
    schedule = Schedule(10.0, lambda: 0.0)
    assert schedule.due(MANY[:2], 0.0) == (MANY[:2], [])
    assert len(schedule) == 2
    assert schedule.due(MANY[1:3], 1.0) == (MANY[2:3], MANY[:1])
    assert schedule.due([], 2.0) == ([], MANY[1:3])
