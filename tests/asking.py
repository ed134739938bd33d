# SPDX-License-Identifier: Apache-2.0
"""A lake of known content, requests to an ASGI application without a network, and a server on loopback."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fleutan.address import parse_prefix
from fleutan.column import Column, text_column
from fleutan.lake.writer import Writer
from fleutan.table import Table

SECOND = 10**9
#: Rows begin so long before now, one a second, and end ten seconds before it.
LENGTH = 600
#: Of each row.
PACKETS, OCTETS = 10, 1000
HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::1")


def addresses(texts: list[str]) -> Column:
    halves = {text: parse_prefix(text) for text in dict.fromkeys(texts)}
    return Column(np.array([(halves[text].hi_first, halves[text].lo_first) for text in texts], np.int64))


def numbers(values: Any) -> Column:
    return Column(np.array(list(values), np.int64))


def records(first_ns: int, rows: int) -> Table:
    """A flow a second, of one second, of a host in turn to 192.0.2.9; every fourth is UDP."""
    turns = range(rows)
    start = [first_ns + turn * SECOND for turn in turns]
    return Table(
        "records",
        {
            "time": numbers(start),
            "end": numbers(at + SECOND // 2 for at in start),
            "exporter": addresses(["192.0.2.1"] * rows),
            "proto": text_column(["udp" if turn % 4 == 3 else "tcp" for turn in turns]),
            "src": addresses([HOSTS[turn % 4] for turn in turns]),
            "sport": numbers(40_000 + turn for turn in turns),
            "dst": addresses(["192.0.2.9"] * rows),
            "dport": numbers(53 if turn % 4 == 3 else 443 for turn in turns),
            "packets": numbers([PACKETS] * rows),
            "bytes": numbers([OCTETS] * rows),
        },
    )


def filled(root: Path, tables: list[Table]) -> Path:
    with Writer(root, "collect", node="node1") as writer:
        for table in tables:
            writer.add(table)
    return root


# -- requests


class Answered(NamedTuple):
    """What was answered; ``whole`` is whether the application said its end."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]


def scope_of(target: str | bytes, method: str = "GET", headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The scope of a request, as uvicorn makes it."""
    from urllib.parse import unquote

    raw = target if isinstance(target, bytes) else target.encode()
    path, _, query = raw.partition(b"?")
    named = {"host": "localhost:44444", **(headers or {})}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 44444),
        "client": ("127.0.0.1", 50000),
        "method": method,
        "root_path": "",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        "state": {},
    }


async def asked(app: Any, scope: dict[str, Any]) -> Answered:
    """Sends one request and takes the whole answer."""
    sent: list[dict[str, Any]] = []
    over = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not over.is_set() and not any(message["type"] == "read" for message in sent):
            sent.append({"type": "read"})
            return {"type": "http.request", "body": b"", "more_body": False}
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    try:
        await app(scope, receive, send)
    finally:
        over.set()
    starts = [message for message in sent if message["type"] == "http.response.start"]
    bodies = [message for message in sent if message["type"] == "http.response.body"]
    headers = {name.decode(): value.decode() for name, value in starts[0]["headers"]}
    whole = bool(bodies) and not bodies[-1].get("more_body", False)
    return Answered(starts[0]["status"], headers, b"".join(one.get("body", b"") for one in bodies), whole)


def ask(app: Any, target: str | bytes, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answered:
    """The same where no loop runs."""
    return asyncio.run(asked(app, scope_of(target, method, headers)))


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Waits until something is so.  Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(condition)
        time.sleep(0.01)


# -- a server


class Served(NamedTuple):
    """A server on loopback."""

    port: int
    server: Any

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)

    def connect(self, octets: bytes = b"", buffer: int = 0) -> socket.socket:
        """A connection on which these octets were sent; ``buffer`` is how much the client takes."""
        found = socket.socket()
        if buffer:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        found.settimeout(10)
        found.connect(("127.0.0.1", self.port))
        found.sendall(octets)
        return found

    def get(self, target: str, **headers: str) -> Answered:
        """Asks with a client of the standard library."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answered(response.status, named, response.read(), True)
        finally:
            connection.close()


def get(target: str) -> bytes:
    """A request's octets."""
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@contextmanager
def served(service: Any, buffer: int = 0, app: Callable[[Any], Any] | None = None) -> Iterator[Served]:
    """Serves in a thread; with ``buffer`` the kernel keeps about so much of an answer; ``app`` is made of a desk."""
    from fleutan.faces.web.desk import Desk
    from fleutan.faces.web.serving import Listen, Server, listening

    listen = Listen(("127.0.0.1",), 0)
    (one,) = listening(listen)
    if buffer:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    desk = Desk(service)
    server = Server(desk, None, None, listen)
    if app is not None:
        server.config.loaded_app = app(desk)
    thread = threading.Thread(target=server.run, args=([one],))
    thread.start()
    try:
        until(lambda: server.started)
        yield Served(one.getsockname()[1], server)
    finally:
        server.end()
        thread.join()
        one.close()
