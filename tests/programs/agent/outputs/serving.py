# SPDX-License-Identifier: Apache-2.0
"""Small servers of HTTP on loopback that answer as they are told, rightly or wrongly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

DEADLINE = 20.0


class Asked(NamedTuple):
    """What was asked."""

    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What is answered; ``octets`` instead of HTTP, then the connection is closed."""

    status: int = 204
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    octets: bytes | None = None


class Server(ThreadingHTTPServer):
    """Answers one by one as ``answers`` say, the last one again and again; ``asked`` is what came."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answers: Sequence[Answer] | Callable[[Asked], Answer], port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.answers = answers
        super().__init__(("127.0.0.1", port), _Conversation)

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if callable(self.answers):
            return self.answers(asked)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients of these tests may go away."""


class _Conversation(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.answer(Asked(self.path, dict(self.headers), body))
        if answer.octets is not None:
            self.wfile.write(answer.octets)
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def serving(*answers: Answer, port: int = 0, by: Callable[[Asked], Answer] | None = None) -> Iterator[Server]:
    with Server(by or answers or (Answer(),), port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(DEADLINE)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)  # a condition is waited for, not a time
