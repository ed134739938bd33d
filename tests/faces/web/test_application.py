# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.asking import ask, scope_of

from fleutan.faces.web.application import Application, application, is_here
from fleutan.faces.web.desk import Desk
from fleutan.faces.web.tokens import Tokens


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("", True),
        ("localhost", True),
        ("LOCALHOST:44444", True),
        ("x.localhost:1", True),
        ("127.0.0.1:44444", True),
        ("[::1]:44444", True),
        ("192.0.2.1", True),
        ("evil.example", False),
        ("evil.example:44444", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("[::1", True),
        ("[evil]", False),
    ],
)
def test_a_host_is_named_by_its_address(host: str, here: bool) -> None:
    assert is_here(host) == here


def test_requests_to_another_name_are_refused(app: Application, desk: Desk) -> None:
    found = ask(app, "/status", headers={"host": "evil.example"})
    assert (found.status, found.kind) == (421, "text/plain")
    found = ask(app, "/api/v1/status", headers={"host": "evil.example"})
    assert (found.status, found.kind) == (421, "application/problem+json")
    assert ask(application(desk, any_host=True), "/status", headers={"host": "any.example"}).status == 200


def test_only_who_has_a_token_may_ask(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("alice:s3cret\n")
    app = application(desk, Tokens(tmp_path / "tokens"))
    for target, kind in (
        ("/status", "text/plain"),
        ("/docs", "text/plain"),
        ("/openapi.json", "application/problem+json"),
    ):
        found = ask(app, target, headers={"host": "any.example"})
        assert (found.status, found.kind) == (401, kind)
        assert found.headers["www-authenticate"] == 'Bearer realm="fleutan"'
    assert ask(app, "/status", headers={"authorization": "Bearer wrong"}).status == 401
    assert ask(app, "/status", headers={"authorization": "Bearer s3cret", "host": "any.example"}).status == 200


def test_a_line_that_is_too_long_is_refused(app: Application) -> None:
    assert ask(app, "/traffic?filter=" + "a" * 20_000).status == 414
    assert ask(app, "/" + "a" * 20_000).status == 414
    assert ask(app, "/api/v1/modules/traffic?filter=" + "a" * 20_000).kind == "application/problem+json"


def test_every_answer_says_what_it_is(app: Application) -> None:
    for target in ("/status", "/nope", "/api/v1/status", "/docs", "/traffic?time=-1m:0"):
        headers = ask(app, target).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_what_is_no_request_is_not_answered(app: Application) -> None:
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    asyncio.run(app({**scope_of("/status"), "type": "websocket"}, None, send))  # type: ignore[arg-type]
    assert sent == []


def test_docs_are_only_got(app: Application) -> None:
    assert ask(app, "/docs", "POST").status == 405
