# SPDX-License-Identifier: Apache-2.0
"""A server on loopback that speaks ClickHouse's HTTP, with chDB or with given octets behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    """A request as the server understands it."""

    sql: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]
    user: str | None
    password: str | None


class Said(NamedTuple):
    """What it answers: in chunks, the last of them cut off if the answer is not ``whole``."""

    octets: bytes
    status: int = 200
    whole: bool = True


def chdb(asked: Asked) -> Said:
    """The answer of the real engine; its errors have the status that a server gives them."""
    import chdb

    settings = dict(asked.settings)
    form = settings.pop("default_format")
    try:
        return Said(chdb.query(asked.sql, form, params=dict(asked.parameters), options=settings).bytes())
    except RuntimeError as error:
        return Said(str(error).encode(), 500)


@contextmanager
def serving(answer: Callable[[Asked], Said]) -> Iterator[tuple[int, list[Asked]]]:
    """The port of a server that answers so, and what it was asked; it ends with the ``with``."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            words = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
            parameters = {name[6:]: words.pop(name) for name in list(words) if name.startswith("param_")}
            sql = self.rfile.read(int(self.headers["Content-Length"])).decode()
            user, password = (self.headers.get(f"X-ClickHouse-{name}") for name in ("User", "Key"))
            asked.append(Asked(sql, words, parameters, user, password))
            self._say(answer(asked[-1]))

        def _say(self, said: Said) -> None:
            self.send_response(said.status)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(said.octets), 1000):
                piece = said.octets[at : at + 1000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.close_connection = not said.whole
            if said.whole:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *words: object) -> None:
            pass

    class Server(HTTPServer):
        def handle_error(self, *words: object) -> None:
            """Who asks may go."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()
