# SPDX-License-Identifier: Apache-2.0
"""OAR's API is a small server here that answers what its documents say."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from fleutan.errors import FleutanError, UsageError
from fleutan.sources.jobs import oar
from fleutan.sources.jobs.found import Found, Unknown
from fleutan.sources.jobs.oar import grid_job, job

START, STOP = 1_351_087_660, 1_351_087_782
SECONDS = 10.0
RECORD = {"id": 5232, "start_time": START, "stop_time": STOP, "state": "Terminated", "walltime": 7200, "types": []}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


class Server:
    """Answers by path; ``asked`` is each path with its query, ``logins`` what came as Authorization."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.asked, self.logins = answers, list[str](), list[str | None]()
        self.released = Event()

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        said = self.answers.get(urlsplit(path).path)
        if isinstance(said, list) and "items" not in path and urlsplit(path).path.endswith("nodes.json"):
            return 200, json.dumps(page(said, path)).encode()
        if said is None:
            return 404, b"{}"
        return said if isinstance(said, tuple) else (200, json.dumps(said).encode())


def page(items: list[Any], path: str) -> dict[str, Any]:
    """Two items a page, as a limit in OAR's configuration makes them."""
    offset = int(parse_qs(urlsplit(path).query).get("offset", ["0"])[0])
    return {"items": items[offset : offset + 2], "offset": offset, "total": len(items), "links": []}


@contextmanager
def serving(answers: dict[str, Any]) -> Iterator[tuple[Server, str]]:
    server = Server(answers)

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.logins.append(self.headers["Authorization"])
            status, octets = server.answer(self.path)
            if status == 0:  # it keeps its caller waiting
                server.released.wait(60)
                return
            if status == 302:
                self.send_response(302)
                self.send_header("Location", octets.decode())
                self.end_headers()
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as listening:
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server, f"http://127.0.0.1:{listening.server_port}/oarapi"
        finally:
            server.released.set()
            listening.shutdown()
            thread.join()


def node(name: str) -> dict[str, Any]:
    return {"network_address": name, "status": "assigned", "links": [{"href": f"/resources/nodes/{name}"}]}


def test_a_job_and_its_nodes_page_by_page() -> None:
    nodes = [node(f"node{number}") for number in (1, 2, 3, 3, 4)]
    with serving({"/oarapi/jobs/5232.json": RECORD, "/oarapi/jobs/5232/nodes.json": nodes}) as (server, url):
        found = job("5232", url + "/", SECONDS)
    assert found == Found(("node1", "node2", "node3", "node4"), START * 10**9, STOP * 10**9)
    assert server.asked[1:] == [f"/oarapi/jobs/5232/nodes.json{end}" for end in ("", "?offset=2", "?offset=4")]
    assert server.logins == [None] * 4


def test_a_job_that_runs_has_no_end_and_one_that_waits_no_beginning() -> None:
    nodes = {"/oarapi/jobs/7/nodes.json": [node("a")]}
    with serving({"/oarapi/jobs/7.json": RECORD | {"stop_time": 0}, **nodes}) as (_, url):
        assert job("7", url, SECONDS).end_ns is None
    with (
        serving({"/oarapi/jobs/7.json": RECORD | {"start_time": 0, "stop_time": 0}, **nodes}) as (_, url),
        pytest.raises(FleutanError, match="it has not begun"),
    ):
        job("7", url, SECONDS)


@pytest.mark.parametrize(
    "record",
    [
        {"uid": 7, "started_at": START, "stopped_at": STOP, "assigned_nodes": ["a", "b"]},
        {"7": {"Job_Id": 7, "startTime": START, "stopTime": STOP, "assigned_network_address": ["a", "b"]}},
        RECORD | {"nodes": [node("a"), node("b")]},
    ],
)
def test_who_names_the_nodes_at_once_is_asked_once(record: dict[str, Any]) -> None:
    with serving({"/oarapi/jobs/7.json": record}) as (server, url):
        assert job("7", url, SECONDS) == Found(("a", "b"), START * 10**9, STOP * 10**9)
    assert len(server.asked) == 1


def test_resources_name_nodes_where_there_is_no_list_of_nodes() -> None:
    resources = {"items": [{"id": 1, "network_address": "a"}, {"id": 2, "node": "b"}, {"id": 3, "node": "b"}]}
    with serving({"/oarapi/jobs/7.json": RECORD, "/oarapi/jobs/7/resources.json": resources}) as (_, url):
        assert job("7", url, SECONDS).nodes == ("a", "b")


