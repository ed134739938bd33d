# SPDX-License-Identifier: Apache-2.0
"""Metrics of data sources for StatsD and Graphite: names with dots, values in base units.

A name is ``fleutan.HOST.SUBJECT.LABELS.METRIC.LABELS``: labels that tell a source from others stand
before, those that tell series of a metric apart behind.  What is information only is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fleutan.exports.metrics import COUNTER, INFO, PREFIX, Labels, Metric, identity, metrics
from fleutan.observed import Counters

#: Octets of a datagram: what Ethernet carries, less IPv6, UDP and a tunnel.
DATAGRAM = 1_432
#: Counters whose last value is remembered.
MOST = 100_000
#: Of a name's part.
_LONGEST = 64
_ODD = re.compile(r"[^A-Za-z0-9_-]+")


def name(host: str, subject: str, own: Labels, metric: str, more: Labels) -> str:
    """The name of a series; what is no letter, digit, _ or - is _."""
    parts = [host, subject, *(value for _, value in own), metric, *(value for _, value in more)]
    return ".".join([PREFIX, *(_ODD.sub("_", part[:_LONGEST]) or "_" for part in parts)])


def _named(found: Iterable[Counters], host: str) -> Iterator[tuple[str, Metric]]:
    """Series and their names; of those that have one name only the first."""
    seen = set()
    for one in found:
        own = len(identity(one)[1])
        for metric in metrics([one]):
            if metric.family.kind != INFO:
                said = name(host, metric.subject, metric.labels[:own], metric.family.name, metric.labels[own:])
                if said not in seen:
                    seen.add(said)
                    yield said, metric


def graphite(found: Iterable[Counters], at_ns: int, host: str) -> list[bytes]:
    """Lines of Graphite's plaintext protocol, with their ends: counters as they stand."""
    seconds = at_ns // 10**9
    return [f"{said} {metric.value} {seconds}\n".encode() for said, metric in _named(found, host)]


class Deltas:
    """Makes StatsD's lines: of gauges their value, of counters what they grew by since the last time.

    The first value of a counter says nothing; one that is smaller than before began anew.  Counters
    that were not told for longest are forgotten.
    """

    def __init__(self, host: str, most: int = MOST) -> None:
        self._host, self._most = host, most
        self._before: dict[str, int | float] = {}

    def lines(self, found: Iterable[Counters]) -> list[bytes]:
        """The lines, without their ends."""
        made = [line for said, metric in _named(found, self._host) for line in self._lines(said, metric)]
        for said in [*self._before][: max(0, len(self._before) - self._most)]:
            del self._before[said]
        return made

    def _lines(self, said: str, metric: Metric) -> Iterator[bytes]:
        if metric.family.kind != COUNTER:
            if metric.value < 0:  # with a sign it would be added
                yield f"{said}:0|g".encode()
            yield f"{said}:{_plain(metric.value)}|g".encode()
            return
        before = self._before.pop(said, None)
        self._before[said] = metric.value
        if before is not None:
            grown = metric.value - before if metric.value >= before else metric.value
            if grown:
                yield f"{said}:{_plain(grown)}|c".encode()


def _plain(value: int | float) -> str:
    """A number without an exponent, which not all who speak StatsD can read."""
    return str(value) if isinstance(value, int) else f"{value:.9f}".rstrip("0").rstrip(".")


def datagrams(lines: Iterable[bytes], most: int = DATAGRAM) -> list[bytes]:
    """The lines in datagrams of at most so many octets."""
    made: list[bytes] = []
    for line in lines:
        if made and len(made[-1]) + 1 + len(line) <= most:
            made[-1] += b"\n" + line
        else:
            made.append(line)
    return made
