# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import threading

import pytest
from tests.asking import until

from fleutan.errors import FleutanError
from fleutan.faces.web import programs
from fleutan.faces.web.programs import Program, running
from fleutan.programs.signals import Orders


def test_programs_run_until_the_end_and_may_write_what_they_have() -> None:
    begun, done = threading.Event(), []

    def run(orders: Orders) -> None:
        begun.set()
        until(lambda: orders.stopped)
        done.append(threading.current_thread().name)

    with running([Program("collect", run), Program("record", run)], lambda: None) as found:
        assert begun.wait(10)
        assert not done
    assert sorted(done) == ["collect", "record"]
    found.check()


def test_a_program_that_fails_ends_the_process() -> None:
    ended = threading.Event()

    def run(_: Orders) -> None:
        raise FleutanError("port 2055 is taken")

    with running([Program("collect", run)], ended.set) as found:
        assert ended.wait(10)
    with pytest.raises(FleutanError, match="collect ended: port 2055 is taken"):
        found.check()


def test_a_program_that_has_nothing_more_to_do_ends_it_too() -> None:
    ended = threading.Event()
    with running([Program("record", lambda _: None)], ended.set) as found:
        assert ended.wait(10)
    with pytest.raises(FleutanError, match="record ended: it had nothing more to do"):
        found.check()


def test_what_is_unexpected_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()

    def run(_: Orders) -> None:
        raise ZeroDivisionError("a bug")

    with caplog.at_level(logging.ERROR), running([Program("record", run)], ended.set) as found:
        assert ended.wait(10)
    assert "record failed" in caplog.text
    with pytest.raises(FleutanError, match="record ended: a bug"):
        found.check()


def test_an_end_that_fails_is_said() -> None:
    def run(orders: Orders) -> None:
        until(lambda: orders.stopped)
        raise FleutanError("the disk is full")

    with running([Program("record", run)], lambda: None) as found:
        pass
    with pytest.raises(FleutanError, match="the disk is full"):
        found.check()


def test_a_program_that_does_not_end_is_said(caplog: pytest.LogCaptureFixture) -> None:
    leave = threading.Event()

    def run(_: Orders) -> None:
        leave.wait(20)

    with (
        caplog.at_level(logging.ERROR),
        running([Program("slow", run)], lambda: None, 0.05),
    ):
        pass
    leave.set()
    assert "slow did not end within 0.05 s" in caplog.text
    assert programs.DRAIN > 1


def test_all_of_them_are_had_to_reload() -> None:
    reloaded = []

    def run(orders: Orders) -> None:
        until(lambda: orders.asked or orders.stopped)
        if orders.asked:
            orders.reloaded()
            reloaded.append(threading.current_thread().name)
        until(lambda: orders.stopped)

    with running([Program("collect", run), Program("record", run)], lambda: None) as found:
        found.reload()
        until(lambda: len(reloaded) == 2)
    found.check()
