# SPDX-License-Identifier: Apache-2.0
"""Datagrams that wait to be decoded: a queue bounded in octets, filled by one thread and emptied by another.

Receiving is never held up: what finds no room is lost and counted.  Where datagrams come from and
what becomes of them is not known here.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace

from fleutan.protocols.datagrams import Datagrams, copied, together

#: Octets that may wait: a second of half a million samples a second.
ROOM = 128_000_000
#: Datagrams that are decoded at once: each batch costs as much as some hundred datagrams, and should stay in caches.
ROWS = 4096
#: How long others are awaited that may share a batch with the oldest, in seconds: nobody sees rows sooner anyway.
LINGER = 0.25


@dataclass(frozen=True)
class Waiting:
    """What went through: datagrams that were taken in, those that found no room, and octets that wait now.

    ``most`` is the greatest number of octets that ever waited.
    """

    datagrams: int = 0
    lost: int = 0
    octets: int = 0
    most: int = 0


class Backlog:
    """Batches in the order in which they came; at most ``room`` octets of them, with what is known of each datagram."""

    def __init__(self, room: int = ROOM, rows: int = ROWS, linger: float = LINGER) -> None:
        self.room, self._rows, self._linger = room, rows, linger
        self._here = 0
        self._batches: deque[tuple[Datagrams, int]] = deque()
        self._account = Waiting()
        self._came = threading.Condition()
        self._ended = False
        self._trouble: BaseException | None = None

    def put(self, batch: Datagrams) -> None:
        """Takes a copy of a batch, or loses it."""
        rows = batch.spans.rows
        copy = copied(batch) if self._has_room(int(batch.spans.sizes.sum())) else None
        octets = 0 if copy is None else _octets(copy)
        with self._came:
            known = self._account
            if copy is None or known.octets + octets > self.room:
                self._account = replace(known, lost=known.lost + rows)
                return
            self._batches.append((copy, octets))
            self._here += rows
            waiting = known.octets + octets
            self._account = replace(
                known, datagrams=known.datagrams + rows, octets=waiting, most=max(known.most, waiting)
            )
            self._came.notify()

    def _has_room(self, octets: int) -> bool:
        return self._account.octets + octets <= self.room

    def take(self, seconds: float) -> Datagrams | None:
        """The oldest batches as one of some thousand datagrams; None where none came for so long, or it has ended.

        Where there are fewer, more are awaited for ``linger`` seconds.  Raises what ``end`` was told, when
        everything before it is taken.
        """
        with self._came:
            if self._came.wait_for(lambda: self._batches or self._ended, seconds):
                self._came.wait_for(self._is_enough, self._linger)
            if not self._batches:
                if self._trouble is not None:
                    raise self._trouble
                return None
            found: list[Datagrams] = []
            octets = 0
            rows = 0
            while self._batches and (not found or rows + self._batches[0][0].spans.rows <= self._rows):
                batch, size = self._batches.popleft()
                found.append(batch)
                octets, rows = octets + size, rows + batch.spans.rows
            self._here -= rows
            self._account = replace(self._account, octets=self._account.octets - octets)
        return together(found)

    def _is_enough(self) -> bool:
        """Whether no more are to be awaited; where half of the room is taken none can be."""
        return self._here >= self._rows or self._ended or 2 * self._account.octets >= self.room

    def end(self, trouble: BaseException | None = None) -> None:
        """No more will come, because of ``trouble`` if there is one."""
        with self._came:
            self._ended, self._trouble = True, trouble
            self._came.notify()

    @property
    def ended(self) -> bool:
        """Whether everything that came was taken and no more will come; never where ``take`` still has to raise."""
        with self._came:
            return self._ended and not self._batches and self._trouble is None

    def account(self) -> Waiting:
        """What went through until now."""
        with self._came:
            return self._account


def _octets(batch: Datagrams) -> int:
    """The memory of a batch."""
    return sum(column.nbytes for column in (*batch.spans, *batch[1:]))
