# SPDX-License-Identifier: Apache-2.0
"""The paths of the flows that are watched, traced again and again beside the display.

Tracing waits for answers, so it has a thread of its own; the display shows what was found last.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Self

from fleutan.analysis import paths as analysis
from fleutan.errors import FleutanError
from fleutan.live.paths import Answer
from fleutan.table import Table

#: Seconds that the end of the display waits for a trace under way.
ENDING = 1.0


class Traced:
    """Calls ``ask`` every so many seconds while it is entered; ``table`` gives the latest answer.

    An answer that fails is left out; ``table`` raises then what was wrong.
    """

    def __init__(self, ask: Callable[[], Answer], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._found: Table | FleutanError = Table("paths", {})
        self._ended = Event()
        self._thread = Thread(target=self._run, name="paths", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(ENDING)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                answer = self._ask()
                self._found = analysis.table(answer.paths, answer.flows)
            except FleutanError as error:
                self._found = error
            self._ended.wait(self._seconds)

    def table(self) -> Table:
        """The paths as they were traced last: a row each."""
        if isinstance(self._found, FleutanError):
            raise self._found
        return self._found
