# SPDX-License-Identifier: Apache-2.0
"""One question asked again and again: each answer is of the time since the one before.

Where the question needs it, packets and the lives of connections are counted meanwhile; where
that is not to be had, the answers say so and leave out what they lack.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol

from fleutan.errors import NotSupported
from fleutan.sources.capture import Capture, Choice, Reader
from fleutan.sources.counting import Counted, Meters
from fleutan.table import Table

#: How the note begins that says why packets are unknown.
NOT_COUNTED = "packets are not counted"


class Question(Protocol):
    """What is asked again and again (``fleutan.live.Asked``)."""

    #: Whether packets have to be counted for the answer, and the way of reading that gives its fields.
    counts: bool
    answer_by: Choice

    def look(self, capture: Capture) -> Table:
        """The flows of a capture as they were read."""

    def answer(self, capture: Capture, before: Capture, counted: Counted | None) -> Table:
        """What happened between two captures, with what was counted meanwhile."""


class Besides(Protocol):
    """What is read of the host besides the flows, from one round to the next."""

    def look(self, capture: Capture) -> None:
        """A look right after each capture, from the first one on."""

    def wait(self, seconds: float, wait: Callable[[float], None]) -> None:
        """Passes the time by ``wait``, and may look meanwhile."""

    def joined(self, answer: Table) -> Table:
        """The answer of a round with what lies between the last two captures, as related tables."""


class Rounds:
    """Reads and counts while the context lasts.  Entering and reading raise what ``Reader`` does.

    ``first`` is the capture to begin with where there is one already, ``readings`` is how many
    there will be with the first.
    """

    def __init__(
        self,
        asked: Question,
        reader: Reader,
        first: Capture | None = None,
        besides: Besides | None = None,
        meters: Callable[[], Meters] = Meters,
        readings: float = 2,
    ) -> None:
        self._asked = asked
        self._reader = reader
        self._first = first
        self._besides = besides
        self._make = meters
        self._readings = readings
        self._meters: Meters | None = None
        #: Why packets are not counted, where they should be and are not.
        self.why = ""
        self._held = ExitStack()

    def __enter__(self) -> Rounds:
        with ExitStack() as held:
            if self._asked.counts:
                self._begin(held)
            self._before = self._first or self._reader.take()
            if self._meters is not None:
                self._meters.read(self._before.meant())  # what came before is of no reading
            if self._besides is not None:
                self._besides.look(self._before)
            self._asked.look(self._before)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def _begin(self, held: ExitStack) -> None:
        """Loading takes longer than it may between two readings: what was read before is old then.

        Who may count packets may read through BPF too, which costs less where it is done often.
        """
        try:
            self._meters = held.enter_context(self._make())
            self._first = None
            if self._asked.answer_by == "auto":
                self._reader.expect(self._readings)
        except NotSupported as error:
            self.why = str(error)

    def after(self, seconds: float) -> Table:
        """The flows as they are so many seconds after the reading before, and what they did since."""
        before = self._before
        capture = self._reader.take_after(before, seconds, self._wait)
        counted = self._meters.read(capture.meant()) if self._meters else None
        if self._besides is not None:
            self._besides.look(capture)
        self._before = capture
        table = self._asked.answer(capture, before, counted)
        if self.why:
            notes = (*table.reading.notes, f"{NOT_COUNTED}: {self.why}")
            table = replace(table, reading=replace(table.reading, notes=notes))
        return table if self._besides is None else self._besides.joined(table)

    def _wait(self, seconds: float) -> None:
        wait = self._meters.wait if self._meters else self._reader.wait
        if self._besides is None:
            wait(seconds)
        else:
            self._besides.wait(seconds, wait)
