# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import time

from tests.programs.agent.outputs.serving import DEADLINE, Answer, serving, until

from fleutan.observed import Counters, Source
from fleutan.programs.agent.outputs.influx import Influx

AT = 1_700_000_000_000_000_000


def named(*names: str) -> list[Counters]:
    return [Counters(Source(0, place), {"port_name": {"name": name}}) for place, name in enumerate(names, 1)]


def test_lines_are_posted() -> None:
    with serving() as server, Influx(f"{server.url}/api/v2/write?org=o&bucket=b", "here", "secret") as outlet:
        outlet.counters(named("eth0", "eth1"), AT)
        until(lambda: outlet.account().sent == 2)
        outlet.tick(0.0)
    (asked,) = server.asked
    assert asked.path == "/api/v2/write?org=o&bucket=b"
    assert asked.headers["Authorization"] == "Token secret"
    assert asked.body.decode().split("\n") == [
        f'port_name,host=here,source=0:1 name="eth0" {AT}',
        f'port_name,host=here,source=0:2 name="eth1" {AT}',
    ]


def test_without_a_token_there_is_no_header() -> None:
    with serving() as server, Influx(f"{server.url}/write?db=hosts", "here") as outlet:
        outlet.counters(named("eth0"), AT)
        until(lambda: outlet.account().sent == 1)
    assert "Authorization" not in server.asked[0].headers


def test_a_server_that_comes_back_has_all_of_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Influx(f"http://127.0.0.1:{port}/write?db=hosts", "here", soonest=0.02) as outlet:
        begun = time.monotonic()
        outlet.counters(named("eth0"), AT)
        outlet.counters([], AT)
        assert time.monotonic() - begun < DEADLINE / 2
        until(lambda: outlet.account().failures.get("connection refused"))
        assert (outlet.account().waiting, outlet.account().trouble) == (1, "connection refused")
        with serving(Answer(500), Answer(204), port=port) as server:
            until(lambda: outlet.account().sent == 1)
            account = outlet.account()
    assert len({one.body for one in server.asked}) == 1
    assert account.failures["HTTP 500 Internal Server Error"] == 1
    assert (account.lost, account.waiting, account.trouble) == ({}, 0, "")


def test_what_it_refuses_is_lost_and_counted() -> None:
    with serving(Answer(400, b"field type conflict"), Answer(204)) as server, Influx(server.url, "here") as outlet:
        outlet.counters(named("eth0", "eth1"), AT)
        until(lambda: outlet.account().lost)
        assert outlet.account().trouble == "HTTP 400 Bad Request: field type conflict"
        outlet.counters(named("eth2"), AT)
        until(lambda: outlet.account().sent == 1)
        assert outlet.account().lost == {"HTTP 400 Bad Request": 2}
