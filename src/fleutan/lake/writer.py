# SPDX-License-Identifier: Apache-2.0
"""A process's way into a lake: Tables come in and are in the end sealed, by a thread of the writer's own.

Few rows go into a tail first and are sealed after some minutes; many are sealed at once.  What is
waiting is bounded: where the disk is full, or too slow, the oldest is lost and counted.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fleutan.errors import FleutanError
from fleutan.lake import sealing
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import OPEN, stem, tail
from fleutan.lake.recovery import parts_of, recover
from fleutan.lake.storage import Stored, stored
from fleutan.lake.tail import frame, frames
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from fleutan.lake.apart import Apart

SECOND = 1_000_000_000
#: What the database may take while it writes files.
MEMORY = "512MB"


@dataclass(frozen=True)
class Limits:
    """When rows are written, and how many may wait.

    After ``flush_ns`` at the latest they are on disk; ``many`` rows of a kind are sealed at once,
    others after ``seal_ns`` or when their tail has ``tail_octets``.  At most ``waiting_octets`` wait.
    """

    flush_ns: int = 5 * SECOND
    seal_ns: int = 300 * SECOND
    many: int = 200_000
    tail_octets: int = 64 << 20
    waiting_octets: int = 512 << 20
    threads: int = 1


@dataclass(frozen=True)
class Account:
    """What became of rows: ``trouble`` is what the disk said last, '' if all is well."""

    rows: int = 0
    flushed: int = 0
    sealed: int = 0
    lost: int = 0
    waiting_octets: int = 0
    trouble: str = ""


@dataclass
class _Tail:
    """An open tail: its stem, its file, when it began, how large it is."""

    of: str
    descriptor: int
    since_ns: int
    rows: int = 0
    octets: int = 0


@dataclass
class _Waiting:
    """Rows of a kind in memory: since when the oldest is, in ns of the caller's clock."""

    batches: deque[Stored] = field(default_factory=deque)
    since_ns: int = 0

    @property
    def rows(self) -> int:
        return sum(batch.rows for batch in self.batches)

    @property
    def octets(self) -> int:
        return sum(batch.octets for batch in self.batches)


