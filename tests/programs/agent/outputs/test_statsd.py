# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from tests.programs.agent.outputs.serving import DEADLINE, until

from fleutan.observed import Counters, Source
from fleutan.programs.agent.outputs.statsd import Graphite, StatsD
from fleutan.sources.collectors import Collector

AT = 1_700_000_000_000_000_000


def counted(interrupts: int) -> list[Counters]:
    return [Counters(Source(2, 1), {"host_cpu": {"interrupts": interrupts, "uptime": 7}})]


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(DEADLINE)
        yield made


def port(made: socket.socket) -> int:
    return int(made.getsockname()[1])


def read(connection: socket.socket, lines: int) -> list[bytes]:
    connection.settimeout(DEADLINE)
    with connection.makefile("rb") as file:
        return [file.readline() for _ in range(lines)]


def test_statsd_is_sent_datagrams() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(DEADLINE)
        with StatsD(Collector("127.0.0.1", port(server)), "h") as outlet:
            outlet.counters(counted(5), AT)
            assert outlet.account().unsent

            def ticked() -> bool:
                outlet.tick(0.0)
                return outlet.account().trouble == ""

            until(ticked)
            outlet.counters(counted(8), AT)
            assert server.recv(2000) == b"fleutan.h.host.uptime_seconds:7|g\nfleutan.h.host.interrupts:3|c"
            assert outlet.account().sent == 1


def test_graphite_is_sent_lines_over_one_connection(listening: socket.socket) -> None:
    with Graphite("127.0.0.1", port(listening), "h") as outlet:
        outlet.counters(counted(5), AT)
        with listening.accept()[0] as connection:
            assert read(connection, 2) == [
                b"fleutan.h.host.uptime_seconds 7 1700000000\n",
                b"fleutan.h.host.interrupts 5 1700000000\n",
            ]
            outlet.tick(0.0)
            outlet.counters(counted(6), AT)
            assert read(connection, 2)[1] == b"fleutan.h.host.interrupts 6 1700000000\n"
        until(lambda: outlet.account().sent == 4)
        assert outlet.account().title == f"Graphite at 127.0.0.1:{port(listening)}"


def test_a_connection_that_was_closed_is_made_anew(listening: socket.socket) -> None:
    with Graphite("127.0.0.1", port(listening), "h", soonest=0.01) as outlet:
        for value in (5, 6, 7):
            outlet.counters(counted(value), AT)
            connection = listening.accept()[0]
            assert read(connection, 2)[1] == b"fleutan.h.host.interrupts %d 1700000000\n" % value
            if value == 6:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
            until(lambda many=2 * (value - 4): outlet.account().sent == many)  # type: ignore[misc]
        assert outlet.account().lost == {}


def test_what_waits_for_a_server_is_sent_when_it_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = port(free)
    with Graphite("127.0.0.1", place, "h", soonest=0.01) as outlet:
        outlet.counters(counted(5), AT)
        until(lambda: outlet.account().failures)
        assert (outlet.account().trouble, outlet.account().waiting) == ("connection refused", 2)
        with socket.create_server(("127.0.0.1", place)) as listening:
            listening.settimeout(DEADLINE)
            with listening.accept()[0] as connection:
                assert len(read(connection, 2)) == 2
            until(lambda: outlet.account().sent == 2)


def test_a_server_that_does_not_read_is_given_up(listening: socket.socket) -> None:
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    many = [Counters(Source(3, n), {"virt_memory": {"memory": n}}, {"unit": f"{n:060}"}) for n in range(50_000)]
    with Graphite("127.0.0.1", port(listening), "h", soonest=DEADLINE, step=0.2) as outlet:
        outlet.counters(many, AT)
        until(lambda: outlet.account().failures)
        assert outlet.account().trouble == "it does not take it in time"
        outlet._queue.close(0.01)


def test_there_is_room_for_so_much_only() -> None:
    with Graphite("::1", 1, "h", room=100, soonest=DEADLINE) as outlet:
        for value in range(10):
            outlet.counters(counted(value), AT)
        assert sum(outlet.account().lost.values()) >= 15
        assert outlet.account().title == "Graphite at [::1]:1"
        assert threading.active_count() < 20
