# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from tests.asking import LENGTH, SECOND, until

from fleutan.errors import FleutanError, UsageError
from fleutan.faces.web.bounds import Bounds, Service
from fleutan.faces.web.desk import NICE, Desk, Places, Work, Written
from fleutan.faces.web.failures import Busy
from fleutan.past.request import Request
from fleutan.query.plan import Listing


async def answer(desk: Desk, written: Written) -> bytes:
    work = desk.ask(written)
    try:
        await work.spool.begun()
        return b"".join([piece async for piece in work.spool.pieces()])
    finally:
        work.stop()


def ask(service: Service, written: Written) -> bytes:
    desk = Desk(service)
    try:
        return asyncio.run(answer(desk, written))
    finally:
        desk.close()


def bounded(service: Service, **bounds: object) -> Service:
    return replace(service, bounds=replace(service.bounds, **bounds))  # type: ignore[arg-type]


def whole(service: Service, module: str = "tuple") -> Request:
    return Request(module, service.started_ns, service.started_ns + LENGTH * SECOND)


# -- places


def test_so_many_have_a_place_and_so_many_wait() -> None:
    places = Places(1, 1)
    entered, leave, waits = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with places.taken(0):
            entered.set()
            leave.wait(10)

    def second() -> None:
        with places.taken(10):
            waits.set()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    until(lambda: places._waiting == 1)
    with pytest.raises(Busy, match="too many questions wait"), places.taken(10):
        pass
    leave.set()
    for thread in threads:
        thread.join()
    assert waits.is_set()


def test_a_wait_for_a_place_ends() -> None:
    places = Places(1, 5)
    with places.taken(0), pytest.raises(Busy, match=r"no question ended within 0\.01 s"), places.taken(0.01):
        pass
    with places.taken(inf):
        pass


# -- questions


def test_an_answer_is_what_was_written(service: Service) -> None:
    assert ask(service, lambda _: [b"a", b"b"]) == b"ab"


def test_tables_are_those_of_the_module(service: Service) -> None:
    def rows(work: Work) -> Iterator[bytes]:
        yield b"%d" % sum(len(table) for table in work.tables(whole(service)))

    assert ask(service, rows) == b"%d" % LENGTH


def test_too_many_rows_are_refused(service: Service) -> None:
    def rows(work: Work) -> Iterator[bytes]:
        for table in work.tables(whole(service)):
            yield b"%d" % len(table)

    with pytest.raises(UsageError, match="more than 10 rows; ask of a shorter time"):
        ask(bounded(service, rows=10), rows)


def test_a_question_that_takes_too_long_is_given_up(service: Service) -> None:
    def endless(work: Work) -> Iterator[bytes]:
        with work.lake() as lake:
            # a join of 600 rows four times with itself
            lake._connection.sql("SELECT sum(hash(a.i * b.i)) FROM range(1000000) a(i), range(1000000) b(i)").fetchall()
        yield b""

    with pytest.raises(FleutanError, match=r"the question took longer than 0\.3 s and was given up"):
        ask(bounded(service, seconds=0.3), interrupted(endless))


def interrupted(written: Written) -> Written:
    """As the engine says that a query was interrupted."""
    import duckdb

    def pieces(work: Work) -> Iterator[bytes]:
        try:
            yield from written(work)
        except duckdb.InterruptException:
            work.check()
            raise

    return pieces


def test_the_engine_says_that_the_time_was_over(service: Service) -> None:
    def slow(work: Work) -> Iterator[bytes]:
        with work.lake() as lake:
            work._stopped.wait(5)
            for table in lake.rows(Listing("records", window[0], window[1], ("time",)), "records"):
                yield b"%d" % len(table)
        work.check()

    window = (service.started_ns, service.started_ns + SECOND)
    with pytest.raises(FleutanError, match=r"longer than 0\.1 s"):
        ask(bounded(service, seconds=0.1), slow)


def test_a_client_that_goes_ends_the_question(service: Service) -> None:
    ended = threading.Event()

    def waits(work: Work) -> Iterator[bytes]:
        yield b"x"
        work.spool.begin()
        try:
            while True:
                work.pause(60)
        finally:
            ended.set()

    async def leave() -> None:
        desk = Desk(service)
        work = desk.ask(waits, follows=True)
        await work.spool.begun()
        assert desk.account()["followers"] == 1
        work.stop()
        await asyncio.to_thread(ended.wait, 10)
        while desk.account()["followers"]:
            await asyncio.sleep(0.01)
        desk.close()

    asyncio.run(leave())
    assert ended.is_set()


def test_what_goes_on_ends_with_the_desk(service: Service) -> None:
    async def end() -> None:
        desk = Desk(service)
        work = desk.ask(lambda work: iter(lambda: work.pause(60) or b"", b"never"), follows=True)  # type: ignore[func-returns-value]
        desk.close()
        with pytest.raises(FleutanError):
            await work.spool.begun()
        with pytest.raises(Busy):
            desk.ask(lambda _: [b""])

    asyncio.run(end())


def test_too_many_questions_are_refused_at_once(service: Service) -> None:
    leave = threading.Event()

    def waits(_: Work) -> Iterator[bytes]:
        leave.wait(10)
        yield b"x"

    async def many() -> None:
        desk = Desk(bounded(service, concurrent=1, waiting=1))
        works = [desk.ask(waits), desk.ask(waits)]
        with pytest.raises(Busy):
            desk.ask(waits)
        leave.set()
        for work in works:
            await work.spool.begun()
            work.stop()
        desk.close()

    asyncio.run(many())


def test_an_unexpected_error_is_logged_and_ends_the_answer(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Work) -> Iterator[bytes]:
        raise ZeroDivisionError("a bug")
        yield b""

    with pytest.raises(ZeroDivisionError), caplog.at_level(logging.ERROR):
        ask(service, broken)
    assert "an answer failed" in caplog.text


def test_threads_of_questions_give_way(service: Service) -> None:
    def nice(_: Work) -> Iterator[bytes]:
        yield b"%d" % os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert int(ask(service, nice)) == max(before, NICE)


def test_a_lake_that_is_not_there_is_said(tmp_path: Path) -> None:
    service = Service(tmp_path / "none", Bounds())

    def rows(work: Work) -> Iterator[bytes]:
        for _ in work.tables(Request("traffic", 0, 10 * SECOND)):
            yield b""

    with pytest.raises(FleutanError, match="there is no lake"):
        ask(service, rows)
