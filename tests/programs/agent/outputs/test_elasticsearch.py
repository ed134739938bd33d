# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest
from tests.programs.agent.outputs.serving import Answer, Asked, Server, serving, until

from fleutan.observed import Counters, Source
from fleutan.programs.agent.outputs.elasticsearch import Elasticsearch

AT = 1_700_000_000_000_000_000
GOOD = Answer(200, b'{"errors":false,"items":[]}')


def named(*names: str) -> list[Counters]:
    return [Counters(Source(0, place), {"port_name": {"name": name}}) for place, name in enumerate(names, 1)]


class Store:
    """Takes documents as Elasticsearch does: each id once, and no name that is too long."""

    def __init__(self, *busy: int) -> None:
        self.kept: dict[str, Any] = {}
        self._busy = [*busy]

    def __call__(self, asked: Asked) -> Answer:
        lines = [json.loads(line) for line in asked.body.splitlines()]
        results = [self._kept(action["create"], made) for action, made in zip(lines[::2], lines[1::2], strict=True)]
        errors = any(one["status"] >= 300 for one in results)
        body = {"errors": errors, "items": [{"create": one} for one in results]}
        return Answer(200, json.dumps(body).encode())

    def _kept(self, action: Any, made: Any) -> dict[str, Any]:
        if action["_id"] in self.kept:
            return {"status": 409, "error": {"type": "version_conflict_engine_exception"}}
        if len(made["fleutan"]["port_name"]["name"]) > 4:
            return {"status": 400, "error": {"type": "document_parsing_exception"}}
        if self._busy and len(self.kept) == self._busy[0]:
            self._busy.pop(0)
            return {"status": 429, "error": {"type": "es_rejected_execution_exception"}}
        self.kept[action["_id"]] = made
        return {"status": 201}


def test_documents_are_posted() -> None:
    store = Store()
    with serving(by=store) as server, Elasticsearch(f"{server.url}/es/", "here", "key==", "hosts") as outlet:
        outlet.counters(named("eth0", "eth1"), AT)
        until(lambda: outlet.account().sent == 2)
        outlet.tick(0.0)
        assert outlet.account().title == f"Elasticsearch at {server.url}/es"
    (asked,) = server.asked
    assert asked.path == "/es/_bulk?filter_path=errors,items.*.status,items.*.error.type"
    assert asked.headers["Authorization"] == "ApiKey key=="
    assert asked.headers["Content-Type"] == "application/x-ndjson"
    assert [*store.kept] == [f"here-0:1-{AT}", f"here-0:2-{AT}"]
    assert b'{"create":{"_index":"hosts",' in asked.body


def test_what_it_refuses_is_counted_by_kind() -> None:
    with serving(by=Store()) as server, Elasticsearch(server.url, "here") as outlet:
        outlet.counters(named("eth0", "much too long", "eth1"), AT)
        until(lambda: outlet.account().lost)
        account = outlet.account()
    assert (account.sent, account.lost) == (2, {"documents refused: document_parsing_exception": 1})
    assert "Authorization" not in server.asked[0].headers


def test_what_it_has_no_time_for_comes_again_and_is_there_once() -> None:
    store = Store(1, 2)
    with serving(by=store) as server, Elasticsearch(server.url, "here", soonest=0.01) as outlet:
        outlet.counters(named("eth0", "eth1", "eth2"), AT)
        until(lambda: outlet.account().sent == 3)
        account = outlet.account()
    assert len(store.kept) == 3
    assert (account.lost, account.failures, len(server.asked)) == ({}, {"documents: HTTP 429": 2}, 3)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"errors":1}', b'{"errors":1,"items":[1]}', b'{"errors":1,"items":[{"x":{}}]}']
)
def test_who_answers_otherwise_is_no_such_server(body: bytes) -> None:
    with serving(Answer(200, body), GOOD) as server, Elasticsearch(server.url, "here", soonest=0.01) as outlet:
        outlet.counters(named("eth0"), AT)
        until(lambda: outlet.account().sent == 1)
        assert outlet.account().failures == {"it does not answer as Elasticsearch does": 1}


def test_kinds_are_words() -> None:
    odd = {"errors": True, "items": [{"create": {"status": 400, "error": {"type": "a\nb"}}}]}
    server: Server
    with serving(Answer(200, json.dumps(odd).encode())) as server, Elasticsearch(server.url, "here") as outlet:
        outlet.counters(named("eth0"), AT)
        until(lambda: outlet.account().lost)
        assert outlet.account().lost == {"documents refused: unknown": 1}
