# SPDX-License-Identifier: Apache-2.0
"""Reads this host again and again in a thread, and hands on what changed in between.

``Sampler`` makes one round when it is told; ``Feed`` tells it, every so many seconds, and takes
orders (another filter, a pause) that are carried out between rounds.  What a round is used for is
not known here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

import numpy as np

from fleutan.column import Column
from fleutan.errors import FleutanError, UsageError
from fleutan.faces.tui import identity
from fleutan.faces.tui.places import Places
from fleutan.faces.tui.rounds import NO_COST, Cost, Failed, Round
from fleutan.faces.tui.tabs import DETAILS, FIELDS
from fleutan.fields import TRAFFIC
from fleutan.live import Asked, Question
from fleutan.sources.capture import Capture, Pending, Reader
from fleutan.sources.counting import Counted, Meters
from fleutan.table import Table

#: Seconds of the first interval, where a filter asks for rates.
BRIEF = 0.2
#: Seconds that the end of the program waits for a round under way.
ENDING = 2.0


class Seen(NamedTuple):
    """The last two readings, and what was counted between; the earlier one is None where there is one only."""

    before: Capture | None
    after: Capture
    counted: Counted | None = None


class Meter:
    """The CPU time that this process took between two questions, as a share of one CPU."""

    def __init__(
        self,
        used: Callable[[], float] = lambda: sum(os.times()[:2]),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._used, self._clock = used, clock
        self._before = (used(), clock())

    def share(self) -> float | None:
        """Since the question before; None where no time has passed."""
        before, self._before = self._before, (self._used(), self._clock())
        passed = self._before[1] - before[1]
        return (self._before[0] - before[0]) / passed if passed > 0 else None


class Sampler:
    """Rounds, one when asked; raises what ``Reader`` and ``Asked`` raise.

    ``beside`` are further readings by the kind of the table that each gives, ``places`` are looked
    at with each reading, ``meters`` count packets while they are entered elsewhere.
    """

    def __init__(
        self,
        reader: Reader,
        question: Question,
        beside: Mapping[str, Callable[[], Table]] | None = None,
        meter: Meter | None = None,
        meters: Meters | None = None,
        places: Places | None = None,
    ) -> None:
        self._reader = reader
        self._meters = meters
        self._places = places
        self._beside = beside or {}
        self._meter = meter or Meter()
        self._seen: Seen | None = None
        self._detail: Asked | None = None
        self._cost = NO_COST
        self._fields = FIELDS if meters is None else (*FIELDS, *TRAFFIC)
        self._put(replace(question, fields=self._fields))

    def _put(self, question: Question) -> None:
        self._asked = Asked(question)
        self._question = question
        hides = bool(question.filter.strip() or question.also)
        self._every = Asked(replace(question, filter="", also=(), fields=())) if hides else None
        # CPUs are known through BPF only, and where it is to be had it is the cheaper way to read often.
        self._turned = self._reader.answer_by("bpf" if self._asked.answer_by == "auto" else self._asked.answer_by)

    def first(self, pending: Pending | None = None) -> Round:
        """The flows as they are, without rates; where the filter asks for some, over a brief interval."""
        begun = pending.result() if pending else None
        latest = self._reader.take() if begun is None or self._turned else begun
        self._look(latest)
        self._seen = Seen(None, latest)
        if self._timed():
            after = self._reader.take_after(latest, BRIEF)
            self._seen = Seen(latest, after, self._look(after))
        return self._round(self._seen)

    def _look(self, capture: Capture) -> Counted | None:
        """What was counted until now, which the next look is not about any more."""
        counted = self._meters.read(capture.meant()) if self._meters else None
        if self._places is not None:
            self._places.look()
        return counted

    def next(self) -> Round:
        """Reads, and compares with the reading before."""
        if self._seen is None:
            return self.first()
        latest = self._reader.take()
        self._seen = Seen(self._seen.after, latest, self._look(latest))
        self._cost = Cost(self._meter.share(), self._meters.cost() if self._meters else None)
        return self._round(self._seen)

    def ask(self, text: str) -> Round:
        """The answer to another filter.  Raises FilterError, and then keeps the one before."""
        former = self._question
        self._put(replace(former, filter=text))
        try:
            return self._again()
        except FleutanError:
            self._put(former)
            raise

    def watch(self, cookie: int | None) -> Round:
        """From now on the flow with this cookie is told in detail."""
        asked = Question(f"cookie = {cookie}", fields=(*self._fields, *DETAILS), states="all")
        self._detail = None if cookie is None else Asked(replace(asked, thresholds=self._question.thresholds))
        return self._again()

    def _again(self) -> Round:
        """The answer of now to what was read before."""
        if self._seen is None or (self._seen.before is None and self._timed()):
            return self.first()
        return self._round(self._seen)

    def _timed(self) -> bool:
        """Whether one reading cannot decide the filter."""
        try:
            self._asked.require_interval()
        except UsageError:
            return True
        return False

    def _round(self, seen: Seen) -> Round:
        before, after, counted = seen
        flows = self._asked.answer(after, before, counted)
        return Round(
            with_rates(flows),
            None if self._every is None else identity.of_flows(self._every.answer(after)),
            None if self._detail is None else self._detail.answer(after, before, counted),
            self._others() | (self._places.tables(flows) if self._places else {}),
            self._cost,
            self._question.filter,
        )

    def _others(self) -> dict[str, Table]:
        """The tables that can be read; flows are shown without the others."""
        found = {}
        for kind, read in self._beside.items():
            with suppress(FleutanError):
                found[kind] = read()
        return found


def with_rates(flows: Table) -> Table:
    """The flows with the rates of those of which only packets tell (UDP, ICMP ...): as on the wire."""
    if not (flows.reading.interval_ns and TRAFFIC[0] in flows):
        return flows
    seconds = flows.reading.interval_ns / 1e9
    found = {}
    for direction in ("tx", "rx"):
        told, counted = flows.columns[f"{direction}_rate"], flows.columns[f"{direction}_bytes"]
        rates = np.where(told.mask(), told.values, counted.values * 8 / seconds).astype(np.int64)
        found[f"{direction}_rate"] = Column(rates, told.mask() | counted.mask())
    return flows.with_columns(found)


class Feed:
    """Rounds of a sampler, handed to ``post`` from a thread: a Round, or Failed.

    A round that takes longer than the interval is followed by a rest as long as itself.
    """

    def __init__(self, sampler: Sampler, seconds: float, post: Callable[[Round | Failed], object]) -> None:
        self._sampler = sampler
        self._seconds = seconds
        self._post = post
        self._orders: SimpleQueue[Callable[[], Round | None]] = SimpleQueue()
        self._paused = self._stopped = False
        self._thread = Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        """Begins; the first round comes after the interval."""
        self._thread.start()

    def stop(self) -> None:
        """No more rounds."""
        self._stopped = True
        self._orders.put(_nothing)

    def join(self) -> None:
        """Waits a little for a round under way."""
        if self._thread.is_alive():
            self._thread.join(ENDING)

    def pause(self, paused: bool) -> None:
        """No more rounds; the first one after the pause is about all of it."""
        self._paused = paused
        self._orders.put(_nothing)

    def ask(self, text: str) -> None:
        """Another filter from now on; its answer comes at once."""
        self._orders.put(partial(self._sampler.ask, text))

    def watch(self, cookie: int | None) -> None:
        """Tells of one flow in detail, at once and from now on."""
        self._orders.put(partial(self._sampler.watch, cookie))

    def reset(self) -> None:
        """Rates count from now."""
        self._orders.put(self._sampler.first)

    def _run(self) -> None:
        due = time.monotonic() + self._seconds
        while True:
            try:
                order = self._orders.get(timeout=None if self._paused else max(due - time.monotonic(), 0))
            except Empty:
                order = self._sampler.next
            if self._stopped:
                return
            began = time.monotonic()
            self._carry_out(order)
            if order == self._sampler.next:
                due = max(due + self._seconds, 2 * time.monotonic() - began)

    def _carry_out(self, order: Callable[[], Round | None]) -> None:
        try:
            found: Round | Failed | None = order()
        except FleutanError as error:
            found = Failed(error)
        if found is not None and not self._stopped:
            self._post(found)


def _nothing() -> None:
    """The order that only wakes the thread."""
