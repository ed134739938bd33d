# SPDX-License-Identifier: Apache-2.0
"""Asking beside the agent's loop, in a thread: others may take their time to answer, or never do."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

#: Seconds from one question to the next, and at the least where there is something new to ask about.
EVERY_S, LEAST_S = 60.0, 5.0

Answer = TypeVar("Answer")


class Asking(Generic[Answer]):
    """``answer`` is the last one of ``ask``, which is asked again once in a while and never waited for.

    ``ask`` has to come to an end by itself; what it raises is ``trouble``, and the answer before
    stands.  The thread is none that the process waits for when it ends.
    """

    def __init__(
        self,
        ask: Callable[[], Answer],
        first: Answer,
        clock: Callable[[], float] = time.monotonic,
        every: float = EVERY_S,
        least: float = LEAST_S,
    ) -> None:
        self.trouble = ""
        self.answers = 0
        self.answer = first
        self._ask = ask
        self._clock, self._every, self._least = clock, every, least
        self._began: float | None = None
        self._thread: Thread | None = None

    def look(self, is_new: bool = False) -> None:
        """Asks again if it is time, sooner where something ``is_new``."""
        now = self._clock()
        waited = self._least if is_new else self._every
        if not self.is_asking() and (self._began is None or now - self._began >= waited):
            self._began = now
            self._thread = Thread(target=self._run, name="asking", daemon=True)
            self._thread.start()

    def is_asking(self) -> bool:
        """Whether an answer is waited for by the thread."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.answer = self._ask()
            self.trouble = ""
        except Exception as error:  # whatever others say, the counters go on
            self.trouble = f"{type(error).__name__}: {error}"
        self.answers += 1
