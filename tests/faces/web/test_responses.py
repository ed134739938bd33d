# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import http.client
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.asking import ask, asked, scope_of, served, until

from fleutan.errors import FleutanError, UsageError
from fleutan.faces.web.bounds import Service
from fleutan.faces.web.desk import Desk, Work, Written
from fleutan.faces.web.responses import Streaming, plain, problem, text_failure


def answering(written: Written) -> Any:
    """What makes an application of a desk that answers so."""

    def made(desk: Desk) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await Streaming(desk.ask(written), text_failure)(scope, receive, send)

        return app

    return made


def long(work: Work) -> Iterator[bytes]:
    """Much, and then an error."""
    yield b"x" * work.service.bounds.early
    work.pause(0.2)  # so that the client has something
    raise FleutanError("the disk has gone")


def test_an_answer_has_its_kind_and_its_headers(desk: Desk) -> None:
    def two(work: Work) -> Iterator[bytes]:
        work.media_type = "image/x-test"
        yield b"a"
        yield b"b"
        work.note("20m é\r\nSet-Cookie: x", "b")

    found = ask(answering(two)(desk), "/")
    assert (found.status, found.body, found.whole) == (200, b"ab", True)
    assert found.headers["content-type"] == "image/x-test"
    assert found.headers["fleutan-note"] == "20m ???Set-Cookie: x; b"
    assert "content-length" not in found.headers


def test_what_becomes_known_too_late_for_a_header_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    def late(work: Work) -> Iterator[bytes]:
        work.note("early")
        yield b"x" * work.service.bounds.early
        work.pause(0.2)
        work.note("late")

    with caplog.at_level(logging.WARNING):
        found = ask(answering(late)(desk), "/path")
    assert found.headers["fleutan-note"] == "early"
    assert [record.getMessage() for record in caplog.records] == ["/path: late"]


def test_an_error_before_the_first_octet_has_a_status(desk: Desk) -> None:
    def wrong(_: Work) -> Iterator[bytes]:
        yield b"a few octets are held back"
        raise UsageError("no such thing")

    found = ask(answering(wrong)(desk), "/")
    assert (found.status, found.body) == (400, b"no such thing\n")


def test_a_bug_is_an_error_of_the_server_that_tells_nothing(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Work) -> Iterator[bytes]:
        raise ZeroDivisionError("secret")
        yield b""

    with caplog.at_level(logging.ERROR):
        found = ask(answering(broken)(desk), "/")
    assert found.status == 500
    assert b"secret" not in found.body
    assert "secret" in caplog.text


def test_half_an_answer_is_not_taken_for_a_whole_one(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), served(service, app=answering(long)) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/long")
        response = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        connection.close()
    assert "/long broke off: the disk has gone" in caplog.text


def test_the_client_that_goes_ends_the_work(desk: Desk) -> None:
    def endless(work: Work) -> Iterator[bytes]:
        work.spool.begin()
        while True:
            yield b"x"
            work.pause(0.01)

    async def leave() -> None:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            while len(sent) < 3:
                await asyncio.sleep(0.01)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await answering(endless)(desk)(scope_of("/"), receive, send)
        assert sent[0]["status"] == 200

    asyncio.run(leave())
    until(lambda: desk.account()["questions"] == 0)


def test_a_request_that_is_cancelled_ends_the_work(desk: Desk) -> None:
    def waits(work: Work) -> Iterator[bytes]:
        work.pause(60)
        yield b""

    async def cancel() -> None:
        task = asyncio.ensure_future(asked(answering(waits)(desk), scope_of("/")))
        while not desk.account()["questions"]:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    until(lambda: desk.account()["questions"] == 0)


def test_a_client_that_is_too_slow_is_given_up(service: Service) -> None:
    """Where the answer is larger than what is kept, a database does not wait for its client for long."""

    def much(work: Work) -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 65536

    small = replace(service, bounds=replace(service.bounds, spool=1 << 17, patience=0.2))
    with (
        served(small, 16384, answering(much)) as server,
        server.connect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as client,
    ):
        until(lambda: server.server._desk.account()["questions"] == 1)
        until(lambda: server.server._desk.account()["questions"] == 0)
        octets = b""
        while received := client.recv(65536):
            octets += received
        assert octets.startswith(b"HTTP/1.1 200 OK\r\n")
        assert not octets.endswith(b"0\r\n\r\n")


def test_small_answers() -> None:
    assert plain("x").body == b"x"
    assert problem(UsageError("x")).media_type == "application/problem+json"
