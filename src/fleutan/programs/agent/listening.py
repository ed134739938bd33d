# SPDX-License-Identifier: Apache-2.0
"""Where applications' messages come in: a UDP port of loopback, and a named pipe.  Nothing here waits.

What messages say is known in ``protocols.applications``.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from fleutan.errors import FleutanError
from fleutan.protocols.applications import LONGEST
from fleutan.protocols.jsonstream import Objects

#: Octets that may wait in the kernel, as Host sFlow has it; messages that are taken at a time.
WAITING, MESSAGES = 2_000_000, 1_000
_SO_RXQ_OVFL = 40  # include/uapi/asm-generic/socket.h
_FORCED = 33  # SO_RCVBUFFORCE
_PIECE = 1 << 16
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
#: What binding says where this host lacks a version of IP, or loopback's address of it.
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_WORD = struct.Struct("=I")
_ROOM = socket.CMSG_SPACE(_WORD.size)


class Listening:
    """The port and the pipe, as far as they are given; ``with`` opens them.

    Raises FleutanError where the port is taken.  The pipe is somebody else's: it is opened as soon
    as it is there.
    """

    def __init__(self, port: int | None, fifo: Path | None = None) -> None:
        self._wanted, self._fifo = port, fifo
        self._sockets: list[socket.socket] = []
        self._lost: dict[socket.socket, int] = {}
        self._pipe: int | None = None
        self._stream = Objects(LONGEST)
        self._held = ExitStack()
        self._trouble = ""

    def __enter__(self) -> Self:
        if self._wanted is not None:
            self._listen(self._wanted)
        self._held.callback(self._close)
        return self

    def __exit__(self, *trouble: object) -> None:
        self._held.close()

    @property
    def port(self) -> int | None:
        """The port."""
        return self._sockets[0].getsockname()[1] if self._sockets else None

    @property
    def lost(self) -> int:
        """Messages that found no room in the kernel."""
        return sum(self._lost.values())

    @property
    def passed_over(self) -> int:
        """Octets of the pipe that belong to no message."""
        return self._stream.passed_over

    def notes(self) -> list[str]:
        """What is wrong with the pipe."""
        return [self._trouble] if self._trouble else []

    def messages(self) -> Iterator[bytes]:
        """What came, as much as is taken at a time."""
        left = MESSAGES
        for one in self._sockets:
            while left and (message := self._received(one)) is not None:
                left -= 1
                yield message
        if self._fifo is not None:
            yield from self._stream.add(self._read(self._fifo))

    def _listen(self, port: int) -> None:
        """At both addresses of loopback, or at the one that this host has."""
        missing = None
        for family, address in _LOOPBACK:
            try:
                self._bind(family, address, self.port or port)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    self._held.close()
                    raise _refused(port, address, error) from None
                missing = missing or _refused(port, address, error)
        if missing and not self._sockets:
            raise missing

    def _bind(self, family: int, address: str, port: int) -> None:
        with ExitStack() as held:
            made = held.enter_context(socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
            made.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WAITING)
            _force(made)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((address, port))
            self._held.enter_context(held.pop_all())
        self._sockets.append(made)

    def _received(self, one: socket.socket) -> bytes | None:
        """The next datagram, one octet more than may be; None if there is none."""
        try:
            message, more, *_ = one.recvmsg(LONGEST + 1, _ROOM)
        except OSError:
            return None
        for level, kind, octets in more:
            if (level, kind) == (socket.SOL_SOCKET, _SO_RXQ_OVFL):
                self._lost[one] = _WORD.unpack(octets[: _WORD.size])[0]
        return message

    def _read(self, path: Path) -> bytes:
        """What is in the pipe; nothing where there is none, or nobody writes."""
        if self._pipe is None and not self._opened(path):
            return b""
        assert self._pipe is not None  # noqa: S101  # it was opened
        try:
            return os.read(self._pipe, _PIECE)
        except OSError:
            return b""

    def _opened(self, path: Path) -> bool:
        try:
            pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self._trouble = f"{path} cannot be read: {(error.strerror or '').lower()}"
            return False
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            os.close(pipe)
            self._trouble = f"{path} is no named pipe"
            return False
        self._pipe, self._trouble = pipe, ""
        return True

    def _close(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
        self._pipe, self._sockets = None, []


def _refused(port: int, address: str, error: OSError) -> FleutanError:
    said = (error.strerror or "").lower()
    return FleutanError(f"applications' JSON cannot be taken at UDP port {port} of {address}: {said}")


def _force(made: socket.socket) -> None:
    """Room beyond net.core.rmem_max, where that is allowed."""
    with suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, _FORCED, WAITING)
