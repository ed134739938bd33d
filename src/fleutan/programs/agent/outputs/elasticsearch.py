# SPDX-License-Identifier: Apache-2.0
"""Counters to Elasticsearch, or to who speaks its bulk API."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from fleutan.exports.elasticsearch import INDEX, documents
from fleutan.observed import Counters
from fleutan.programs.agent.outputs.posting import Post
from fleutan.programs.agent.outputs.queue import ROOM, SOONEST, Queued, UnsentError

#: Of an answer only this is asked for: it has an entry for each document.
_WANTED = "filter_path=errors,items.*.status,items.*.error.type"
#: A document that is there already: it was sent before.
_THERE = 409
_AGAIN = frozenset({429, 500, 502, 503, 504})
_LONGEST = 64


class Elasticsearch(Queued):
    """An outlet that posts documents below ``url``; ``with`` opens it.  Raises UsageError for what is no URL of HTTP.

    ``key`` is an API key; a name and a password may stand in the URL.
    """

    def __init__(
        self,
        url: str,
        host: str,
        key: str | None = None,
        index: str = INDEX,
        room: int = ROOM,
        soonest: float = SOONEST,
    ) -> None:
        parts = urlsplit(url)
        bulk = parts._replace(path=f"{parts.path.rstrip('/')}/_bulk", query=_WANTED, fragment="").geturl()
        headers = {"Content-Type": "application/x-ndjson"}
        self._post = Post(bulk, headers | ({"Authorization": f"ApiKey {key}"} if key else {}))
        self._host, self._index = host, index
        title = f"Elasticsearch at {self._post.title.removesuffix('/_bulk')}"
        super().__init__(title, self._send, self._post.close, room, soonest)

    def counters(self, found: Iterable[Counters], at_ns: int) -> None:
        """Takes the counters of data sources, read at a time (UTC)."""
        self._queue.put(documents(found, at_ns, self._host, self._index))

    def tick(self, now: float) -> None:  # noqa: ARG002  # the conversation has a clock of its own
        """Ends a conversation that takes too long."""
        self._post.tick()

    def _send(self, pieces: Sequence[bytes]) -> None:
        said = self._post(b"".join(pieces))
        refused = _refused(said)
        later = [status for status, _ in refused if status in _AGAIN]
        if later:
            raise UnsentError(f"documents: HTTP {later[0]}", again=True)
        if refused:
            kinds = Counter(kind for _, kind in refused)
            said_most = kinds.most_common(1)[0][0]
            raise UnsentError(f"documents refused: {said_most}", again=False, refused=len(refused))


def _refused(said: bytes) -> list[tuple[int, str]]:
    """Status and kind of error of the documents that were not taken.  Raises UnsentError for what is no answer."""
    try:
        answer = json.loads(said)
        if not answer["errors"]:
            return []
        results = [result for item in answer["items"] for result in item.values()]
        return [(one["status"], _kind(one)) for one in results if one["status"] >= 300 and one["status"] != _THERE]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnsentError("it does not answer as Elasticsearch does", again=True) from None


def _kind(result: Any) -> str:
    kind = str(result.get("error", {}).get("type", "unknown"))[:_LONGEST]
    return kind if kind.isprintable() else "unknown"
