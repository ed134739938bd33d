# SPDX-License-Identifier: Apache-2.0
"""Rows that wait in memory to be written, bounded, and the account of what became of all.

Knows no file, no thread and no clock but the one that it is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from fleutan.lake.storage import Stored

SECOND = 1_000_000_000


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
class _Waiting:
    """Rows of a kind: since when the oldest is, in ns of the caller's clock; whether they were refused once."""

    batches: deque[Stored] = field(default_factory=deque)
    rows: int = 0
    octets: int = 0
    since_ns: int | None = None
    is_late: bool = False

    def put(self, batches: Iterable[Stored]) -> None:
        for batch in batches:
            self.batches.append(batch)
            self.rows, self.octets = self.rows + batch.rows, self.octets + batch.octets

    def all(self) -> list[Stored]:
        """Takes everything out."""
        taken = list(self.batches)
        self.batches.clear()
        self.rows = self.octets = 0
        self.since_ns, self.is_late = None, False
        return taken

    def oldest(self) -> Stored:
        """Takes the oldest out."""
        batch = self.batches.popleft()
        self.rows, self.octets = self.rows - batch.rows, self.octets - batch.octets
        return batch


class Backlog:
    """Rows by kind; those that are taken to be written still count as waiting until it is said what became of them.

    The bound may be passed by one batch a kind, and by what is being written.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: dict[str, _Waiting] = {}
        self._account = Account()
        self._troubles: dict[tuple[str, str], str] = {}

    @property
    def account(self) -> Account:
        """What became of rows until now."""
        return replace(self._account, trouble=next(iter(self._troubles.values()), ""))

    @property
    def is_much(self) -> bool:
        """Whether rows of a kind are worth a file of their own, or as much as may wait while they are written."""
        return any(map(self._is_much, self._waiting.values()))

    def add(self, kind: str, rows: Stored, now_ns: int | None) -> None:
        """Takes rows; the oldest are lost where too many wait."""
        waiting = self._waiting.setdefault(kind, _Waiting())
        if not waiting.batches:
            waiting.since_ns = now_ns
        waiting.put([rows])
        self._count(rows=rows.rows, waiting_octets=rows.octets)
        self._keep_bound()

    def tick(self, now_ns: int) -> None:
        """Says what time it is; clocks may be set back."""
        for waiting in self._waiting.values():
            if waiting.since_ns is None or waiting.since_ns > now_ns:
                waiting.since_ns = now_ns

    def due(self, now_ns: int | None) -> dict[str, list[Stored]]:
        """Takes out what is to be written at this time."""
        return {kind: waiting.all() for kind, waiting in self._waiting.items() if self._is_due(waiting, now_ns)}

    def everything(self) -> dict[str, list[Stored]]:
        """Takes out all that waits."""
        return {kind: waiting.all() for kind, waiting in self._waiting.items() if waiting.batches}

    def back(self, kind: str, batches: Sequence[Stored]) -> None:
        """What could not be written waits again, before all that came later, and is due at once."""
        waiting = self._waiting[kind]
        later = waiting.all()
        waiting.put([*batches, *later])
        waiting.is_late = True
        self._keep_bound()

    def written(self, batches: Sequence[Stored], is_sealed: bool) -> None:
        """What was taken out is on disk."""
        rows, octets = sum(batch.rows for batch in batches), sum(batch.octets for batch in batches)
        self._count(flushed=rows, sealed=rows if is_sealed else 0, waiting_octets=-octets)

    def sealed(self, rows: int, lost: int = 0) -> None:
        """Rows of a tail are sealed; some of them were not there any more."""
        self._count(sealed=rows, lost=lost)

    def give_up(self) -> None:
        """Loses all that waits."""
        for waiting in self._waiting.values():
            while waiting.batches:
                self._lose(waiting)

    def well(self, kind: str, what: str) -> None:
        """Something can be done (again) to rows of a kind."""
        self._troubles.pop((kind, what), None)

    def failed(self, kind: str, what: str, place: object, error: Exception) -> None:
        """Something cannot be done to rows of a kind."""
        said = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), type(error).__name__)
        self._troubles[kind, what] = f"{kind} cannot be {what} {place}: {said}"

    def _is_due(self, waiting: _Waiting, now_ns: int | None) -> bool:
        if not waiting.batches:
            return False
        since_ns = waiting.since_ns
        is_old = now_ns is not None and since_ns is not None and now_ns - since_ns >= self._limits.flush_ns
        return waiting.is_late or is_old or self._is_much(waiting)

    def _is_much(self, waiting: _Waiting) -> bool:
        return waiting.rows >= self._limits.many or waiting.octets >= self._limits.waiting_octets // 4

    def _keep_bound(self) -> None:
        """Loses the oldest of the kind that has most, while too much waits."""
        while self._account.waiting_octets > self._limits.waiting_octets:
            fullest = max(self._waiting.values(), key=lambda waiting: waiting.octets)
            if len(fullest.batches) < 2:
                return
            self._lose(fullest)

    def _lose(self, waiting: _Waiting) -> None:
        batch = waiting.oldest()
        self._count(lost=batch.rows, waiting_octets=-batch.octets)

    def _count(self, **more: int) -> None:
        added = {name: getattr(self._account, name) + value for name, value in more.items()}
        self._account = replace(self._account, **added)
