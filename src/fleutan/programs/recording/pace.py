# SPDX-License-Identifier: Apache-2.0
"""Time passing in an interval: the sink is told of it, what has a pace of its own gives Tables, signals are heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from fleutan.programs.recording.beside import Beside
from fleutan.sources.capture import Capture
from fleutan.table import Table

#: How long one wait lasts at the most, in seconds: so soon a signal is noticed.
SLICE = 0.5
#: How often the sink is told the time, in seconds.
TICK = 1.0


class Sink(Protocol):
    """Where Tables go (``fleutan.lake.writer.Writer``)."""

    def add(self, table: Table) -> object:
        """Takes a Table."""

    def tick(self, now_ns: int) -> object:
        """Is told the time about once a second."""


class Stop(Protocol):
    """What ends a recording (``signals.Signals``)."""

    @property
    def came(self) -> bool:
        """Whether it has to end."""


class Side(Protocol):
    """What has Tables of its own pace."""

    def saw(self, flows: Table) -> None:
        """Is told the flows of each interval."""

    def tables(self) -> Iterable[Table]:
        """What is ready; asked several times a second."""


class Pace:
    """Passes the time between two readings, and what they gave to the sink; ``notes`` are of the last interval."""

    def __init__(
        self,
        beside: Beside,
        sink: Sink,
        stop: Stop,
        sides: Sequence[Side],
        steady: Callable[[], float],
        now_ns: Callable[[], int],
    ) -> None:
        self._beside, self._sink, self._stop, self._sides = beside, sink, stop, sides
        self._steady, self._now_ns = steady, now_ns
        self._told = steady()
        self.notes: list[str] = []

    def look(self, capture: Capture) -> None:
        """Right after each capture."""
        self._beside.look(capture)

    def wait(self, seconds: float, wait: Callable[[float], None]) -> None:
        """Passes the time by ``wait``, in slices; ends early where it has to."""
        until = self._steady() + seconds
        while not self._stop.came and (left := until - self._steady()) > 0:
            wait(min(left, SLICE))
            self._tick()

    def joined(self, answer: Table) -> Table:
        """The answer as it is."""
        return answer

    def keep(self, tables: Iterable[Table]) -> None:
        """Has the sink take an interval's Tables that have rows."""
        self.notes = []
        for table in tables:
            self.notes += table.reading.notes
            self._add([table])
            if table.kind == "flows":
                for side in self._sides:
                    side.saw(table)
        self._tick()

    def _add(self, tables: Iterable[Table]) -> None:
        for table in tables:
            if len(table):
                self._sink.add(table)

    def _tick(self) -> None:
        for side in self._sides:
            self._add(side.tables())
        if (now := self._steady()) - self._told >= TICK:
            self._told = now
            self._sink.tick(self._now_ns())
