# SPDX-License-Identifier: Apache-2.0
"""The form that says who sends what: an account of all exporters, at the end and as often as is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fleutan.programs.decoding import Batch
from fleutan.sources.exporters import Accounts

Write = Callable[[Accounts], Iterator[bytes]]


class Summary:
    """Counts; ``write`` gives the account.

    With ``every_ns`` it is also given that often, by the clock ``now``.
    """

    def __init__(self, write: Write, every_ns: int = 0, now: Callable[[], int] = lambda: 0) -> None:
        self._write, self._every_ns, self._now = write, every_ns, now
        self._accounts = Accounts()
        self._next_ns = now() + every_ns

    def of(self, batch: Batch) -> Iterator[bytes]:
        """Counts a batch, and gives the account if it is due."""
        self._accounts.add(batch.found)
        if self._every_ns and self._now() >= self._next_ns:
            self._next_ns = self._now() + self._every_ns
            yield from self._write(self._accounts)

    def end(self) -> Iterator[bytes]:
        """The account of all."""
        return self._write(self._accounts)