def test_a_user_in_the_address_is_a_login_and_is_told_nobody_else() -> None:
    answers: dict[str, Any] = {"/oarapi/jobs/7.json": (401, b"")}
    with serving(answers) as (server, url):
        own = url.replace("//", "//me%40x:se%3Acret@")
        with pytest.raises(FleutanError, match="401") as raised:
            job("7", own, SECONDS)
        assert "secret" not in str(raised.value)
        assert "se:cret" not in str(raised.value)
        answers["/oarapi/jobs/7.json"] = (302, url.replace("127.0.0.1", "localhost").encode() + b"/elsewhere")
        answers["/oarapi/elsewhere"] = RECORD | {"nodes": [node("a")]}
        job("7", own, SECONDS)
    login = "Basic " + b64encode(b"me@x:se:cret").decode()
    assert server.logins == [login, login, None]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no such job": ({}, "knows no /jobs/7.json"),
    "failure": ({"/oarapi/jobs/7.json": (500, b"")}, "answers 500 Internal Server Error for /jobs/7.json"),
    "a page": ({"/oarapi/jobs/7.json": (200, b"<html>")}, "not JSON: '<html>'"),
    "a list": ({"/oarapi/jobs/7.json": [1]}, "the answer is no job"),
    "no nodes": ({"/oarapi/jobs/7.json": RECORD, "/oarapi/jobs/7/nodes.json": []}, "it has no nodes"),
    "no names": ({"/oarapi/jobs/7.json": RECORD, "/oarapi/jobs/7/nodes.json": [{}]}, "is no name of a node"),
    "no collection": ({"/oarapi/jobs/7.json": RECORD, "/oarapi/jobs/7/nodes.json": 7}, "the answer is no collection"),
    "text": ({"/oarapi/jobs/7.json": RECORD | {"nodes": "a b"}}, "its nodes are no list"),
    "odd time": ({"/oarapi/jobs/7.json": RECORD | {"start_time": "then", "nodes": [node("a")]}}, "'then' is no time"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line(what: str) -> None:
    answers, message = WRONG[what]
    with serving(answers) as (_, url), pytest.raises(FleutanError) as raised:
        job("7", url, SECONDS)
    assert message in str(raised.value)
    assert isinstance(raised.value, Unknown) == (what == "no such job")


def test_pages_without_end_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oar, "PAGES", 3)
    endless = {"items": [node("a")], "total": 1 << 40}
    with serving({"/oarapi/jobs/7.json": RECORD, "/oarapi/jobs/7/nodes.json": endless}) as (server, url):
        assert job("7", url, SECONDS).nodes == ("a",)
    assert len(server.asked) == 4


def test_an_api_that_does_not_answer_is_not_waited_for() -> None:
    with (
        serving({"/oarapi/jobs/7.json": (0, b"")}) as (_, url),
        pytest.raises(FleutanError, match="does not answer: timed out"),
    ):
        job("7", url, 0.05)


def test_the_time_is_for_all_answers_together() -> None:
    with pytest.raises(FleutanError, match="does not answer: it takes too long"):
        job("7", "http://127.0.0.1:1", -1)


def test_nobody_there_is_said() -> None:
    with pytest.raises(FleutanError, match=r"127.0.0.1:1 does not answer: .*refused"):
        job("7", "http://127.0.0.1:1/oarapi", SECONDS)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/", "localhost", "", "http://", "http://[::1"])
def test_what_is_no_address_of_an_api_is_not_asked(url: str) -> None:
    with pytest.raises(UsageError, match="no address of an API"):
        job("7", url, SECONDS)


SITES = {"rennes": {"12": {"nodes": ["a-1", "a-2"]}}, "lyon": {"34": {"nodes": ["b-1"]}}}
SIMPLE = [{"site": site, "jobs": jobs} for site, jobs in SITES.items()]


@pytest.mark.parametrize("resources", [SITES, SIMPLE])
def test_a_grid_job_is_its_jobs_at_all_sites(resources: Any) -> None:
    answers = {
        "/oarapi/grid/jobs/9/resources.json": resources,
        "/oarapi/sites/rennes/jobs/12.json": {"startTime": START, "stopTime": STOP},
        "/oarapi/sites/lyon/jobs/34.json": {"34": {"startTime": START + 1}},
    }
    with serving(answers) as (_, url):
        found = grid_job("9", url, SECONDS)
    assert found == [
        Found(("a-1", "a-2"), START * 10**9, STOP * 10**9),
        Found(("b-1",), (START + 1) * 10**9, None),
    ]


@pytest.mark.parametrize(("resources", "what"), [({}, "it has no jobs"), (7, "no grid job"), ({"lyon": 7}, "no jobs")])
def test_what_is_no_grid_job_is_said(resources: Any, what: str) -> None:
    with (
        serving({"/oarapi/grid/jobs/9/resources.json": resources}) as (_, url),
        pytest.raises(FleutanError, match=what),
    ):
        grid_job("9", url, SECONDS)
