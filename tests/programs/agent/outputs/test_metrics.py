# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import http.client
import json
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from tests.exports.scraping import families

from fleutan.config.agents import Place
from fleutan.errors import FleutanError
from fleutan.exports.openmetrics import OPENMETRICS, PLAIN
from fleutan.observed import Counters, Source
from fleutan.programs.agent.outputs.metrics import CONNECTIONS, OCTETS, Metrics

LOOPBACK = Place("127.0.0.1", 0)
DEADLINE = 20.0
needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="needs prometheus")


@pytest.fixture
def outlet() -> Iterator[Metrics]:
    with Metrics(LOOPBACK, events=lambda: {"datagrams": 7}) as made:
        made.counters([unit("a", 10), unit("b", 20)], time.time_ns())
        made.tick(0.0)
        yield made


def unit(name: str, memory: int) -> Counters:
    return Counters(Source(3, 100_000 + memory), {"virt_memory": {"memory": memory}}, {"unit": name})


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)  # a condition is waited for, not a time


def asked(outlet: Metrics, path: str = "/metrics", method: str = "GET", accept: str = "") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", outlet.port, timeout=DEADLINE)
    connection.request(method, path, headers={"Accept": accept} if accept else {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers["Content-Type"], body


def memory(outlet: Metrics) -> dict[str, float]:
    found = families(asked(outlet, accept="application/openmetrics-text")[2])
    family = found.get("fleutan_unit_memory_bytes")
    return {labels[0][1]: value for labels, value in family.series.items()} if family else {}


def test_the_latest_counters_are_served(outlet: Metrics) -> None:
    assert memory(outlet) == {"a": 10, "b": 20}
    outlet.counters([Counters(Source(3, 100_010), {"virt_memory": {"memory": 11}}, {"unit": "a"})], time.time_ns())
    assert memory(outlet) == memory(outlet) == {"a": 11, "b": 20}


def test_who_asks_gets_the_form_that_it_likes(outlet: Metrics) -> None:
    status, form, body = asked(outlet, accept="application/openmetrics-text; version=1.0.0")
    assert (status, form, body[-6:]) == (200, OPENMETRICS, b"# EOF\n")
    assert families(body)["fleutan_agent_events"].series == {(("event", "datagrams"),): 7}
    status, form, body = asked(outlet, "/metrics?x=1")
    assert (status, form) == (200, PLAIN)
    assert b'\nfleutan_unit_memory_bytes{unit="a"} 10\n' in body


def test_other_questions_have_other_answers(outlet: Metrics) -> None:
    assert asked(outlet, method="HEAD")[::2] == (200, b"")
    assert asked(outlet, "/")[0] == 200
    assert asked(outlet, "/other")[0] == 404
    assert asked(outlet, method="DELETE")[0] == 501
    until(lambda: outlet.account() == {"200": 2, "404": 1, "501": 1})


def test_what_is_old_is_there_no_more() -> None:
    now_ns = [10**18]
    with Metrics(LOOPBACK, keep=60, now_ns=lambda: now_ns[0]) as outlet:
        outlet.counters([unit("a", 10)], now_ns[0])
        now_ns[0] += 50 * 10**9
        outlet.counters([unit("b", 20)], now_ns[0])
        outlet.tick(0.0)
        assert memory(outlet) == {"a": 10, "b": 20}
        now_ns[0] += 20 * 10**9
        outlet.tick(0.0)
        assert memory(outlet) == {"b": 20}


def test_it_listens_on_ipv6_too() -> None:
    with Metrics(Place("::1", 0)) as outlet, urlopen(f"http://[::1]:{outlet.port}/metrics", timeout=DEADLINE) as answer:
        assert answer.status == 200


def test_a_place_that_is_taken_is_said() -> None:
    with Metrics(LOOPBACK) as outlet:
        place = Place("127.0.0.1", outlet.port)
        with pytest.raises(FleutanError, match=rf"metrics cannot be served at {place}: Address already in use"):
            Metrics(place).__enter__()
    closed = Metrics(LOOPBACK)
    closed.__exit__()
    assert (closed.port, closed.account()) == (0, {})


def test_slow_clients_hold_up_nobody_and_are_ended() -> None:
    with Metrics(LOOPBACK, seconds=1.0) as outlet:
        slow = [socket.create_connection(("127.0.0.1", outlet.port), DEADLINE) for _ in range(CONNECTIONS - 1)]
        for one in slow:
            one.sendall(b"GET /metrics HTTP/1.0\r\nX-Header: ")
        assert asked(outlet)[0] == 200
        for one in slow:
            assert one.recv(100) == b""
            one.close()
        assert asked(outlet)[0] == 200


def test_too_many_are_turned_away() -> None:
    with Metrics(LOOPBACK, seconds=3.0) as outlet:
        many = [socket.create_connection(("127.0.0.1", outlet.port), DEADLINE) for _ in range(CONNECTIONS + 1)]
        assert many[-1].recv(100) == b""
        until(lambda: outlet.account() == {"turned away": 1})
        for one in many:
            one.close()
        until(lambda: len(memory_or_none(outlet)) == 1)


def memory_or_none(outlet: Metrics) -> list[int]:
    try:
        return [asked(outlet)[0]]
    except (OSError, http.client.HTTPException):
        return []


def test_a_question_has_an_end(outlet: Metrics) -> None:
    begun = b"GET /metrics HTTP/1.0\r\nX-Header: "
    with socket.create_connection(("127.0.0.1", outlet.port), DEADLINE) as client:
        client.sendall(begun + b"x" * (OCTETS - len(begun)))
        assert client.recv(100).startswith(b"HTTP/1.0 431 ")
    assert memory(outlet) == {"a": 10, "b": 20}


def test_clients_that_go_away_are_counted(outlet: Metrics) -> None:
    client = socket.create_connection(("127.0.0.1", outlet.port), DEADLINE)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    until(lambda: outlet.account() == {"broken": 1})


@needs_prometheus
def test_prometheus_scrapes_it(outlet: Metrics, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    target = f"127.0.0.1:{outlet.port}"
    scrape = {"job_name": "f", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
    (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}))
    command = ["timeout", "60", "prometheus", f"--config.file={tmp_path}/prometheus.yml"]
    command += [f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address=127.0.0.1:{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: told(port, 'fleutan_unit_memory_bytes{unit="a"}') == "10")
            assert told(port, 'up{job="f"}') == "1"
            assert told(port, "fleutan_agent_events_total") == "7"
        finally:
            process.terminate()
            process.wait(DEADLINE)


def told(port: int, query: str) -> str | None:
    """What Prometheus knows of a series."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={quote(query)}", timeout=DEADLINE) as answer:
            found = json.load(answer)["data"]["result"]
    except OSError:
        return None
    return str(found[0]["value"][1]) if found else None
