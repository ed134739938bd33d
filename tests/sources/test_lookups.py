# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import threading

from fleutan.sources.lookups import Lookups, Place, lookup, numeric

HERE = socket.inet_aton("127.0.0.1")
DEADLINE = 10.0


def test_addresses_are_looked_up() -> None:
    assert lookup("127.0.0.1", 9) == [(HERE, 0)]
    assert lookup("::1", 9) == [(bytes(15) + b"\x01", 0)]


def test_what_is_written_as_an_address_is_no_name() -> None:
    assert numeric("fe80::1%lo", 9) == (bytes.fromhex("fe80" + 13 * "00" + "01"), socket.if_nametoindex("lo"))
    assert numeric("collector.example", 9) is None
    assert numeric("x" * 300, 9) is None


def test_while_nobody_answers_a_name_has_one_thread_that_nobody_waits_for() -> None:
    asked, answers = list[str](), threading.Event()

    def look(host: str, _: int) -> list[Place]:
        asked.append(host)
        assert answers.wait(DEADLINE)
        return [(HERE, 0)]

    lookups = Lookups(look)
    first, other = lookups.ask("one.example", 1), lookups.ask("two.example", 1)
    assert lookups.ask("one.example", 1) is first
    assert first.daemon
    answers.set()
    for question in (first, other):
        question.join(DEADLINE)
        assert (question.places, question.trouble) == ([(HERE, 0)], "")
    again = lookups.ask("one.example", 1)
    again.join(DEADLINE)
    assert again is not first
    assert sorted(asked) == ["one.example", "one.example", "two.example"]


def test_why_a_name_is_not_known() -> None:
    def look(*_: object) -> list[Place]:
        raise socket.gaierror(-2, "Name or service not known")

    question = Lookups(look).ask("one.example", 1)
    question.join(DEADLINE)
    assert (question.places, question.trouble) == ([], "one.example: name or service not known")
