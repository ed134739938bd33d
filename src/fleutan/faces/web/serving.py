# SPDX-License-Identifier: Apache-2.0
"""The process that serves: sockets, TLS, signals, uvicorn.  What is answered is known in ``application``."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import uvicorn

from fleutan.errors import FleutanError, UsageError
from fleutan.faces.web.application import application
from fleutan.faces.web.bounds import Bounds, Service
from fleutan.faces.web.connections import bounded, watch
from fleutan.faces.web.desk import Desk
from fleutan.faces.web.programs import Program, running
from fleutan.faces.web.tokens import Tokens
from fleutan.sources.service import Service as Manager

LOG = logging.getLogger("fleutan.web")
#: Metroflux's port.
PORT = 44444
LOOPBACK = ("127.0.0.1", "::1")
#: Connections that may wait to be taken, files that are open besides connections, and how long ending may take.
BACKLOG, FILES, GRACE = 1024, 256, 5
#: h11's bound on a request's line and headers: a line, and as much again for headers.
HEADERS = 16 * 1024


@dataclass(frozen=True)
class Listen:
    """Where and how is listened; ``open_`` allows everybody beyond loopback."""

    hosts: tuple[str, ...] = ()
    port: int = PORT
    tokens: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    open_: bool = False


Say = Callable[[str], object]


def serve(service: Service, listen: Listen, programs: Sequence[Program], say: Say) -> None:
    """Serves until a signal ends it.  Raises UsageError for what cannot be listened at so, FleutanError later on."""
    tokens = Tokens(listen.tokens) if listen.tokens else None
    context = tls(listen)
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in listening(listen)]
        for one in sockets:
            say(f"listening on {address(one, context is not None)}")
        service = replace(service, bounds=with_files(service.bounds))
        desk = Desk(service)
        stack.callback(desk.close)
        server = Server(desk, tokens, context, listen)
        found = stack.enter_context(running(programs, server.end))
        server.reload = found.reload
        server.run(sockets)
    found.check()


class Server(uvicorn.Server):
    """uvicorn with bounded connections; SIGHUP reads tokens and certificates again, and calls ``reload``."""

    def __init__(self, desk: Desk, tokens: Tokens | None, context: ssl.SSLContext | None, listen: Listen) -> None:
        bounds = desk.service.bounds
        any_host = listen.open_ or tokens is not None
        config = uvicorn.Config(
            application(desk, tokens, any_host),
            loop="asyncio",
            http=bounded(bounds),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=bounds.keep_alive_seconds,
            timeout_graceful_shutdown=GRACE,
            h11_max_incomplete_event_size=bounds.line + HEADERS,
            callback_notify=self._alive,
            timeout_notify=1,
        )
        config.load()
        config.ssl = context
        super().__init__(config)
        self._desk, self._tokens, self._context, self._listen = desk, tokens, context, listen
        self._manager = Manager()
        self.reload: Callable[[], object] = lambda: None

    async def _alive(self) -> None:
        self._manager.alive()

    def end(self) -> None:
        """Ends the server; may be called by any thread."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the server, and nothing else of the process: what runs beside ends after it.

        A second one acts as it did before.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        with ExitStack() as held:
            for number in (signal.SIGINT, signal.SIGTERM):
                held.callback(signal.signal, number, signal.signal(number, self._stop))
            yield

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.end()
        signal.signal(number, signal.SIG_DFL)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens; begins to look after connections."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        self._watching = loop.create_task(watch(self.server_state.connections))
        if threading.current_thread() is threading.main_thread():
            loop.add_signal_handler(signal.SIGHUP, self.again)
        self._manager.ready(f"serving {self._desk.service.root}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends what goes on, then the connections."""
        self._manager.stopping("ending what is answered")
        self._watching.cancel()
        self._desk.close()
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def again(self) -> None:
        """Reads tokens and certificates again; where that fails the old ones stay, and it is said."""
        try:
            if self._tokens is not None:
                self._tokens.again()
            if self._context is not None:
                load(self._context, self._listen)
        except FleutanError as error:
            LOG.error("%s; the old ones stay", error)  # noqa: TRY400  # the line says all
        self.reload()


# -- where is listened


def listening(listen: Listen) -> list[socket.socket]:
    """The sockets, bound.  Raises UsageError for addresses beyond loopback that nobody allowed, and unknown ones."""
    found = [place for host in listen.hosts or LOOPBACK for place in _places(host, listen.port, bool(listen.hosts))]
    beyond = [place[1][0] for place in found if not is_loopback(place[1][0])]
    if beyond and listen.tokens is None and not listen.open_:
        raise UsageError(f"{beyond[0]} is beyond loopback: say who may ask (--tokens FILE), or --open for everybody")
    sockets: list[socket.socket] = []
    for family, place in dict.fromkeys(found):
        # where any port will do, it is the same of all addresses
        port = sockets[0].getsockname()[1] if sockets and not listen.port else place[1]
        if one := _bound(family, (place[0], port, *place[2:]), bool(listen.hosts)):
            sockets.append(one)
    return sockets


_Place = tuple[int, tuple[str, int] | tuple[str, int, int, int]]


def _places(host: str, port: int, named: bool) -> list[_Place]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        if not named:
            return []
        raise UsageError(f"{host!r} is no address to listen at") from None
    return [(family, place) for family, _, _, _, place in found]  # type: ignore[misc]


def _bound(family: int, place: tuple[str | int, ...], named: bool) -> socket.socket | None:
    """The socket; None for a loopback address that this host does not have and nobody named."""
    try:
        return socket.create_server(place, family=family, backlog=BACKLOG)
    except OSError as error:
        if not named and family == socket.AF_INET6:
            return None
        why = (error.strerror or str(error)).lower()
        raise FleutanError(f"cannot listen at {place[0]}, port {place[1]}: {why}") from None


def is_loopback(text: str) -> bool:
    """Whether only this host reaches an address."""
    found = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def address(one: socket.socket, is_tls: bool) -> str:
    """Where a socket listens, as a URL."""
    host, port, *_ = one.getsockname()
    return f"http{'s' if is_tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"


# -- TLS


def tls(listen: Listen) -> ssl.SSLContext | None:
    """The context of the certificate; None without one.  Raises UsageError for what is none."""
    if listen.certificate is None:
        if listen.key is not None:
            raise UsageError("a key without a certificate: say --tls-cert too")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, listen)
    return context


def load(context: ssl.SSLContext, listen: Listen) -> None:
    """Reads the certificate and its key into the context.  Raises UsageError."""
    assert listen.certificate is not None  # noqa: S101  # who has a context has one
    try:
        context.load_cert_chain(listen.certificate, listen.key, password=lambda: "")
    except ssl.SSLError as error:
        raise UsageError(f"{listen.certificate} is no certificate with its key: {error.reason or error}") from None
    except OSError as error:
        raise UsageError(f"cannot read {listen.certificate} or its key: {error.strerror}") from None


# -- files


def with_files(bounds: Bounds) -> Bounds:
    """The bounds with as many connections as this process may have open files for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * bounds.connections + FILES  # a connection, and the file of its answer
    if soft < wanted:
        with suppress(ValueError, OSError):
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return replace(bounds, connections=max(1, min(bounds.connections, (soft - FILES) // 2)))
