# SPDX-License-Identifier: Apache-2.0
"""Metrics for who comes and asks (Prometheus): the latest counters of all data sources, over HTTP.

Connections are bounded in number, time and octets: slow clients hold up nobody but themselves.
"""

from __future__ import annotations

import io
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from time import monotonic, time_ns
from typing import Any, Self

from fleutan.config.agents import Place
from fleutan.errors import FleutanError
from fleutan.exports.metrics import metrics
from fleutan.exports.openmetrics import chosen, text
from fleutan.observed import Counters, Source

#: Connections at a time, seconds that one may take, and octets of a question.
CONNECTIONS, SECONDS, OCTETS = 16, 10.0, 16_384
#: How often it is looked for connections that take too long, in seconds.
_LOOK = 0.25
_WELCOME = b"Metrics are at /metrics.\n"
SECOND = 10**9


class Metrics:
    """An outlet that serves what it was told last at ``place``; ``with`` opens it, or raises FleutanError.

    What was not told again for ``keep`` seconds is there no more.  ``events`` gives counts of the
    agent's own, by what they count.
    """

    def __init__(
        self,
        place: Place,
        keep: float = 100.0,
        events: Callable[[], Mapping[str, int]] = dict,
        seconds: float = SECONDS,
        now_ns: Callable[[], int] = time_ns,
    ) -> None:
        self._place, self._keep_ns, self._events = place, int(keep * SECOND), events
        self._seconds, self._now_ns = seconds, now_ns
        self._latest: dict[Source, tuple[int, Counters]] = {}
        self._told: Mapping[str, int] = {}
        self._texts: dict[str, tuple[int, bytes]] = {}
        self._changes = 0
        self._lock = threading.Lock()
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        try:
            self._server = _Server(self._place, self.text, self._seconds)
        except OSError as error:
            raise FleutanError(f"metrics cannot be served at {self._place}: {error.strerror or error}") from None
        threading.Thread(target=self._server.serve_forever, args=(_LOOK,), name="metrics", daemon=True).start()
        return self

    def __exit__(self, *trouble: object) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.end(float("inf"))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1]) if self._server else self._place.port

    def counters(self, found: Iterable[Counters], at_ns: int) -> None:
        """Takes the counters of data sources, read at a time (UTC)."""
        with self._lock:
            self._latest.update({one.source: (at_ns, one) for one in found})
            self._changes += 1

    def tick(self, now: float) -> None:  # noqa: ARG002  # times of day are the counters'
        """Takes the agent's own counts, and forgets what is old."""
        oldest, told = self._now_ns() - self._keep_ns, dict(self._events())
        with self._lock:
            old = [source for source, (at_ns, _) in self._latest.items() if at_ns < oldest]
            for source in old:
                del self._latest[source]
            self._changes += bool(old) or told != self._told
            self._told = told

    def text(self, content_type: str) -> bytes:
        """What is served, made once for all who ask for it."""
        with self._lock:
            changes, told, latest = self._changes, self._told, [one for _, one in self._latest.values()]
            kept = self._texts.get(content_type)
        if kept and kept[0] == changes:
            return kept[1]
        made = text(metrics(latest), content_type, told)
        with self._lock:
            self._texts[content_type] = changes, made
        return made

    def account(self) -> dict[str, int]:
        """How many were answered, by the status; and those that were turned away."""
        return self._server.account() if self._server else {}


class _Server(ThreadingMixIn, TCPServer):
    """A thread a connection, of which there are not too many, and none for too long."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = CONNECTIONS

    def __init__(self, place: Place, made: Callable[[str], bytes], seconds: float) -> None:
        self.address_family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        self.made, self.seconds = made, seconds
        self._answered: Counter[str] = Counter()
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__((place.host, place.port), _Conversation)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Whether there is room for one more."""
        if len(self._open) >= CONNECTIONS:
            self.count("turned away")
            return False
        self._open[request] = monotonic() + self.seconds
        return True

    def service_actions(self) -> None:
        """Ends what takes too long."""
        self.end(monotonic())

    def end(self, now: float) -> None:
        """Ends connections whose time is over by then; their threads find them closed."""
        for request, until in [*self._open.items()]:
            if until <= now:
                with suppress(OSError):  # it is gone by itself
                    request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection that was answered, turned away, or ended."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Counts clients that went away."""
        self.count("broken")

    def count(self, what: str) -> None:
        """Counts an answer."""
        with self._lock:
            self._answered[what] += 1

    def account(self) -> dict[str, int]:
        """What was counted."""
        with self._lock:
            return dict(self._answered)


class _Conversation(BaseHTTPRequestHandler):
    """A question and its answer."""

    server: _Server
    timeout = SECONDS

    def setup(self) -> None:
        """Has no more read than a question may have."""
        super().setup()
        self._said = _Bounded(self.rfile)
        self.rfile = io.BufferedReader(self._said)

    def do_GET(self) -> None:  # the name is the method's
        """Answers."""
        path = self.path.partition("?")[0]
        if self._said.is_over:
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "text/plain", b"")
        elif path == "/metrics":
            self._metrics()
        elif path == "/":
            self._answer(HTTPStatus.OK, "text/plain", _WELCOME)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", _WELCOME)

    do_HEAD = do_GET  # noqa: N815

    def _metrics(self) -> None:
        form = chosen(self.headers.get("Accept", ""))
        self._answer(HTTPStatus.OK, form, self.server.made(form))

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
        """Counts what was answered."""
        self.server.count(str(int(code)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing: what clients do wrong is their business."""

    def version_string(self) -> str:
        """Who answers."""
        return "fleutan"


class _Bounded(io.RawIOBase):
    """The beginning of what a client says; then it is as if it had said no more."""

    def __init__(self, whole: Any) -> None:
        self._whole, self._left = whole, OCTETS

    @property
    def is_over(self) -> bool:
        """Whether no more is read."""
        return not self._left

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads what there is, as it comes."""
        found = self._whole.read1(min(len(buffer), self._left)) if self._left else b""
        buffer[: len(found)] = found
        self._left -= len(found)
        return len(found)
