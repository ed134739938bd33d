# SPDX-License-Identifier: Apache-2.0
"""Answers as responses: a spool that is sent as it fills, and errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fleutan.errors import FleutanError
from fleutan.faces.web import failures
from fleutan.faces.web.desk import Work
from fleutan.faces.web.spool import ReaderGone

LOG = logging.getLogger("fleutan.web")
#: A header with what is to be known of an answer: how a question was understood, what the lake lacks.
NOTE = "Fleutan-Note"
#: Of every response: an answer is of its moment, and is what it says that it is; a page loads nothing.
ALWAYS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *",
    "Referrer-Policy": "no-referrer",
}

Failed = Callable[[Exception], Response]


def plain(body: bytes | str, media_type: str = failures.TEXT, status: int = 200) -> Response:
    """A small answer that is whole."""
    return Response(body, status, ALWAYS, media_type)


def text_failure(error: Exception) -> Response:
    """An error as Metroflux said it: a line of text."""
    headers = {**ALWAYS, **failures.headers_of(error)}
    return Response(failures.text(error), failures.status_of(error), headers, failures.TEXT)


def problem(error: Exception) -> Response:
    """An error as problem details."""
    headers = {**ALWAYS, **failures.headers_of(error)}
    return Response(failures.problem(error), failures.status_of(error), headers, failures.PROBLEM)


class Streaming(Response):
    """Sends what a Work writes.  An error before the first octet has a status, later ones break the answer off."""

    def __init__(self, work: Work, failed: Failed) -> None:
        super().__init__()
        self._work, self._failed = work, failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends, and ends the work when the client goes."""
        tasks = {asyncio.ensure_future(self._send(scope, receive, send)), asyncio.ensure_future(_gone(receive))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            self._work.stop()

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        spool = self._work.spool
        try:
            await spool.begun()
        except Exception as error:  # each has its status
            await self._failed(error)(scope, receive, send)
            return
        said = self._work.notes
        await send({"type": "http.response.start", "status": 200, "headers": _headers(self._work)})
        try:
            async for octets in spool.pieces():
                await send({"type": "http.response.body", "body": octets, "more_body": True})
            for note in self._work.notes[len(said) :]:
                LOG.warning("%s: %s", scope["path"], note)  # too late for a header
        except ReaderGone:
            return
        except FleutanError as error:
            LOG.warning("%s broke off: %s", scope["path"], error)
            return  # without an end, so that the client sees that the answer is not whole
        await send({"type": "http.response.body", "body": b""})


def _headers(work: Work) -> list[tuple[bytes, bytes]]:
    found = {**ALWAYS, "Content-Type": work.media_type, **noted(work.notes)}
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in found.items()]


def noted(notes: tuple[str, ...]) -> dict[str, str]:
    """The header that says the notes, if there are any."""
    line = "; ".join(notes).encode("ascii", "replace").decode()
    return {NOTE: "".join(sign if sign.isprintable() else "?" for sign in line)} if notes else {}


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
