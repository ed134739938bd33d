# SPDX-License-Identifier: Apache-2.0
"""What waits for a peer: bounded, in a thread of its own, so that who puts something in never waits.

How it is sent is told by a function, which may take its time and raises ``UnsentError`` where it failed.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import monotonic
from typing import NamedTuple, Self

LOG = logging.getLogger("fleutan.agent")
#: Octets that may wait, octets and pieces that are sent at once.
ROOM, BATCH, PIECES = 8 << 20, 512 << 10, 5_000
#: Seconds until it is tried again: the first time, and at the most.
SOONEST, LATEST = 1.0, 60.0
#: Seconds that closing takes at the most, for what waits.
CLOSING = 3.0
#: Kinds of failures that have a count of their own.
_KINDS = 64


class UnsentError(Exception):
    """Pieces that were not taken: ``again`` says whether it makes sense to send them once more, ``wait`` when (s).

    ``reason`` is one of few, ``detail`` is what the peer says.  ``refused`` counts pieces of a batch
    that were refused while others were taken; None is all.
    """

    def __init__(
        self, reason: str, *, again: bool, detail: str = "", wait: float = 0.0, refused: int | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.again, self.wait, self.refused = reason, again, wait, refused


class Account(NamedTuple):
    """What became of pieces (lines, documents): sent, lost by reason, waiting; and what is wrong now, or nothing."""

    title: str
    sent: int
    lost: dict[str, int]
    waiting: int
    failures: dict[str, int]
    trouble: str = ""


Send = Callable[[Sequence[bytes]], None]
OVERFLOWN, UNFINISHED = "too many waited", "it ended before"


class Queue:
    """Sends pieces in batches, in order; ``with`` starts the thread, and tries to empty the queue at the end."""

    def __init__(self, title: str, send: Send, room: int = ROOM, soonest: float = SOONEST) -> None:
        self.title = title
        self._send, self._room, self._soonest = send, room, soonest
        self._pieces: deque[bytes] = deque()
        self._octets = self._under_way = 0
        self._changed = threading.Condition()
        self._ends_at: float | None = None
        self._sent = 0
        self._lost: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name=title, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        self.close()

    def close(self, seconds: float = CLOSING) -> None:
        """Ends, after so many seconds at the latest; what was not sent then is lost."""
        with self._changed:
            self._ends_at = monotonic() + seconds
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        with self._changed:
            self._lose(UNFINISHED, 0)

    def put(self, pieces: Sequence[bytes]) -> None:
        """Takes pieces; the oldest that wait are lost where there is no room for all."""
        with self._changed:
            self._pieces.extend(pieces)
            self._octets += sum(map(len, pieces))
            self._lose(OVERFLOWN, self._room)
            self._changed.notify_all()

    def account(self) -> Account:
        """What became of all that was put in so far."""
        with self._changed:
            waiting = len(self._pieces) + self._under_way
            return Account(self.title, self._sent, dict(self._lost), waiting, dict(self._failures), self._trouble)

    def _lose(self, reason: str, room: int) -> None:
        while self._octets > room:
            self._octets -= len(self._pieces.popleft())
            self._lost[reason] += 1

    def _run(self) -> None:
        wait = self._soonest
        while batch := self._batch():
            failed = self._tried(batch)
            if failed is None:
                wait = self._soonest
            elif not self._pause(max(min(failed.wait, LATEST), wait)):
                break
            else:
                wait = min(wait * 2, LATEST)
        with self._changed:
            self._lose(UNFINISHED, 0)

    def _batch(self) -> list[bytes]:
        """The next pieces to send; none is the end."""
        with self._changed:
            while not self._pieces and self._ends_at is None:
                self._changed.wait()
            batch: list[bytes] = []
            octets = 0
            while self._pieces and len(batch) < PIECES and (not batch or octets + len(self._pieces[0]) <= BATCH):
                batch.append(self._pieces.popleft())
                octets += len(batch[-1])
            self._octets -= octets
            self._under_way = len(batch)
            return batch

    def _tried(self, batch: list[bytes]) -> UnsentError | None:
        """Sends it; what is to be sent again stands before all others then, as far as there is room."""
        try:
            self._send(batch)
        except UnsentError as failed:
            return self._failed(batch, failed)
        except Exception as error:  # whatever a peer makes of it, the thread goes on
            return self._failed(batch, UnsentError(type(error).__name__, again=False, detail=str(error)[:200]))
        with self._changed:
            self._sent += len(batch)
            self._under_way, self._trouble = 0, ""
        return None

    def _failed(self, batch: list[bytes], failed: UnsentError) -> UnsentError | None:
        """What to wait for; None where the next batch may go at once."""
        reason = failed.reason
        with self._changed:
            kind = reason if reason in self._failures or len(self._failures) < _KINDS else "others"
            self._failures[kind] += 1
            first, self._trouble, self._under_way = self._failures[kind] == 1, str(failed), 0
            if failed.again:
                self._pieces.extendleft(reversed(batch))
                self._octets += sum(map(len, batch))
                self._lose(OVERFLOWN, self._room)
            else:
                refused = len(batch) if failed.refused is None else failed.refused
                self._sent += len(batch) - refused
                self._lost[kind] += refused
        if first:
            LOG.warning("%s: %s", self.title, failed)
        return failed if failed.again else None

    def _pause(self, seconds: float) -> bool:
        """Waits so long; whether to go on.  If the end is asked for meanwhile, there is one more try at once."""
        until = monotonic() + seconds
        with self._changed:
            before = self._ends_at
            if before is not None and until >= before:
                return False
            while self._ends_at == before and (left := until - monotonic()) > 0:
                self._changed.wait(left)
            return True


class Queued:
    """An outlet whose pieces wait in a queue until ``send`` has passed them on; ``with`` opens it.

    ``close`` ends the conversation with the peer, after the last piece.
    """

    def __init__(
        self, title: str, send: Send, close: Callable[[], None], room: int = ROOM, soonest: float = SOONEST
    ) -> None:
        self._queue, self._end = Queue(title, send, room, soonest), close
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.callback(self._end)
        self._held.enter_context(self._queue)
        return self

    def __exit__(self, *trouble: object) -> None:
        self._held.close()

    def tick(self, now: float) -> None:
        """Is told the time about once a second; the queue has a clock of its own."""

    def account(self) -> Account:
        """What became of the pieces."""
        return self._queue.account()
