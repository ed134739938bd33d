# SPDX-License-Identifier: Apache-2.0
"""What lies between the thread that writes an answer and the client that takes it.

The thread goes on as long as there is room: a slow client does not hold a database.  The first octets
are in memory, more in a file that has no name; the octets of all spools are bounded together.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import IO

from fleutan.errors import FleutanError
from fleutan.faces.web.bounds import Bounds

#: So much is written at once, and so much read and sent: what many slow clients keep in memory.
PIECE, SENT = 64 * 1024, 16 * 1024


class ReaderGone(FleutanError):
    """Nobody takes the answer any more."""


class ReaderSlow(FleutanError):
    """The client does not take the answer while a database waits for it."""


class Room:
    """Octets that all spools may take together; may be used by many threads."""

    def __init__(self, octets: int) -> None:
        self._free = octets
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """What is left."""
        return self._free

    def take(self, octets: int) -> bool:
        """Takes so much, if it is there."""
        with self._lock:
            if octets > self._free:
                return False
            self._free -= octets
            return True

    def give(self, octets: int) -> None:
        """Gives so much back."""
        with self._lock:
            self._free += octets


class Spool:
    """One answer: a thread calls ``write``, ``begin`` and ``end``, the event loop ``begun`` and ``pieces``.

    The octets are a ring in a file: what was read is written over.
    """

    def __init__(
        self, room: Room, bounds: Bounds, loop: asyncio.AbstractEventLoop, file: IO[bytes] | None = None
    ) -> None:
        self._room, self._bounds, self._loop = room, bounds, loop
        self._file: IO[bytes] = file or SpooledTemporaryFile(max_size=bounds.held)  # noqa: SIM115  # 'close' closes it
        self._changed = threading.Condition()
        self._something = asyncio.Event()
        self._begun = asyncio.Event()
        self._written = self._read = self._extent = self._total = 0
        self._error: Exception | None = None
        self._ended = self._closed = self._sent = False

    # -- the thread's side

    def write(self, octets: bytes) -> None:
        """Takes octets; waits where there is no room.

        Raises ReaderGone where nobody reads any more, ReaderSlow where nothing was read for the bounds' patience.
        """
        for at in range(0, len(octets), PIECE):
            self._put(octets[at : at + PIECE])
            if self._total >= self._bounds.early:
                self.begin()

    def begin(self) -> None:
        """Lets the client have what was written: from now on an error cannot be a status any more."""
        self._tell(self._begun)

    def end(self, error: Exception | None = None) -> None:
        """The answer is whole, or broke off."""
        with self._changed:
            self._ended, self._error = True, error
        self._tell(self._something, self._begun)

    def _put(self, octets: bytes) -> None:
        with self._changed:
            while not self._closed and not self._fits(len(octets)):
                self.begin()  # who waits for the client must not keep back what is there
                if not self._changed.wait(self._bounds.patience):
                    raise ReaderSlow("the client took nothing of the answer for too long")
            if self._closed:
                raise ReaderGone("the client has gone")
            try:
                self._store(octets)
            except OSError as error:
                raise FleutanError(f"the answer cannot be kept until it is sent: {error.strerror}") from None
        self._tell(self._something)

    def _store(self, octets: bytes) -> None:
        at = self._written % self._bounds.spool
        first = octets[: self._bounds.spool - at]
        self._file.seek(at)
        self._file.write(first)
        if rest := octets[len(first) :]:
            self._file.seek(0)
            self._file.write(rest)
        self._written += len(octets)
        self._total += len(octets)

    def _fits(self, octets: int) -> bool:
        """Whether so much can be written; takes the room that the file grows by."""
        if self._written - self._read + octets > self._bounds.spool:
            return False
        extent = min(self._written + octets, self._bounds.spool)
        if extent <= self._extent:
            return True
        if not self._room.take(extent - self._extent):
            return False
        self._extent = extent
        return True

    def _tell(self, *events: asyncio.Event) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens
            for event in events:
                self._loop.call_soon_threadsafe(event.set)

    # -- the event loop's side

    async def begun(self) -> None:
        """Waits until there is something to send.  Raises the error of an answer that broke off before."""
        await self._begun.wait()
        if self._ended and self._error is not None and not self._sent:
            raise self._error

    async def pieces(self) -> AsyncIterator[bytes]:
        """The octets as they come.  Raises the error of an answer that broke off."""
        while True:
            self._something.clear()
            if octets := self._get():
                yield octets
            elif self._ended:
                break
            else:
                await self._something.wait()
        if self._error is not None:
            raise self._error

    def _get(self) -> bytes:
        with self._changed:
            at = self._read % self._bounds.spool
            many = min(self._written - self._read, SENT, self._bounds.spool - at)
            if not many:
                return b""
            self._file.seek(at)
            octets = self._file.read(many)
            self._read += many
            self._sent = True
            if self._read == self._written:
                self._empty()
            self._changed.notify()
            return octets

    def _empty(self) -> None:
        """All was read: the file begins anew."""
        self._room.give(self._extent)
        self._written = self._read = self._extent = 0
        self._file.seek(0)
        self._file.truncate()

    def close(self) -> None:
        """Nobody reads any more: the thread is told when it writes."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._room.give(self._extent)
            self._extent = 0
            self._file.close()
            self._changed.notify()