class Writer:
    """Takes Tables into the lake at ``root``; ``name`` is what the process does.

    ``with`` makes the lake where there is none and seals what processes that died left; leaving
    seals everything.  With ``apart`` a process of its own seals, and this one has no database.
    Raises FleutanError where the lake cannot be written at all.
    """

    def __init__(
        self,
        root: Path,
        name: str,
        limits: Limits | None = None,
        node: str | None = None,
        disk: Disk | None = None,
        apart: Apart | None = None,
    ) -> None:
        self.root, self._name, self._limits = root, name, limits or Limits()
        self._node = socket.gethostname() if node is None else node
        self._disk = disk or Disk()
        self._apart = apart
        self._connection: DuckDBPyConnection | None = None
        self._waiting: dict[str, _Waiting] = {}
        self._tails: dict[str, _Tail] = {}
        self._account = Account()
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._less = threading.Condition(self._lock)
        self._now_ns = 0
        self._number = 0
        self._ending = False

    def __enter__(self) -> Self:
        try:
            self._disk.make(self.root / OPEN)
        except OSError as error:
            raise FleutanError(f"cannot make a lake at {self.root}: {error.strerror}; name another place") from None
        self._began_ns = time.time_ns()
        if self._apart is None:
            self._connection = sealing.connect(self._limits.threads, MEMORY)
            recover(self._connection, self.root, self._disk)
        self._thread = threading.Thread(target=self._work, name="lake", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        with self._wake:
            self._ending = True
            self._wake.notify()
        self._thread.join()
        if self._connection is not None:
            self._connection.close()
        if self._apart is not None:
            self._apart.finish()

    def add(self, table: Table) -> None:
        """Takes rows; the oldest are lost where too many wait.  Raises ValueError as ``storage.stored`` does."""
        if not len(table):
            return
        rows = stored(table, KINDS[table.kind], self._node)
        with self._wake:
            waiting = self._waiting.setdefault(table.kind, _Waiting())
            if not waiting.batches:
                waiting.since_ns = self._now_ns
            waiting.batches.append(rows)
            octets = self._account.waiting_octets + rows.octets
            self._account = replace(self._account, rows=self._account.rows + rows.rows, waiting_octets=octets)
            self._keep_bound()
            if self._are_many(waiting):
                self._wake.notify()

    def tick(self, now_ns: int) -> None:
        """Says what time it is: what is due is written."""
        with self._wake:
            self._now_ns = now_ns
            for waiting in self._waiting.values():
                waiting.since_ns = waiting.since_ns or now_ns
            self._wake.notify()

    def account(self) -> Account:
        """What became of rows until now."""
        with self._lock:
            trouble = self._account.trouble or (self._apart.trouble if self._apart is not None else "")
            return replace(self._account, trouble=trouble)

    def settled(self, octets: int, seconds: float) -> bool:
        """Whether at most so many octets wait to be written, now or within so many seconds.

        Raises FleutanError where they wait because the disk refuses them.
        """
        with self._less:
            if self._less.wait_for(lambda: self._account.waiting_octets <= octets, seconds):
                return True
            if self._account.trouble:
                raise FleutanError(self._account.trouble)
            return False

    def _keep_bound(self) -> None:
        """Loses the oldest of the kind that has most, while too much waits."""
        while self._account.waiting_octets > self._limits.waiting_octets:
            fullest = max(self._waiting.values(), key=lambda waiting: sum(b.octets for b in waiting.batches))
            if len(fullest.batches) < 2:
                return
            self._note(lost=fullest.batches[0].rows, waiting=-fullest.batches.popleft().octets)

    def _note(self, flushed: int = 0, sealed: int = 0, lost: int = 0, waiting: int = 0) -> None:
        now = self._account
        self._account = replace(
            now,
            flushed=now.flushed + flushed,
            sealed=now.sealed + sealed,
            lost=now.lost + lost,
            waiting_octets=now.waiting_octets + waiting,
        )
        self._less.notify_all()

    # -- the writer's thread

    def _work(self) -> None:
        while True:
            with self._wake:
                ending = self._ending
                work = self._due(ending)
                if not work and not ending:
                    self._wake.wait()
                    continue
                now_ns = self._now_ns
            done = self._write(work, now_ns)
            self._seal_due(now_ns, ending)
            if self._apart is not None:
                self._apart.tick()
            if ending and (done or not work):
                return
            if ending:
                self._give_up()
                return
            if not done:
                self._pause()

    def _are_many(self, waiting: _Waiting) -> bool:
        """Whether they are worth a file of their own, or as much as may wait while they are written."""
        return waiting.rows >= self._limits.many or waiting.octets >= self._limits.waiting_octets // 4

    def _pause(self) -> None:
        """The disk said no: waits for the next tick before it is asked again."""
        with self._wake:
            if not self._ending:
                self._wake.wait()

    def _give_up(self) -> None:
        with self._lock:
            for waiting in self._waiting.values():
                while waiting.batches:
                    self._note(lost=waiting.batches[0].rows, waiting=-waiting.batches.popleft().octets)

    def _due(self, ending: bool) -> dict[str, list[Stored]]:
        """What is to be written now, taken from what waits (still counted as waiting)."""
        due = {}
        for kind, waiting in self._waiting.items():
            old = waiting.since_ns and self._now_ns - waiting.since_ns >= self._limits.flush_ns
            if waiting.batches and (ending or old or self._are_many(waiting)):
                due[kind] = list(waiting.batches)
                waiting.batches.clear()
                waiting.since_ns = 0
        return due

    def _write(self, work: dict[str, list[Stored]], now_ns: int) -> bool:
        """Writes what is due; what cannot be written goes back to what waits."""
        whole = True
        for kind, batches in work.items():
            rows, octets = sum(batch.rows for batch in batches), sum(batch.octets for batch in batches)
            try:
                sealed = self._written(kind, batches, rows, now_ns)
            except Exception as error:  # the disk, or the database about the disk: it is said, and tried again
                whole = False
                self._failed(kind, batches, error)
                continue
            with self._lock:
                self._note(flushed=rows, sealed=rows if sealed else 0, waiting=-octets)
                self._account = replace(self._account, trouble="")
        return whole

    def _failed(self, kind: str, batches: list[Stored], error: Exception) -> None:
        with self._lock:
            waiting = self._waiting[kind]
            waiting.batches.extendleft(reversed(batches))
            waiting.since_ns = 1
            said = getattr(error, "strerror", None) or str(error).splitlines()[0]
            self._account = replace(self._account, trouble=f"{kind} cannot be written to {self.root}: {said}")
            self._keep_bound()

    def _written(self, kind: str, batches: list[Stored], rows: int, now_ns: int) -> bool:
        """Writes rows of a kind; whether they are sealed."""
        if rows >= self._limits.many and self._apart is None:
            opened = self._open(kind, now_ns)
            try:
                self._seal(kind, opened, [(batch.arrow.array, batch.select) for batch in batches])
            except BaseException:
                self._discard(kind, opened)
                raise
            return True
        opened = self._tails.get(kind) or self._tails.setdefault(kind, self._open(kind, now_ns))
        octets = b"".join(map(frame, batches))
        try:
            self._disk.append(opened.descriptor, octets)
        except OSError:
            with suppress(OSError):
                os.ftruncate(opened.descriptor, opened.octets)  # half a frame would end the file for readers
                os.lseek(opened.descriptor, opened.octets, os.SEEK_SET)
            raise
        opened.octets += len(octets)
        opened.rows += rows
        return False

    def _open(self, kind: str, now_ns: int) -> _Tail:
        self._number += 1
        of = stem(self._node, self._name, self._began_ns, self._number)
        path = tail(self.root, of, kind)
        fresh = path.with_name(f"{path.name}.new")  # a tail that is not held is another process's to seal
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held while this process lives
        self._disk.rename(fresh, path)
        self._disk.sync_names(path.parent)
        return _Tail(of, descriptor, now_ns)

    def _discard(self, kind: str, opened: _Tail) -> None:
        with suppress(OSError):
            self._disk.unlink([*parts_of(self.root, opened.of, kind), tail(self.root, opened.of, kind)])
        os.close(opened.descriptor)

    def _seal_due(self, now_ns: int, ending: bool) -> None:
        for kind, opened in list(self._tails.items()):
            is_old = now_ns - opened.since_ns >= self._limits.seal_ns
            if not (ending or is_old or opened.octets >= self._limits.tail_octets):
                continue
            if self._apart is not None:
                os.close(opened.descriptor)  # nobody holds it now, so that the other process may
                self._apart.want()
                self._is_sealed(kind, opened)
                continue
            octets = os.pread(opened.descriptor, opened.octets, 0)
            try:
                self._seal(kind, opened, [(each.arrow(), each.select) for each in frames(octets)])
            except Exception as error:  # as in _write; the tail stays, and counts
                self._failed(kind, [], error)
                continue
            self._is_sealed(kind, opened)

    def _is_sealed(self, kind: str, opened: _Tail) -> None:
        del self._tails[kind]
        with self._lock:
            self._note(sealed=opened.rows)

    def _seal(self, kind: str, opened: _Tail, rows: list[sealing.Rows]) -> None:
        connection = self._connection or sealing.connect(self._limits.threads, MEMORY)
        sealing.seal(connection, self.root, opened.of, KINDS[kind], rows, self._disk)
        os.close(opened.descriptor)
