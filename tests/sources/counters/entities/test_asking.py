# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from fleutan.sources.counters.entities.asking import EVERY_S, LEAST_S, Asking


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        Event().wait(0.001)


def test_an_answer_is_not_waited_for() -> None:
    answered = Event()
    calls: list[int] = []

    def ask() -> str:
        calls.append(1)
        answered.wait(10)
        return "answer"

    now = [0.0]
    asking = Asking(ask, "nothing", lambda: now[0])
    asking.look()
    now[0] += 1000
    asking.look()
    assert asking.answer == "nothing"
    until(lambda: bool(calls))
    assert len(calls) == 1, "while one answers, nobody is asked again"
    answered.set()
    until(lambda: not asking.is_asking())
    assert asking.answers == 1
    assert asking.answer == "answer"


def test_it_is_asked_again_once_in_a_while_and_sooner_for_what_is_new() -> None:
    calls: list[int] = []
    now = [0.0]
    asking = Asking(lambda: calls.append(1), None, lambda: now[0])

    def asked(is_new: bool = False) -> int:
        asking.look(is_new)
        until(lambda: not asking.is_asking())
        return len(calls)

    assert asked() == 1
    now[0] += LEAST_S
    assert asked() == 1
    assert asked(is_new=True) == 2
    now[0] += LEAST_S - 0.1
    assert asked(is_new=True) == 2
    now[0] += EVERY_S
    assert asked() == 3


def test_what_is_raised_is_a_trouble_and_the_answer_before_stands() -> None:
    now = [0.0]
    answers = iter(["one"])

    def ask() -> str:
        for answer in answers:
            return answer
        raise ValueError("no more")

    asking = Asking(ask, "", lambda: now[0])
    for _ in range(2):
        asking.look()
        until(lambda: not asking.is_asking())
        now[0] += EVERY_S
    assert asking.trouble == "ValueError: no more"
    assert asking.answer == "one"
