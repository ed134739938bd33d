# SPDX-License-Identifier: Apache-2.0
"""Works on questions in threads: so many at once, each for so long, with so many rows.

A thread of a question holds a database only while ``Work.lake`` is open, and gives way to others of
the process.  What is asked, and how the answer is written, is the business of ``questions``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from math import inf

from fleutan.errors import FleutanError, UsageError
from fleutan.faces.web.bounds import Service
from fleutan.faces.web.failures import Busy
from fleutan.faces.web.spool import ReaderGone, Room, Spool
from fleutan.past.engine import Lake, Limits
from fleutan.past.modules import answer
from fleutan.past.request import Request
from fleutan.table import Table

LOG = logging.getLogger("fleutan.web")
#: Questions' threads give way to what else the process does: to collecting above all (setpriority(2)).
NICE = 5
#: So often is looked whether a question's time is over, and it is interrupted until it ends: a query that begins
#: forgets an interrupt.
AGAIN = 0.2


class Places:
    """So many questions are worked on at once, so many wait for a place."""

    def __init__(self, many: int, waiting: int) -> None:
        self._free = threading.Semaphore(many)
        self._lock = threading.Lock()
        self._waiting, self._most = 0, waiting

    @contextmanager
    def taken(self, patience: float) -> Iterator[None]:
        """Waits for a place and has it; raises Busy after ``patience`` seconds, and where too many wait."""
        if not self._free.acquire(blocking=False):
            self._wait(patience)
        try:
            yield
        finally:
            self._free.release()

    def _wait(self, patience: float) -> None:
        with self._lock:
            if self._waiting >= self._most and patience != inf:
                raise Busy("too many questions wait; ask again")
            self._waiting += 1
        try:
            if not self._free.acquire(timeout=None if patience == inf else patience):
                raise Busy(f"no question ended within {patience:g} s; ask again")
        finally:
            with self._lock:
                self._waiting -= 1


class Work:
    """One question that is worked on: its time, its rows, and whether anybody still wants it.

    ``media_type`` is set by who writes the answer, before the first piece.  ``notes`` are what is to be known of the
    answer, in the order in which it became known.
    """

    def __init__(self, service: Service, places: Places, spool: Spool) -> None:
        self.service, self.spool = service, spool
        self.media_type = "application/json"
        self._notes: dict[str, None] = {}
        self._places = places
        self._stopped = threading.Event()
        self._why: FleutanError | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the answer, as far as that is known."""
        return tuple(self._notes.copy())

    def note(self, *notes: str) -> None:
        """Something is to be known of the answer."""
        self._notes |= dict.fromkeys(notes)

    def stop(self, why: str = "the client has gone") -> None:
        """Nobody wants the answer any more; may be called by any thread."""
        self._stop(ReaderGone(why))
        self.spool.close()

    def pause(self, seconds: float) -> None:
        """Waits.  Raises what ended the question meanwhile."""
        self._stopped.wait(seconds)
        self.check()

    @contextmanager
    def lake(self, patience: float | None = None) -> Iterator[Lake]:
        """The lake, when there is a place; interrupted when the question's time is over."""
        bounds = self.service.bounds
        with self._places.taken(bounds.patience if patience is None else patience):
            self.check()
            threads = max(1, (os.cpu_count() or 1) // 2)
            with Lake(self.service.root, Limits(bounds.memory, threads)) as lake, self._timed(lake):
                yield lake

    def tables(self, request: Request, patience: float | None = None) -> Iterator[Table]:
        """What the request's module says.  Raises UsageError for too many rows, FleutanError for too much time."""
        rows, most = 0, self.service.bounds.rows
        with self.lake(patience) as lake:
            for table in answer(lake, request):
                rows += len(table)
                if rows > most:
                    raise UsageError(f"the answer has more than {most} rows; ask of a shorter time, or say topn")
                self.check()
                self.note(*table.reading.notes)
                yield table
                self.check()
        self.check()

    def check(self) -> None:
        """Raises what ended the question."""
        if self._why is not None:
            raise self._why

    @contextmanager
    def _timed(self, lake: Lake) -> Iterator[None]:
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(lake, done), name="question's time", daemon=True)
        watch.start()
        try:
            yield
        except FleutanError:
            self.check()  # that it was interrupted is not the reason
            raise
        finally:
            done.set()
            watch.join()

    def _watch(self, lake: Lake, done: threading.Event) -> None:
        seconds = self.service.bounds.seconds
        until = time.monotonic() + seconds
        while not done.wait(AGAIN):
            if time.monotonic() >= until:
                self._stop(FleutanError(f"the question took longer than {seconds:g} s and was given up"))
            if self._why is not None:
                with suppress(Exception):  # what is not asked cannot be interrupted
                    lake.interrupt()

    def _stop(self, why: FleutanError) -> None:
        if self._why is None:
            self._why = why
        self._stopped.set()


Written = Callable[[Work], Iterable[bytes]]


class Desk:
    """Takes questions of the event loop and has threads work on them; ``close`` ends all."""

    def __init__(self, service: Service) -> None:
        bounds = service.bounds
        self.service = service
        self.room = Room(bounds.spools)
        self._places = Places(bounds.concurrent, bounds.waiting)
        self._working: set[Work] = set()
        self._closed = False
        self._lock = threading.Lock()
        self._counts = {"questions": 0, "followers": 0}
        self._most = {"questions": bounds.concurrent + bounds.waiting, "followers": bounds.followers}
        self._threads = ThreadPoolExecutor(sum(self._most.values()), "question", _give_way)

    def account(self) -> dict[str, int]:
        """How many are worked on, and the octets that are left for answers."""
        return {**self._counts, "room": self.room.free}

    def ask(self, written: Written, follows: bool = False) -> Work:
        """Begins to write an answer into the spool of the Work that is returned.  Raises Busy."""
        sort = "followers" if follows else "questions"
        if self._counts[sort] >= self._most[sort] or self._closed:
            raise Busy("too much is asked at once; ask again")
        loop = asyncio.get_running_loop()
        work = Work(self.service, self._places, Spool(self.room, self.service.bounds, loop))
        with self._lock:
            self._counts[sort] += 1
            self._working.add(work)
        self._threads.submit(_work, work, written).add_done_callback(lambda _: self._ended(work, sort))
        return work

    def _ended(self, work: Work, sort: str) -> None:
        with self._lock:
            self._counts[sort] -= 1
            self._working.discard(work)

    def close(self) -> None:
        """No more questions; what is worked on ends."""
        self._closed = True
        with self._lock:
            working = list(self._working)
        for work in working:
            work.stop("the server ends")
        self._threads.shutdown(wait=False, cancel_futures=True)


def _give_way() -> None:
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def _work(work: Work, written: Written) -> None:
    """Writes an answer into its spool; what goes wrong is the answer's end."""
    try:
        for piece in written(work):
            work.spool.write(piece)
            work.check()
        work.spool.end()
    except FleutanError as error:
        work.spool.end(error)
    except Exception as error:  # whatever it is, the client that waits is told, and the thread serves others
        LOG.exception("an answer failed")
        work.spool.end(error)
