# SPDX-License-Identifier: Apache-2.0
"""A process that does what it is told: a line of JSON for each piece of Python, and one for each answer.

What a piece needs to make sockets and traffic stands here; what it is told, in the tests.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from threading import Event, Thread
from typing import Any

PR_SET_PDEATHSIG = 1
SO_MAX_PACING_RATE = 47
SO_COOKIE = 57
MPTCP = 262
STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
ENDED = Event()


def family_of(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def listen(host: str, port: int, protocol: int = 0, v6only: bool = True, rcvbuf: int = 0) -> socket.socket:
    made = socket.socket(family_of(host), STREAM, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    if rcvbuf:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    made.bind((host, port))
    made.listen(16)
    return made


def connect(host: str, port: int, protocol: int = 0, congestion: str = "", sndbuf: int = 0) -> socket.socket:
    made = socket.socket(family_of(host), STREAM, protocol)
    if sndbuf:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
    if congestion:
        with suppress(FileNotFoundError):  # a kernel without it: the default will do
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
    made.connect((host, port))
    return made


def cookie(of: socket.socket) -> int:
    return int.from_bytes(of.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)


def beside(work: Any, *arguments: Any) -> None:
    """Does the work in a thread until its socket breaks or the process ends."""

    def run() -> None:
        with suppress(OSError):
            work(*arguments)

    Thread(target=run, daemon=True).start()


def flood(into: socket.socket) -> None:
    piece = bytes(1 << 16)
    while True:
        into.sendall(piece)


def drip(into: socket.socket, size: int, seconds: float) -> None:
    while not ENDED.wait(seconds):
        into.sendall(bytes(size))


def drain(listener: socket.socket) -> None:
    """Accepts and reads whatever comes, each connection in a thread of its own."""
    while True:
        beside(read, listener.accept()[0])


def read(one: socket.socket) -> None:
    while one.recv(1 << 20):
        pass


def fork() -> int:
    """A child that holds what this process holds, and ends with it."""
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        while True:
            signal.pause()
    return child


def main() -> None:
    names: dict[str, Any] = {name: value for name, value in globals().items() if not name.startswith("__")}
    for line in sys.stdin:
        kind, code = json.loads(line)
        answer: list[Any] = ["done", None]
        try:
            if kind == "do":
                exec(code, names)  # noqa: S102
            else:
                answer[1] = eval(code, names)  # noqa: S307
        except Exception:
            answer = ["failed", traceback.format_exc()]
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
