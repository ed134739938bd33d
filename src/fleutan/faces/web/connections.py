# SPDX-License-Identifier: Apache-2.0
"""Connections that may be slow, but not for ever: uvicorn's, with bounds on their number and their times.

uvicorn itself waits without end for a first request, for a client that takes nothing, and for the
last octets of a connection that it closes.  What a request says is no business of this file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from fleutan.faces.web.bounds import Bounds

#: So much of an answer waits in a connection's own buffer before no more is written to it.
KEPT = 32 * 1024
#: What is said to a connection that there is no room for.
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 35\r\n"
    b"retry-after: 2\r\nconnection: close\r\n\r\ntoo many are connected; ask again.\n"
)


class Connection(H11Protocol):
    """One connection; it knows since when it waits for its client."""

    #: Set by ``bounded``.
    bounds = Bounds()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the connection where there is room, or can be made by ending one that says nothing."""
        self._since = self.loop.time()
        self._progress = self._since
        self._cycle: Any = None
        self._size = 0
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=KEPT)
        if len(self.connections) > self.bounds.connections and not self._make_room():
            transport.write(FULL)
            transport.close()

    def resume_writing(self) -> None:
        """The client took something."""
        self._progress = self.loop.time()
        super().resume_writing()

    @property
    def is_asking(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def since(self) -> float:
        """Since when nothing is asked; the loop's time."""
        return self._since

    def look(self, now: float) -> None:
        """Ends the connection if its client lets it wait for too long."""
        if self.cycle is not self._cycle or self.is_asking:
            self._cycle, self._since = self.cycle, now
        size = self.transport.get_write_buffer_size()
        if size < self._size or not size:
            self._progress = now
        self._size = size
        is_stalled = now - self._progress > self.bounds.stalled_seconds
        is_silent = not self.is_asking and not size and now - self._since > self.bounds.header_seconds
        if is_stalled or is_silent:
            self.transport.abort()

    def _make_room(self) -> bool:
        waiting = [one for one in _connections(self.connections) if one is not self and not one.is_asking]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda one: one.since)
        oldest.transport.abort()
        self.connections.discard(oldest)
        return True


def _connections(every: Iterable[Any]) -> list[Connection]:
    return [one for one in every if isinstance(one, Connection)]


def bounded(bounds: Bounds) -> type[Connection]:
    """The connections of a server with these bounds."""
    return cast(type[Connection], type("Connection", (Connection,), {"bounds": bounds}))


async def watch(every: Iterable[Any], seconds: float = 1.0) -> None:
    """Looks at all connections again and again."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(seconds)
        for one in _connections(every):
            one.look(loop.time())
