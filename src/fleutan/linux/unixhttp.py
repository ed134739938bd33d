# SPDX-License-Identifier: Apache-2.0
"""One question by HTTP/1.0 over a Unix socket (RFC 1945, RFC 9112), bounded in time and size.

HTTP/1.0 asks for an answer that ends with the connection; one in chunks is understood too.
"""

from __future__ import annotations

import re
import socket
import time
from typing import NamedTuple

from fleutan.errors import FleutanError

#: Seconds that the other end may be silent, and that the whole answer may take.
SILENCE_S, WHOLE_S = 0.5, 5.0
#: Octets of an answer: ten thousand containers are told in some fifteen megabytes.
MOST = 64 << 20
_CHUNK = 1 << 16


class Answer(NamedTuple):
    """The status code, and the octets of the body."""

    status: int
    body: bytes


def get(path: str, target: str, silence: float = SILENCE_S, whole: float = WHOLE_S, most: int = MOST) -> bytes:
    """The body of what the server at the socket ``path`` answers.  Raises FleutanError where it is no answer of 200."""
    try:
        answer = response(_asked(path, target, silence, whole, most))
    except (OSError, ValueError) as error:
        raise FleutanError(f"{path}: {_reason(error)}") from None
    if answer.status != 200:
        raise FleutanError(f"{path}: {target} is answered with {answer.status}")
    return answer.body


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    return (getattr(error, "strerror", None) or str(error)).lower()


def _asked(path: str, target: str, silence: float, whole: float, most: int) -> bytes:
    until = time.monotonic() + whole
    parts: list[bytes] = []
    size = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as server:
        server.settimeout(silence)
        server.connect(path)
        server.sendall(f"GET {target} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n".encode())
        while part := server.recv(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > most:
                raise ValueError(f"its answer is longer than {most} bytes")
            if time.monotonic() >= until:
                raise TimeoutError
    return b"".join(parts)


def response(octets: bytes) -> Answer:
    """The whole answer of a server.  Raises ValueError for what is none, or is cut short."""
    head, ended, body = octets.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[0-9] ([0-9]{3})(?![0-9])", head)
    if not ended or not status:
        raise ValueError("its answer is not HTTP")
    fields = _fields(head)
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        body = _unchunked(body)
    elif length := fields.get(b"content-length"):
        if not length.isdigit() or len(length) > 12 or len(body) < int(length):
            raise ValueError("its answer is cut short")
        body = body[: int(length)]
    return Answer(int(status[1]), body)


def _fields(head: bytes) -> dict[bytes, bytes]:
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _unchunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        line = re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n").match(body, at)
        if not line:
            raise ValueError("its answer is cut short")
        size, at = int(line[1], 16), line.end()
        if size == 0:
            return b"".join(parts)
        if len(body) < at + size + 2:
            raise ValueError("its answer is cut short")
        parts.append(body[at : at + size])
        at += size + 2
