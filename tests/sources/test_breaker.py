# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.sources.breaker import FIRST, LONGEST, Breaker

MOST = 1000


def flood(
    breaker: Breaker, events: int, now: float, rate: int, step: float = 0.1, most: float = 60
) -> tuple[int, float]:
    """Goes on at this rate until the state changes."""
    until = now + most
    while now < until:
        now += step
        events += round(rate * step)
        if breaker.told(events, now):
            return events, now
    return events, now


def test_it_opens_after_so_many_seconds_of_too_much() -> None:
    breaker = Breaker(MOST, 2)
    _, now = flood(breaker, 0, 100.0, 2 * MOST)
    assert breaker.is_open
    assert 102 <= now <= 103.2
    assert (breaker.trips, breaker.closes_at) == (1, now + FIRST)


def test_what_is_allowed_goes_on_for_ever() -> None:
    breaker = Breaker(MOST, 2)
    _, now = flood(breaker, 0, 0.0, MOST - 10)
    assert not breaker.is_open
    assert now >= 60


def test_a_second_of_too_much_is_forgiven_if_a_quiet_one_follows() -> None:
    breaker = Breaker(MOST, 2)
    events, now = 0, 0.0
    for turn in range(40):
        events, now = flood(breaker, events, now, 5 * MOST if turn % 2 else 0, most=1.0)
    assert (breaker.is_open, breaker.trips) == (False, 0)


def test_it_closes_after_a_pause_that_grows_while_the_flood_goes_on() -> None:
    breaker = Breaker(MOST, 2)
    events, now = 0, 0.0
    pauses = []
    for _ in range(8):
        events, now = flood(breaker, events, now, 3 * MOST)
        assert breaker.is_open
        pauses.append(breaker.closes_at - now)
        assert not breaker.told(events, now + 0.1)
        now = breaker.closes_at
        assert breaker.told(events, now)
        assert not breaker.is_open
    assert pauses[:3] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert pauses[-1] == LONGEST


def test_after_a_long_quiet_time_it_begins_anew() -> None:
    breaker = Breaker(MOST, 2)
    events, now = flood(breaker, 0, 0.0, 3 * MOST)
    assert breaker.told(events, breaker.closes_at)
    now = breaker.closes_at + 3 * LONGEST
    breaker.told(events, now)
    _, now = flood(breaker, events, now, 3 * MOST)
    assert breaker.closes_at - now == FIRST


def test_a_reader_that_is_late_sees_the_mean() -> None:
    breaker = Breaker(MOST, 2)
    assert not breaker.told(0, 0.0)
    assert not breaker.told(5 * MOST, 10.0)
    assert breaker.told(5 * MOST + 100 * MOST, 20.0)
