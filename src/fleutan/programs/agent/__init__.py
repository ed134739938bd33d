# SPDX-License-Identifier: Apache-2.0
"""The agent: this host's counters, sampled packets and dropped ones, exported as sFlow and in other forms.

``run`` is the loop.  What is observed is the business of its sources, how it is written that of the
stream and of the other outlets.  Nothing that one of them does wrong stops the others.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from fleutan.observed import Counters, Source
from fleutan.programs.agent.schedule import Schedule
from fleutan.programs.agent.stream import Stream
from fleutan.programs.signals import Orders
from fleutan.protocols.sflow.batches import Sampled
from fleutan.sources.collectors import GAP, Collectors
from fleutan.sources.counters import CounterSource

LOG = logging.getLogger("fleutan.agent")
#: How often applications' messages are looked for, packets (a batch costs as much as some hundred packets in it), and
#: everything else; in seconds.
SOON, LOOK, TICK = 0.1, 0.5, 1.0
#: Reasons of failures that have a count of their own.
REASONS = 256
T = TypeVar("T")


class Packets(Protocol):
    """Where sampled or dropped packets come from."""

    def wait(self, seconds: float) -> None:
        """Waits until there are some, or so long."""

    def batch(self, now: float) -> Sampled | None:
        """What came since the last time."""


class Ready(Protocol):
    """Where samples come from that are encoded already: those of applications."""

    def samples(self, now: float) -> list[bytes]:
        """What came since the last time."""


class Outlet(Protocol):
    """Where observations go besides sFlow; takes without waiting."""

    def counters(self, found: Sequence[Counters], at_ns: int) -> None:
        """Takes the counters of data sources."""

    def tick(self, now: float) -> None:
        """Is told the time about once a second."""


class Taker(Protocol):
    """Where sampled packets go besides sFlow; takes without waiting."""

    @property
    def collectors(self) -> Collectors:
        """Those that it sends to."""

    def packets(self, sampled: Sampled, now: float) -> None:
        """Takes a batch."""


@dataclass
class Parts:
    """What an agent is made of; each part is open while it runs."""

    stream: Stream
    collectors: Collectors
    schedule: Schedule
    counters: Sequence[CounterSource] = ()
    flows: Sequence[Packets] = ()
    discards: Sequence[Packets] = ()
    ready: Sequence[Ready] = ()
    outlets: Sequence[Outlet] = ()
    takers: Sequence[Taker] = ()
    #: Called about once a second.
    looked: Callable[[Agent], object] = lambda _: None


@dataclass
class Agent:
    """An agent as it goes on; ``failures`` counts what its parts did wrong, by part and reason.

    ``renewed`` ends it as an order to reload does: what it was put together for is another now.
    """

    parts: Parts
    failures: Counter[str] = field(default_factory=Counter)
    polls: int = 0
    renewed: bool = False
    _ticked: float = float("-inf")

    def run(self, orders: Orders, steady: Callable[[], float] = time.monotonic) -> None:
        """Goes on until it is ordered to stop or to reload; what waits then is sent."""
        while not (orders.came or self.renewed):
            self.step(steady())
            self._wait(steady())
        self._take(steady())
        self.parts.stream.flush(steady())
        for one in self._ways:
            self._tried(one.drain, steady())

    def step(self, now: float) -> None:
        """Does what is due."""
        if now - self._ticked >= TICK:
            self._ticked = now
            self._tick(now)
        self._take(now)

    def _take(self, now: float) -> None:
        """Takes what came."""
        parts, stream = self.parts, self.parts.stream
        for sources, tell in ((parts.flows, stream.flows), (parts.discards, stream.discards)):
            for one in sources:
                if (batch := self._tried(one.batch, now)) is not None:
                    self._tried(tell, batch, now)
                    for taker in parts.takers if sources is parts.flows else ():
                        self._tried(taker.packets, batch, now)
        for more in parts.ready:
            stream.ready(self._tried(more.samples, now) or (), now)
        stream.tick(now + self._pause)

    def _tick(self, now: float) -> None:
        parts = self.parts
        self._tried(parts.collectors.tick, now)
        present = {source: one for one in parts.counters for source in self._tried(_listed, one) or ()}
        due, gone = parts.schedule.due(present, now)
        found = self.read(parts.counters, present, due)
        parts.stream.counters(found, now)
        parts.stream.forget(gone)
        at_ns = time.time_ns()
        for outlet in parts.outlets:
            if found:
                self._tried(outlet.counters, found, at_ns)
            self._tried(outlet.tick, now)
        self._tried(parts.looked, self)

    def read(
        self, sources: Sequence[CounterSource], present: Mapping[Source, CounterSource], due: Sequence[Source]
    ) -> list[Counters]:
        """The counters of the data sources that are due."""
        found: list[Counters] = []
        for one in sources:
            if mine := [source for source in due if present[source] is one]:
                found += self._tried(_read, one, mine) or ()
        self.polls += len(found)
        return found

    @property
    def _ways(self) -> list[Collectors]:
        """All that takes a piece at a time."""
        return [self.parts.collectors, *(one.collectors for one in self.parts.takers)]

    @property
    def _pause(self) -> float:
        return SOON if self.parts.ready else LOOK

    def _wait(self, now: float) -> None:
        """Until there are packets, or something else is due; what is to be sent is spread over half of that time."""
        left = min(self._pause, self._ticked + TICK - now)
        if pieces := max(one.pieces for one in self._ways):
            pause = max(left / 2 / pieces, GAP)
            left -= pieces * pause
            for _ in range(pieces):
                self._rest(pause)
                for one in self._ways:
                    self._tried(one.more, now)
        if left > 0:
            self._rest(left)

    def _rest(self, seconds: float) -> None:
        """So long, less where packets cannot wait."""
        for packets in (*self.parts.flows, *self.parts.discards)[:1]:
            if self._tried(_waited, packets, seconds):
                return
        time.sleep(seconds)  # also for who cannot wait, so that nothing runs without a pause

    def _tried(self, work: Callable[..., T], *given: object) -> T | None:
        """What a part gives; where it fails that is counted, said once, and the others go on."""
        try:
            return work(*given)
        except Exception as error:  # whatever a part does, it must not end what the others do
            part = type(getattr(work, "__self__", given[0])).__name__
            reason = f"{part}: {str(error) or type(error).__name__}"
            if reason not in self.failures and len(self.failures) >= REASONS:
                reason = "others"
            if not self.failures[reason]:
                LOG.warning("%s", reason, exc_info=LOG.isEnabledFor(logging.DEBUG))
            self.failures[reason] += 1
            return None


def _listed(source: CounterSource) -> list[Source]:
    return [*source.sources()]


def _read(source: CounterSource, wanted: list[Source]) -> list[Counters]:
    return [*source.read(wanted)]


def _waited(packets: Packets, seconds: float) -> bool:
    packets.wait(seconds)
    return True
