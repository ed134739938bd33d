# SPDX-License-Identifier: Apache-2.0
"""Pieces that are posted over HTTP or HTTPS; who answers wrongly, slowly or not at all is named and waited for.

Certificates are verified as the standard library does.  Nothing is followed that a server points to.
"""

from __future__ import annotations

import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import unquote, urlsplit

from fleutan import __version__
from fleutan.errors import FleutanError, UsageError
from fleutan.programs.agent.outputs.queue import UnsentError

#: Seconds that a step of a conversation may take, and all of it; octets of an answer that are read.
STEP, WHOLE, ANSWER = 10.0, 30.0, 4 << 20
#: What may be otherwise the next time, besides 5xx: who is asked may be told better.
_AGAIN = frozenset({401, 403, 404, 407, 408, 425, 429})
_SHOWN = 160
_TOKEN = 4096


def token(path: Path) -> str:
    """The token that stands in a file, its first line.  Raises FleutanError."""
    try:
        with path.open("rb") as file:
            line = file.read(_TOKEN).split(b"\n")[0].strip()
    except OSError as error:
        raise FleutanError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if not re.fullmatch(rb"[\x21-\x7e][\x20-\x7e]*", line):
        raise FleutanError(f"{path}: its first line is no token")
    return line.decode()


class Post:
    """Posts to one URL, over one connection as long as it lasts; for one thread, but ``tick``.

    Raises UsageError for what is no URL of HTTP.
    """

    def __init__(self, url: str, headers: Mapping[str, str], step: float = STEP, whole: float = WHOLE) -> None:
        parts = urlsplit(url)
        try:
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            raise UsageError(f"{url!r} has no port that is one") from None
        if parts.scheme not in ("http", "https") or not self._host:
            raise UsageError(f"{url!r} is no URL of HTTP")
        self.title = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._is_safe, self._step, self._whole = parts.scheme == "https", step, whole
        self._headers = {"User-Agent": f"fleutan/{__version__}", **_basic(parts.username, parts.password), **headers}
        self._connection: HTTPConnection | None = None
        self._until = float("inf")

    def __call__(self, body: bytes) -> bytes:
        """The answer, or as much as is read of one.  Raises UnsentError."""
        self._until = monotonic() + self._whole
        try:
            return self._posted(body)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise UnsentError(_why(error), again=True) from None
        finally:
            self._until = float("inf")

    def tick(self) -> None:
        """Ends a conversation that takes too long, from any thread."""
        connection = self._connection
        if connection is not None and monotonic() > self._until:
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _posted(self, body: bytes) -> bytes:
        answer = self._answer(body)
        said = answer.read(ANSWER)
        if answer.read(1):
            self.close()  # the rest would stand before the next answer
        if monotonic() > self._until:  # it was ended: what was read may be half of it
            raise TimeoutError
        if 200 <= answer.status < 300:
            return said
        again = answer.status < 400 or answer.status >= 500 or answer.status in _AGAIN
        raise UnsentError(
            f"HTTP {answer.status} {_phrase(answer.status)}".strip(),
            again=again,
            detail=_shown(said),
            wait=_seconds(answer.headers.get("Retry-After")),
        )

    def _answer(self, body: bytes) -> HTTPResponse:
        """What is answered; over a connection that was closed meanwhile it is asked once more."""
        if self._connection is not None:
            with suppress(ConnectionError):  # which RemoteDisconnected is, too
                return self._asked(self._connection, body)
            self.close()
        self._connection = self._made()
        return self._asked(self._connection, body)

    def _asked(self, connection: HTTPConnection, body: bytes) -> HTTPResponse:
        connection.request("POST", self._path, body, self._headers)
        return connection.getresponse()

    def _made(self) -> HTTPConnection:
        if self._is_safe:
            context = ssl.create_default_context()
            return HTTPSConnection(self._host, self._port, timeout=self._step, context=context)
        return HTTPConnection(self._host, self._port, timeout=self._step)


def _basic(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def _why(error: Any) -> str:
    """What went wrong, in words of which there are few."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__).lower()
    return f"it answers with no HTTP ({type(error).__name__})"


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in {one.value for one in HTTPStatus} else ""


def _shown(said: bytes) -> str:
    """The beginning of what a server says, on one line."""
    text = " ".join(said[: 4 * _SHOWN].decode("utf-8", "replace").split())[:_SHOWN]
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _seconds(said: str | None) -> float:
    """What a server asks to wait, if it says so in seconds (RFC 9110, 10.2.3)."""
    return float(said) if said and re.fullmatch("[0-9]{1,6}", said.strip()) else 0.0
