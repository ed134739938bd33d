# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, silent or many do not keep others from being answered."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from tests.asking import LENGTH, Served, get, served, until

from fleutan.faces.web.bounds import Service
from fleutan.faces.web.connections import FULL

#: Larger than what buffers of the kernel and of the server hold.
LARGE = "/tuple?time=-10m:0&format=json"
SMALL = 4096


def bounded(service: Service, **bounds: object) -> Service:
    return replace(service, bounds=replace(service.bounds, **bounds))  # type: ignore[arg-type]


@contextmanager
def crowd(server: Served, many: int, octets: bytes) -> Iterator[list[socket.socket]]:
    """So many clients that take nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(server.connect(octets, SMALL)) for _ in range(many)]


def is_closed(client: socket.socket) -> bool:
    """Whether the server ended the connection; takes what was sent."""
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def asked(server: Served, target: str) -> bytes:
    """The answer; nothing where too much is asked."""
    found = server.get(target)
    return found.body if found.status == 200 else b""


class Ticking:
    """Something else that the process does, a hundred times a second."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Ticking:
        self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.monotonic()
        while not self._ending.wait(0.01):
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now


def test_two_hundred_slow_clients_hold_nobody_up(service: Service) -> None:
    with (
        served(bounded(service, waiting=60, patience=30.0, stalled_seconds=2.0), SMALL) as server,
        Ticking() as ticking,
        crowd(server, 200, get(LARGE)) as clients,
    ):
        until(lambda: server.connections == 200)
        until(lambda: asked(server, "/traffic?time=-10m:0&format=plain").count(b"\n") == LENGTH, 20)
        until(lambda: server.server._desk.account()["questions"] == 0, 20)  # no database waits for them
        assert server.get("/status").status == 200
        until(lambda: server.connections == 0, 20)  # they took nothing for too long
        assert all(is_closed(client) for client in clients)
    assert ticking.longest < 2


def test_a_slow_client_gets_the_whole(service: Service) -> None:
    with served(service, SMALL) as server, server.connect(get(LARGE), SMALL) as client:
        response = http.client.HTTPResponse(client)
        response.begin()
        octets = b""
        while piece := response.read(1000):
            octets += piece
        assert len(json.loads(octets)["rows"]) == LENGTH


def test_clients_that_say_nothing_are_ended(service: Service) -> None:
    halves = (b"", b"GET /sta", b"GET /status HTTP/1.1\r\nHost: loc")
    with served(bounded(service, header_seconds=0.5)) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.connect(octets)) for octets in halves]
        assert all(is_closed(client) for client in clients)


def test_a_client_that_dribbles_its_request_is_ended(service: Service) -> None:
    with served(bounded(service, header_seconds=0.5)) as server, server.connect(b"GET /status HTTP/1.1\r\n") as client:
        client.settimeout(0.1)
        end = time.monotonic() + 10
        ended = False
        while not ended and time.monotonic() < end:
            try:
                client.sendall(b"X-A: b\r\n")
                ended = not client.recv(100)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                ended = True
        assert ended


def test_a_connection_is_used_again_and_again(service: Service) -> None:
    with served(bounded(service, header_seconds=1.2)) as server, server.connect() as client:
        end = time.monotonic() + 3  # longer than a silent one may last
        while time.monotonic() < end:
            client.sendall(get("/docs"))
            octets = b""
            while b"</html>" not in octets:
                received = client.recv(65536)
                assert received
                octets += received


def test_where_there_is_no_room_the_one_that_waits_longest_goes(service: Service) -> None:
    with served(bounded(service, connections=3)) as server, ExitStack() as stack:
        clients = []
        for number in range(4):
            clients.append(stack.enter_context(server.connect()))
            until(lambda number=number: server.connections == min(number + 1, 3))  # type: ignore[misc]
        assert is_closed(clients[0])
        clients[3].sendall(get("/docs"))
        assert clients[3].recv(15) == b"HTTP/1.1 200 OK"


def test_where_all_are_asking_there_is_no_room(service: Service) -> None:
    with served(bounded(service, connections=2), SMALL) as server, crowd(server, 2, get(LARGE)):
        until(lambda: all(one.is_asking for one in list(server.server.server_state.connections)))
        until(lambda: server.connections == 2)
        with server.connect() as client:
            assert client.recv(1000) == FULL


def test_what_is_said_has_the_length_that_it_says() -> None:
    head, _, body = FULL.partition(b"\r\n\r\n")
    assert b"content-length: %d\r\n" % len(body) in head


def test_nonsense_is_refused(service: Service) -> None:
    with served(service) as server:
        for octets in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n", b"G" * 100_000):
            with server.connect(octets) as client:
                received = client.recv(1000)
                assert received.startswith(b"HTTP/1.1 400 ")
        assert server.get("/status").status == 200
