# SPDX-License-Identifier: Apache-2.0
"""Answers that go on, with a clock that is turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import lakes
from tests.lakes import AT, HOUR, LASTS, MINUTE, SECOND, sums
from tests.past.conftest import named, pairs

from fleutan.errors import UsageError
from fleutan.lake.writer import Writer
from fleutan.past.engine import Lake
from fleutan.past.following import SETTLE, Following, following
from fleutan.past.modules import answer
from fleutan.past.parameters import Moment, understood
from fleutan.past.request import Request
from fleutan.query.times import FOREVER
from fleutan.table import Table

RECORDS = lakes.records()


class Clock:
    """Time that goes on only where somebody waits."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.waited: list[float] = []

    def __call__(self) -> int:
        return self.now_ns

    def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now_ns += int(seconds * SECOND)


def told(request: Request, follow: Following, clock: Clock) -> list[tuple[int, int]]:
    """The windows that are asked for."""
    windows: list[tuple[int, int]] = []

    def ask(asked: Request) -> Iterator[Table]:
        windows.append((asked.start_ns, asked.end_ns))
        return iter(())

    assert list(follow.answer(follow.asked(request), ask, clock, clock.pause)) == []
    return windows


def test_windows_follow_each_other_without_a_gap_and_are_asked_when_they_are_whole() -> None:
    clock = Clock(AT)
    request = Request("traffic", AT - 7 * SECOND, AT + 31 * SECOND, interval_ns=2 * SECOND)
    follow = Following(request.start_ns, request.end_ns, 2 * SECOND, SETTLE)
    windows = told(request, follow, clock)
    assert windows[0][0] == request.start_ns
    assert windows[-1][1] == request.end_ns
    assert [start for start, _ in windows[1:]] == [end for _, end in windows[:-1]]
    assert all(end % (6 * SECOND) == 0 for _, end in windows[:-1])
    assert clock.now_ns == request.end_ns + SETTLE


def test_what_is_past_is_told_at_once() -> None:
    clock = Clock(AT + HOUR)
    assert told(Request("traffic", AT, AT + 9), Following(AT, AT + 9, SECOND, SETTLE), clock) == [(AT, AT + 9)]
    assert clock.waited == []


def test_whoever_waits_may_end_it() -> None:
    def pause(seconds: float) -> None:
        raise KeyboardInterrupt

    follow = Following(AT, FOREVER, SECOND, SETTLE)
    with pytest.raises(KeyboardInterrupt):
        list(follow.answer(Request("traffic", AT, FOREVER), lambda _: iter(()), Clock(AT), pause))


@pytest.mark.parametrize("module", ["traffic", "tuple", "topaddr", "talkers"])
def test_a_lake_that_fills_is_told_to_its_end_and_each_row_once(tmp_path: Path, module: str) -> None:
    """Rows are written while the answer waits for them; asked later as a whole, it is the same."""
    clock, left = Clock(AT), list(RECORDS)
    words = {"wait": "yes", "start": str(AT // SECOND), "end": str((AT + LASTS) // SECOND), "interval": "600"}
    request = understood(module, words, Moment(AT)).request
    follow = following(request, words, AT)
    with Lake(tmp_path) as lake, Writer(tmp_path, "live", node="here") as writer:

        def pause(seconds: float) -> None:
            clock.pause(seconds)
            with Writer(tmp_path, "test", node="here") as part:
                part.add(lakes.table("records", [row for row in left if row["time"] < clock()]))
            left[:] = [row for row in left if row["time"] >= clock()]

        writer.tick(AT)
        found = [
            row
            for table in follow.answer(follow.asked(request), lambda asked: answer(lake, asked), clock, pause)
            for row in named(table)
        ]
        whole = [row for table in answer(lake, follow.asked(request)) for row in named(table)]
    assert found == whole or module == "tuple"
    assert sorted(found, key=repr) == sorted(whole, key=repr)
    if module == "traffic":
        assert pairs(found, "time") == sums(RECORDS, bucket_ns=10 * MINUTE)
    assert len(clock.waited) > 8


def test_forms_and_modules_of_whole_answers_do_not_go_on() -> None:
    with pytest.raises(UsageError, match="limits has no intervals: ask it without wait=yes"):
        following(Request("limits", 0, 1), {}, 1)
    with pytest.raises(UsageError, match="a Parquet file ends before it can be read"):
        following(Request("traffic", 0, 1), {}, 1, form="parquet")
    with pytest.raises(UsageError, match="a picture shows what was"):
        following(Request("traffic", 0, 1), {"format": "plot"}, 1)


def test_an_interval_suits_how_far_back_it_begins_and_listings_have_none() -> None:
    asked = following(Request("traffic", AT - HOUR, AT), {"since": "1h"}, AT)
    assert asked == Following(AT - HOUR, FOREVER, MINUTE, SETTLE)
    assert asked.asked(Request("traffic", 0, 1)).interval_ns == MINUTE
    assert asked.asked(Request("tuple", 0, 1)).interval_ns is None
    assert following(Request("traffic", 0, 9), {"jobid": "1"}, AT).end_ns == 9
    assert following(Request("traffic", 0, AT), {"jobid": "1"}, AT).end_ns == FOREVER
    assert following(Request("traffic", 0, 9), {}, AT) == Following(AT, FOREVER, MINUTE, SETTLE)
