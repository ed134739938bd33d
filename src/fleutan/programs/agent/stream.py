# SPDX-License-Identifier: Apache-2.0
"""The stream of samples that one agent sends to all of its collectors: numbered, packed, flushed in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fleutan.exports.sflow import counters as samples_of
from fleutan.exports.sflow.datagrams import Datagrams
from fleutan.exports.sflow.numbering import Numbers
from fleutan.exports.sflow.packets import samples
from fleutan.observed import Counters, Source
from fleutan.protocols.sflow.batches import Sampled
from fleutan.protocols.sflow.layouts import DISCARDED_PACKET, FLOW_SAMPLE_EXPANDED
from fleutan.protocols.spans import Ints
from fleutan.sources.collectors import Account, Collectors

#: Samples wait so long at most for others that fill their datagram, in seconds.
LINGER = 0.25


class Identity(NamedTuple):
    """Who an agent is: its address (4 or 16 octets), its number beside others there; how long its datagrams may be."""

    address: bytes
    sub_agent: int = 100_000
    octets: int = 1400


class Stream:
    """Samples become datagrams and go to the collectors; times are of a clock that nobody sets, in seconds."""

    def __init__(self, identity: Identity, collectors: Collectors, now: float) -> None:
        self.identity = identity
        self._collectors, self._began = collectors, now
        self._datagrams = Datagrams(*identity)
        self._counters, self._flows, self._discards = Numbers(), Numbers(), Numbers()
        self._waits_since: float | None = None
        #: Samples by kind, and records that could not be written, by the reason.
        self.told, self.refused = Counter[str](), Counter[str]()

    def to(self, collectors: Collectors) -> None:
        """Goes to these from now on; numbers go on."""
        self._collectors = collectors

    def counters(self, found: Iterable[Counters], now: float) -> None:
        """Sends the counters of data sources."""
        made = []
        for one in found:
            number = self._counters.next(one.source)
            try:
                made.append(samples_of.sample(one, number))
            except (KeyError, TypeError, ValueError) as error:
                self.refused[f"counters of {one.source.ds_class}:{one.source.ds_index}: {error}"] += 1
        self.told["counters"] += len(made)
        self.ready(made, now)

    def flows(self, found: Sampled, now: float) -> None:
        """Sends sampled packets; their sequence numbers are filled in."""
        numbered = _numbered(found, self._flows)
        self.told["flows"] += found.header.rows
        self._send(self._datagrams.add_many(samples(FLOW_SAMPLE_EXPANDED, numbered), self._uptime_ms(now)), now)

    def discards(self, found: Sampled, now: float) -> None:
        """Sends dropped packets; their sequence numbers are filled in."""
        numbered = _numbered(found, self._discards)
        self.told["discards"] += found.header.rows
        self._send(self._datagrams.add_many(samples(DISCARDED_PACKET, numbered), self._uptime_ms(now)), now)

    def ready(self, made: Iterable[bytes], now: float) -> None:
        """Sends samples that are encoded already."""
        self._send(self._datagrams.add(made, self._uptime_ms(now)), now)

    def tick(self, now: float) -> None:
        """Sends what will have waited for long enough by then; to be called several times a second."""
        if self._waits_since is not None and now - self._waits_since >= LINGER:
            self.flush(now)

    def flush(self, now: float) -> None:
        """Sends what waits."""
        self._send(self._datagrams.flush(self._uptime_ms(now)), now)

    def forget(self, gone: Collection[Source]) -> None:
        """Data sources that are no more begin anew should they come back."""
        self._counters.forget(gone)
        self._flows.forget(gone)
        self._discards.forget(gone)

    @property
    def sent(self) -> int:
        """Datagrams that were made."""
        return self._datagrams.sent

    def accounts(self) -> list[Account]:
        """What went to each collector."""
        return self._collectors.accounts()

    def _uptime_ms(self, now: float) -> int:
        return int((now - self._began) * 1000)

    def _send(self, datagrams: list[bytes], now: float) -> None:
        if not self._datagrams.waiting:
            self._waits_since = None
        elif datagrams or self._waits_since is None:
            self._waits_since = now
        if datagrams:
            self._collectors.spread(datagrams, now)


def _numbered(found: Sampled, numbers: Numbers) -> Sampled:
    classes: Ints = found.head["ds_class"]
    sequence = np.zeros(len(classes), np.int64)
    for ds_class in np.unique(classes).tolist():
        rows = classes == ds_class
        sequence[rows] = numbers.many(ds_class, found.head["ds_index"][rows])
    return replace(found, head={**found.head, "sequence_number": sequence})
