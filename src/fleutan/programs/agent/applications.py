# SPDX-License-Identifier: Apache-2.0
"""Applications that tell of themselves in JSON, as data sources of the agent: their counters and transactions.

An application is known by its name, from its first message until it has been silent for two hours.
Of one that sends transactions only, counters are made of these; when it begins or ends to send its
own, its data source begins anew, so that nobody takes the difference of the two.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

from fleutan.config.agents import Application
from fleutan.exports.sflow.numbering import Numbers
from fleutan.observed import ENTITY, HOST, Counters, Source
from fleutan.programs.agent.listening import Listening
from fleutan.protocols.applications import STATUS, Figures, Named, Refused, Said, Structures, Transaction, read
from fleutan.protocols.sflow.encoder import element, encode_sample, sample
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED, FLOWS

#: Applications that are known at a time.  Host sFlow's numbers of those that have no port begin there.
MOST, FIRST, NUMBERS = 1_000, 150_000, 50_000
#: After so many seconds without its own counters they are made of transactions; without anything, it is forgotten.
OWN, SILENT = 120.0, 7_200.0
#: Reasons of what was refused that have a count of their own.
REASONS = 256
TOO_MANY = f"more than {MOST} applications"
PARENT = {"container_type": HOST, "container_index": 1}
_INTERNAL = 0x3FFF_FFFF
_LAYOUTS = {layout.name: layout for layout in FLOWS}


class Sampled(NamedTuple):
    """A transaction that is told: one of ``rate``, of ``pool`` so far; ``structures`` are ready to be written."""

    source: Source
    rate: int
    pool: int
    drops: int
    is_client: bool
    structures: Structures


@dataclass
class _Known:
    """An application; ``counted`` are its transactions by status, ``own`` the counters that it sent last."""

    name: str
    source: Source
    one_in: int
    heard: float
    own_at: float
    pool: int = 0
    counted: list[int] = field(default_factory=lambda: [0] * len(STATUS))
    own: Structures = ()
    is_fresh: bool = False
    #: Whether its last counters were its own, and its operations among them; None before the first.
    told: tuple[bool, bool] | None = None


Rates = Callable[[str], int]


def rates(applications: Mapping[str, Application], default: int) -> Rates:
    """One transaction in how many is told of an application: as its deepest dotted prefix says; 0 for none."""

    def one_in(name: str) -> int:
        word = f"app.{name}"
        while word:
            said = applications.get(word)
            if said is not None and said.sampling is not None:
                return said.sampling
            word = word.rpartition(".")[0]
        return default

    return one_in


class Applications:
    """A source of counters, and of samples that are ready; times are of a clock that nobody sets, in seconds."""

    def __init__(self, listening: Listening, one_in: Rates, chance: Callable[[], float] = random.random) -> None:
        self._listening, self._one_in, self._chance = listening, one_in, chance
        self._known: dict[str, _Known] = {}
        self._sources: dict[Source, _Known] = {}
        self._anew: set[Source] = set()
        self._numbers = Numbers()
        self._now = 0.0
        self._looked = float("-inf")
        self.refused: Counter[str] = Counter()

    def set_rates(self, one_in: Rates) -> None:
        """Has other rates from now on."""
        self._one_in = one_in
        for one in self._known.values():
            one.one_in = one_in(one.name)

    def sources(self) -> list[Source]:
        """Applications that are known; one that begins anew is away for once."""
        found = [source for source in self._sources if source not in self._anew]
        self._anew.clear()
        return found

    def read(self, wanted: Collection[Source]) -> Iterator[Counters]:
        """The counters of these, where there are new ones."""
        for source in wanted:
            if (one := self._sources.get(source)) is not None:
                yield from self._counters(one)

    def notes(self) -> list[str]:
        """What was not taken, and why."""
        lost = self._listening.lost
        return [
            *self._listening.notes(),
            *([f"applications: {lost:,} messages found no room"] if lost else []),
            *(f"applications: {many:,} refused: {reason}" for reason, many in self.refused.most_common(8)),
        ]

    def samples(self, now: float) -> list[bytes]:
        """Samples of what came since the last time, as they stand in a datagram."""
        return [*map(self._encoded, self.take(now))]

    def take(self, now: float) -> list[Sampled | Named]:
        """What came since the last time and is to be told."""
        self._now = now
        if now - self._looked >= SILENT / 100:
            self._forget(now)
        told = (self._told(said) for message in self._listening.messages() for said in read(message))
        return [one for one in told if one is not None]

    def _told(self, said: Said) -> Sampled | Named | None:
        match said:
            case Transaction():
                return self._transaction(said)
            case Figures():
                self._figures(said)
            case Named():
                return said
            case Refused(reason):
                self._refuse(reason)
        return None

    def _refuse(self, reason: str) -> None:
        self.refused[reason if reason in self.refused or len(self.refused) < REASONS else "others"] += 1

    def _transaction(self, said: Transaction) -> Sampled | None:
        """Counts it; tells it if chance will have it, so that one in as many as is wished is told."""
        one = self._application(said.application, said.port)
        if one is None:
            return None
        one.pool += said.rate
        one.counted[said.status] += said.rate
        if not one.one_in:
            return None
        times = max(1, one.one_in // said.rate)
        if times > 1 and self._chance() * times >= 1:
            return None
        return Sampled(one.source, said.rate * times, one.pool, 0, said.is_client, said.structures)

    def _figures(self, said: Figures) -> None:
        one = self._application(said.application, said.port)
        if one is not None:
            one.own, one.own_at, one.is_fresh = said.structures, self._now, True

    def _application(self, name: str, port: int) -> _Known | None:
        """The one of this name; None if there are too many."""
        one = self._known.get(name)
        if one is None:
            if len(self._known) >= MOST:
                self._refuse(TOO_MANY)
                return None
            source = self._free(name, port)
            one = _Known(name, source, self._one_in(name), self._now, self._now)
            self._known[name] = self._sources[source] = one
        one.heard = self._now
        return one

    def _free(self, name: str, port: int) -> Source:
        """Its port as a number, or one made of its name: the same after a restart, if it is not another's."""
        if port and Source(ENTITY, port) not in self._sources:
            return Source(ENTITY, port)
        begin = crc32(name.encode("utf-8", "replace"))
        numbers = (FIRST + (begin + step) % NUMBERS for step in range(MOST + 1))
        return next(one for number in numbers if (one := Source(ENTITY, number)) not in self._sources)

    def _forget(self, now: float) -> None:
        self._looked = now
        silent = [one for one in self._known.values() if now - one.heard > SILENT]
        for one in silent:
            del self._known[one.name], self._sources[one.source]
        self._numbers.forget([one.source for one in silent])

    def _counters(self, one: _Known) -> Iterator[Counters]:
        has_own = one.own != () and self._now - one.own_at < OWN
        told = (has_own, has_own and any(name == "app_operations" for name, _ in one.own))
        if not has_own and self._now - one.own_at < OWN:
            return  # its own may come yet
        if one.told not in (None, told):
            self._anew.add(one.source)
        elif one.is_fresh or not has_own:
            yield Counters(one.source, dict(self._structures(one, *told)), {"app": one.name})
        one.told = told
        one.is_fresh &= one.source in self._anew

    def _structures(self, one: _Known, has_own: bool, has_operations: bool) -> Iterable[tuple[str, Mapping[str, Any]]]:
        if not has_operations:
            counted = dict(zip(STATUS, one.counted, strict=True))
            yield "app_operations", {"application": one.name, **counted}
        if has_own:
            yield from one.own
        yield "host_parent", PARENT

    def _encoded(self, told: Sampled | Named) -> bytes:
        if isinstance(told, Named):
            return encode_sample(sample(told.layout, told.values))
        # As Host sFlow says it: what the application asked of others went out from the host itself.
        ends = (_INTERNAL, 0) if told.is_client else (0, _INTERNAL)
        head = {
            "sequence_number": self._numbers.next(told.source),
            **told.source._asdict(),
            "sampling_rate": told.rate,
            "sample_pool": told.pool & 0xFFFF_FFFF,
            "drops": told.drops,
            "input_format": 0,
            "input_value": ends[0],
            "output_format": 0,
            "output_value": ends[1],
        }
        elements = [element(_LAYOUTS[name], fields) for name, fields in told.structures]
        return encode_sample(sample(FLOW_SAMPLE_EXPANDED, head, elements))
