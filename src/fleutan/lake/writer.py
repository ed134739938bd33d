# SPDX-License-Identifier: Apache-2.0
"""A process's way into a lake: Tables come in and are in the end sealed, by a thread of the writer's own.

Few rows go into a tail first and are sealed after some minutes; many are sealed at once.  What is
waiting is bounded (``backlog``): where the disk is full, or too slow, the oldest is lost and counted.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fleutan.errors import FleutanError
from fleutan.lake import sealing
from fleutan.lake.backlog import Account, Backlog, Limits
from fleutan.lake.disk import Disk
from fleutan.lake.held import HeldTail, hold
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import OPEN, stem
from fleutan.lake.recovery import recover
from fleutan.lake.storage import Stored, stored
from fleutan.lake.tail import frame
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from fleutan.lake.apart import Apart

__all__ = ["Account", "Limits", "Writer"]

#: What the database may take while it writes files.
MEMORY = "512MB"
#: What can fail: words of an account's trouble.
_WRITTEN, _SEALED = "written to", "sealed in"
#: In place of a kind: what other processes left.
_LEFT = "what was left"


class Writer:
    """Takes Tables into the lake at ``root``; ``name`` is what the process does.

    ``with`` makes the lake where there is none and seals what processes that died left; leaving
    seals everything.  With ``apart`` a process of its own seals, and this one has no database; rows
    count as sealed here when they are handed over to it.  Raises FleutanError where the lake cannot
    be written at all.
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
        self._connection: DuckDBPyConnection
        self._backlog = Backlog(self._limits)
        self._tails: dict[str, HeldTail] = {}
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._less = threading.Condition(self._lock)
        self._now_ns: int | None = None
        self._recover_ns: int | None = None
        self._number = 0
        self._is_ticked = self._is_refused = self._is_ending = False

    def __enter__(self) -> Self:
        try:
            self._disk.make(self.root / OPEN)
        except OSError as error:
            raise FleutanError(f"cannot make a lake at {self.root}: {error.strerror}; name another place") from None
        self._began_ns = time.time_ns()
        if self._apart is None:
            self._connection = sealing.connect(self._limits.threads, MEMORY, self.root)
            self._recover(0)
        self._thread = threading.Thread(target=self._work, name="lake", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        with self._wake:
            self._is_ending = True
            self._wake.notify()
        self._thread.join()
        if self._apart is None:
            self._connection.close()
        else:
            self._apart.finish()

    def add(self, table: Table) -> None:
        """Takes rows; the oldest are lost where too many wait.

        Raises ValueError for a kind that no lake keeps, and as ``storage.stored`` does.
        """
        if table.kind not in KINDS:
            raise ValueError(f"a lake keeps no tables of kind {table.kind}")
        if not len(table):
            return
        rows = stored(table, KINDS[table.kind], self._node)
        with self._wake:
            self._backlog.add(table.kind, rows, self._now_ns)
            if self._backlog.is_much:
                self._wake.notify()

    def tick(self, now_ns: int) -> None:
        """Says what time it is: what is due is written."""
        with self._wake:
            self._now_ns, self._is_ticked = now_ns, True
            self._backlog.tick(now_ns)
            self._wake.notify()

    def account(self) -> Account:
        """What became of rows until now."""
        with self._lock:
            return self._account()

    def settled(self, octets: int, seconds: float) -> bool:
        """Whether at most so many octets wait to be written, now or within so many seconds.

        Raises FleutanError where they wait because the disk refuses them.
        """
        with self._less:
            if self._less.wait_for(lambda: self._backlog.account.waiting_octets <= octets, seconds):
                return True
            if trouble := self._account().trouble:
                raise FleutanError(trouble)
            return False

    def _account(self) -> Account:
        account = self._backlog.account
        if account.trouble or self._apart is None:
            return account
        return replace(account, trouble=self._apart.trouble)

    # -- the writer's thread

    def _work(self) -> None:
        is_ending = False
        while not is_ending:
            with self._wake:
                self._wake.wait_for(self._is_woken)
                is_ending, now_ns, self._is_ticked = self._is_ending, self._now_ns, False
                work = self._backlog.everything() if is_ending else self._backlog.due(now_ns)
            self._is_refused = not self._write(work)
            self._seal_due(now_ns, is_ending)
            if self._apart is not None:
                self._apart.tick()
            elif self._recover_ns is not None and now_ns is not None and now_ns >= self._recover_ns:
                self._recover(now_ns)
        self._end()

    def _recover(self, now_ns: int) -> None:
        """Seals what processes left that died; what cannot be sealed stays, counts, and is tried again."""
        try:
            recover(self._connection, self.root, self._disk)
        except Exception as error:  # as in _write
            self._recover_ns = now_ns + self._limits.flush_ns
            with self._lock:
                self._backlog.failed(_LEFT, _SEALED, self.root, error)
        else:
            self._recover_ns = None
            with self._lock:
                self._backlog.well(_LEFT, _SEALED)

    def _end(self) -> None:
        """What could not be written is lost, what could not be sealed is the next process's to seal."""
        with self._lock:
            self._backlog.give_up()
            self._less.notify_all()
        for opened in self._tails.values():
            opened.close()
        self._tails.clear()

    def _is_woken(self) -> bool:
        """Whether there is something to do; where the disk said no it is asked again at the next tick."""
        return self._is_ending or self._is_ticked or (not self._is_refused and self._backlog.is_much)

    def _write(self, work: dict[str, list[Stored]]) -> bool:
        """Writes what is due; what cannot be written goes back to what waits.  Whether all could."""
        is_whole = True
        for kind, batches in work.items():
            try:
                is_sealed = self._written(kind, batches)
            except Exception as error:  # the disk, or the database about the disk: it is said, and tried again
                is_whole = False
                with self._lock:
                    self._backlog.back(kind, batches)
                    self._backlog.failed(kind, _WRITTEN, self.root, error)
                continue
            with self._lock:
                self._backlog.written(batches, is_sealed)
                self._backlog.well(kind, _WRITTEN)
                self._less.notify_all()
        return is_whole

    def _written(self, kind: str, batches: list[Stored]) -> bool:
        """Writes rows of a kind; whether they are sealed."""
        rows, octets = sum(batch.rows for batch in batches), sum(batch.octets for batch in batches)
        opened = self._tails.get(kind)
        is_much = rows >= self._limits.many or octets >= self._limits.tail_octets  # they would fill a tail at once
        if is_much and self._apart is None:
            if opened is not None:
                opened.mend()
            self._seal_at_once(kind, batches)
            return True
        if opened is None:
            opened = self._tails[kind] = self._hold(kind)
        opened.append(b"".join(map(frame, batches)), rows)
        return False

    def _seal_at_once(self, kind: str, batches: list[Stored]) -> None:
        gate = self._hold(kind)
        try:
            gate.seal(self._connection, [(batch.arrow.array, batch.select) for batch in batches])
        except BaseException:
            gate.discard()
            raise

    def _hold(self, kind: str) -> HeldTail:
        self._number += 1
        return hold(self.root, stem(self._node, self._name, self._began_ns, self._number), kind, self._disk)

    def _seal_due(self, now_ns: int | None, is_ending: bool) -> None:
        for kind, opened in list(self._tails.items()):
            if not (is_ending or opened.is_due(now_ns, self._limits)):
                continue
            try:
                sealed = self._seal(opened)
            except Exception as error:  # as in _write; the tail stays, and counts
                opened.later(now_ns, self._limits)
                with self._lock:
                    self._backlog.failed(kind, _SEALED, self.root, error)
                continue
            del self._tails[kind]
            with self._lock:
                self._backlog.sealed(sealed, opened.rows - sealed)
                self._backlog.well(kind, _SEALED)

    def _seal(self, opened: HeldTail) -> int:
        if self._apart is None:
            return opened.seal(self._connection)
        opened.close()  # nobody holds it now, so that the other process may
        self._apart.want()
        return opened.rows
