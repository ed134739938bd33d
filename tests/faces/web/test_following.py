# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.asking import LENGTH, OCTETS, SECOND, filled, records

from fleutan.errors import UsageError
from fleutan.faces.web.bounds import Bounds, Service
from fleutan.faces.web.desk import Desk
from fleutan.faces.web.following import Following, following
from fleutan.faces.web.questions import question
from fleutan.past.request import MINUTE, Request
from fleutan.query.times import FOREVER

SETTLE = 10 * SECOND


def test_steps_are_whole_intervals_of_five_seconds_or_more() -> None:
    assert Following(0, FOREVER, SECOND, SETTLE).step_ns == 5 * SECOND
    assert Following(0, FOREVER, 3 * SECOND, SETTLE).step_ns == 6 * SECOND
    assert Following(0, FOREVER, MINUTE, SETTLE).step_ns == MINUTE


def test_an_interval_is_told_when_its_rows_are_there() -> None:
    found = Following(0, FOREVER, SECOND, SETTLE)
    assert found.settled(119 * SECOND) == 105 * SECOND
    assert found.settled(120 * SECOND) == 110 * SECOND
    assert found.seconds(110 * SECOND, 120 * SECOND) == 5
    assert found.seconds(110 * SECOND, 130 * SECOND) == 0


def test_the_end_is_told_though_no_step_ends_there() -> None:
    found = Following(0, 112 * SECOND, SECOND, SETTLE)
    assert found.settled(121 * SECOND) == 110 * SECOND
    assert found.seconds(110 * SECOND, 121 * SECOND) == 1
    assert found.settled(122 * SECOND) == 112 * SECOND


NOW = 1_800_000_000 * SECOND
HOUR = 60 * MINUTE


def follow(module: str, words: dict[str, str], **asked: int) -> Following:
    request = Request(module, asked.get("start_ns", NOW - HOUR), asked.get("end_ns", NOW))
    return following(request, words, NOW, SETTLE)


def test_without_an_end_it_goes_on_for_ever_and_without_a_window_from_now() -> None:
    assert follow("traffic", {}) == Following(NOW, FOREVER, MINUTE, SETTLE)
    assert follow("traffic", {"since": "1h"}) == Following(NOW - HOUR, FOREVER, MINUTE, SETTLE)
    assert follow("traffic", {"time": "-1h:0"}) == Following(NOW - HOUR, NOW, MINUTE, SETTLE)
    assert follow("traffic", {"start": "1"}, start_ns=NOW).width_ns == SECOND
    assert follow("traffic", {"start": "1"}, start_ns=0).width_ns == MINUTE


def test_of_jobs_it_is_their_time_that_is_told() -> None:
    ended = follow("traffic", {"jobid": "1"}, end_ns=NOW - MINUTE)
    assert (ended.start_ns, ended.end_ns) == (NOW - HOUR, NOW - MINUTE)
    runs = follow("traffic", {"gridjobid": "1"})
    assert (runs.start_ns, runs.end_ns) == (NOW - HOUR, FOREVER)


def test_modules_of_a_whole_window_do_not_go_on() -> None:
    with pytest.raises(UsageError, match="owners has no intervals"):
        follow("owners", {})
    with pytest.raises(UsageError, match="Parquet"):
        follow("traffic", {"format": "parquet"})


def test_modules_have_intervals_and_listings_none() -> None:
    found = follow("topaddr", {})
    assert found.asked(Request("topaddr", 0, 1)).interval_ns == MINUTE
    assert found.asked(Request("tuple", 0, 1)).interval_ns is None
    assert found.asked(Request("tuple", 0, 1)).end_ns == FOREVER


class Clock:
    """A time that goes on by so much whenever somebody looks."""

    def __init__(self, now_ns: int, step_ns: int) -> None:
        self.now_ns, self._step_ns = now_ns, step_ns

    def __call__(self) -> int:
        self.now_ns += self._step_ns
        return self.now_ns


async def read(service: Service, module: str, words: dict[str, str]) -> bytes:
    desk = Desk(service)
    work = desk.ask(question(service, module, {**words, "wait": "yes"}).pieces, follows=True)
    try:
        await work.spool.begun()
        return b"".join([piece async for piece in work.spool.pieces()])
    finally:
        work.stop()
        desk.close()


@pytest.mark.parametrize("module", ["traffic", "tuple", "topaddr", "talkers"])
def test_every_row_is_told_once(service: Service, first_ns: int, module: str) -> None:
    # the settled time moves by 2.6 minutes a look, until the end of the lake
    clock = Clock(first_ns + 2 * MINUTE, 156 * SECOND)
    at = first_ns // SECOND
    words = {"start": f"{at}", "end": f"{at + LENGTH}", "format": "jsonl", "interval": "30"}
    if module == "tuple":
        del words["interval"]
    lines = asyncio.run(read(replace(service, now_ns=clock), module, words)).splitlines()
    rows = [json.loads(line) for line in lines]
    assert sum(row["bytes"] for row in rows) == LENGTH * OCTETS
    if module == "traffic":
        assert [row["time_ns"] for row in rows] == [first_ns + n * 30 * SECOND for n in range(20)]


def test_new_rows_are_told_as_they_come(tmp_path: Path) -> None:
    start = 1_800_000_000 * SECOND
    root = filled(tmp_path / "lake", [records(start, 5)])
    # the question, what is settled then, and how long it is until more is: next to nothing
    times = iter([start + 15 * SECOND, start + 15 * SECOND, start + 20 * SECOND - 10_000_000])
    later: list[int] = []

    def now_ns() -> int:
        if (now := next(times, None)) is not None:
            return now
        if not later:
            later.append(1)
            filled(root, [records(start + 5 * SECOND, 5)])
        return start + 20 * SECOND

    service = Service(root, Bounds(), now_ns=now_ns)
    words = {"start": "1800000000", "end": "1800000010", "format": "jsonl", "interval": "1"}

    async def lines() -> list[int]:
        desk = Desk(service)
        work = desk.ask(question(service, "traffic", {**words, "wait": "yes"}).pieces, follows=True)
        found: list[int] = []
        async for octets in work.spool.pieces():
            found += [json.loads(line)["time_ns"] for line in octets.splitlines()]
        work.stop()
        desk.close()
        return found

    assert asyncio.run(lines()) == [start + n * SECOND for n in range(10)]


def test_the_client_that_goes_ends_it(service: Service) -> None:
    async def go() -> None:
        desk = Desk(service)
        work = desk.ask(question(service, "traffic", {"wait": "yes"}).pieces, follows=True)
        await work.spool.begun()
        assert desk.account()["followers"] == 1
        work.stop()
        async with asyncio.timeout(10):
            while desk.account()["followers"]:
                await asyncio.sleep(0.01)  # a condition is waited for, not a time
        assert desk.account()["followers"] == 0
        desk.close()

    asyncio.run(go())
