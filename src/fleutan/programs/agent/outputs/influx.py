# SPDX-License-Identifier: Apache-2.0
"""Counters to InfluxDB, versions 1 (``/write?db=``) and 2 (``/api/v2/write?org=&bucket=``), or who speaks like it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fleutan.exports.influx import lines
from fleutan.observed import Counters
from fleutan.programs.agent.outputs.posting import Post
from fleutan.programs.agent.outputs.queue import ROOM, SOONEST, Queued


class Influx(Queued):
    """An outlet that posts lines to ``url``; ``with`` opens it.  Raises UsageError for what is no URL of HTTP.

    ``token`` is version 2's; a name and a password may stand in the URL.
    """

    def __init__(
        self, url: str, host: str, token: str | None = None, room: int = ROOM, soonest: float = SOONEST
    ) -> None:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        self._post = Post(url, headers | ({"Authorization": f"Token {token}"} if token else {}))
        self._host = host
        super().__init__(f"InfluxDB at {self._post.title}", self._send, self._post.close, room, soonest)

    def counters(self, found: Iterable[Counters], at_ns: int) -> None:
        """Takes the counters of data sources, read at a time (UTC)."""
        self._queue.put(lines(found, at_ns, self._host))

    def tick(self, now: float) -> None:  # noqa: ARG002  # the conversation has a clock of its own
        """Ends a conversation that takes too long."""
        self._post.tick()

    def _send(self, pieces: Sequence[bytes]) -> None:
        self._post(b"\n".join(pieces))
