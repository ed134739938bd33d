# SPDX-License-Identifier: Apache-2.0
"""Who sends what: an account of every exporter over many batches, as a Table of kind ``exporters``.

A row is a stream of datagrams with sequence numbers of its own: an exporter's address, the
protocol, the observation domain (or sub-agent), and of sFlow the agent.  What could not be read is
counted by reason beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fleutan.analysis.alike import groups
from fleutan.column import Column, text_column
from fleutan.protocols.netflow.accounts import accounts
from fleutan.protocols.netflow.decoding import Batch
from fleutan.protocols.netflow.flows import sampling
from fleutan.protocols.sequences import Sequences, totals
from fleutan.protocols.sflow import columns as sflow
from fleutan.protocols.sflow.layouts import (
    COUNTERS_SAMPLE,
    COUNTERS_SAMPLE_EXPANDED,
    DISCARDED_PACKET,
    FLOW_SAMPLE,
    FLOW_SAMPLE_EXPANDED,
)
from fleutan.records import Records, Values, concatenate
from fleutan.sources.exported import PROTOCOLS, SFLOW_VERSIONS, Decoded
from fleutan.table import Reading, Table

#: So many streams have a row of their own; what is of further ones is counted together.
STREAMS = 1 << 14
#: So many sampling rates of a stream are told.
RATES = 8
#: So many problems are told apart; forged numbers of structures would be problems without end.
PROBLEMS = 1 << 12
#: Where those beyond were met.
ELSEWHERE = "others"
#: What is the matter with a structure that has no layout, or comes twice in a sample.
UNKNOWN = "not known, or not the first of its sample"
#: What is counted of each datagram.
COUNTS = (
    *("datagrams", "octets", "flow_records", "packet_samples", "counter_samples", "discards", "option_records"),
    *("templates", "unread_sets", "rejected", "missing", "late", "repeated", "restarts"),
)
#: What tells streams apart; addresses are two numbers each.
_KEYS = ("exporter", "agent", "protocol", "domain")
_SAMPLES = {
    "packet_samples": (FLOW_SAMPLE.tag, FLOW_SAMPLE_EXPANDED.tag),
    "counter_samples": (COUNTERS_SAMPLE.tag, COUNTERS_SAMPLE_EXPANDED.tag),
    "discards": (DISCARDED_PACKET.tag,),
}
#: Numbers of no agent, no domain.
_NONE = -1
Key = tuple[int, ...]


@dataclass
class Stream:
    """What is known of one: counts by name, when it was first and last heard (UTC), its sampling rates.

    ``told`` are the counts that ``fresh`` has given.
    """

    counts: Counter[str] = field(default_factory=Counter)
    first_ns: int = 0
    last_ns: int = 0
    rates: set[int] = field(default_factory=set)
    told: Counter[str] = field(default_factory=Counter)


class Problem(NamedTuple):
    """Why so many pieces of datagrams were not read: ``where`` is the protocol or the structure."""

    where: str
    reason: str
    times: int


class Accounts:
    """Every stream so far; at most ``streams`` of them have a row of their own."""

    def __init__(self, streams: int = STREAMS) -> None:
        self._most = streams
        self._streams: dict[Key, Stream] = {}
        self._others = Stream()
        self._sequences = Sequences()
        self._problems: Counter[tuple[str, str]] = Counter()
        self._at_ns = 0

    def add(self, found: Decoded) -> None:
        """Counts a batch."""
        rows = concatenate(_rows(found))
        if not rows.rows:
            return
        keys = [half for name in _KEYS for half in _halves(rows.values[name])]
        group, some = groups(keys)
        names = [tuple(int(key[row]) for key in keys) for row in some.tolist()]
        sums = self._sums(rows, names, group)
        times = rows.values["at_ns"]
        streams = [self._stream(name) for name in names]
        for number, stream in enumerate(streams):
            stream.counts.update({count: int(column[number]) for count, column in sums.items()})
            mine = times[group == number]
            stream.first_ns = min(stream.first_ns or int(mine.min()), int(mine.min()))
            stream.last_ns = max(stream.last_ns, int(mine.max()))
        self._at_ns = max(self._at_ns, int(times.max()))
        of_datagram = np.empty(rows.rows, np.int64)
        of_datagram[rows.values["place"]] = group
        for datagrams, rates in self._read(found):
            _rate(streams, of_datagram[datagrams], rates)

    def _stream(self, name: Key) -> Stream:
        if name in self._streams:
            return self._streams[name]
        if len(self._streams) >= self._most:
            return self._others
        return self._streams.setdefault(name, Stream())

    def _sums(self, rows: Records, names: list[Key], group: Values) -> dict[str, Values]:
        """Each count by stream; with what the sequence numbers say."""
        size = len(names)
        found = {
            name: np.bincount(group, rows.values[name], size).astype(np.int64) for name in COUNTS if name in rows.values
        }
        told = np.flatnonzero(rows.known.get("sequence", np.ones(rows.rows, np.bool_)))
        step = rows.values["advance"][told]
        arrivals = self._sequences.follow(names, group[told], rows.values["sequence"][told], step)
        told_of = totals(arrivals, group[told], step, size)
        found["missing"] = told_of.missing - told_of.found
        found["late"], found["repeated"], found["restarts"] = told_of.late, told_of.again, told_of.anew
        return found

    def _read(self, found: Decoded) -> Iterator[tuple[Values, Values]]:
        """Counts problems by where they were met; gives sampling rates, each with the row of a datagram."""
        if found.netflow is not None:
            self._count({("NetFlow", reason): many for reason, many in found.netflow.noted.counts.items()})
            yield from ((found.netflow_rows[rows], rates) for rows, rates in _told(found.netflow))
        if found.samples is not None:
            packets = found.samples.flows
            for part in (packets, found.samples.discards, found.samples.counters):
                self._count(_where(part.problems))
                self._count({(f"structure {tag}", UNKNOWN): many for tag, many in part.skipped.items()})
            self._count(_where(found.samples.walk.problems))
            yield found.sflow_rows[packets.records.values["datagram"]], packets.records.values["sampling_rate"]

    def _count(self, problems: Mapping[tuple[str, str], int]) -> None:
        for (where, reason), many in problems.items():
            known = (where, reason) in self._problems or len(self._problems) < PROBLEMS
            self._problems[where if known else ELSEWHERE, reason] += many

    def table(self, host: str = "", most: int | None = None) -> Table:
        """The streams, those that sent most first; the last row, without an exporter, is of all others.

        With ``most`` so many streams at the most.
        """
        named = sorted(self._streams.items(), key=lambda one: -one[1].counts["datagrams"])[:most]
        return self._table(named, [stream.counts for _, stream in named], self._others.counts, host)

    def total(self, name: str) -> int:
        """The sum of a count over all streams."""
        return sum(stream.counts[name] for stream in (*self._streams.values(), self._others))

    def fresh(self, since_ns: int) -> Table:
        """What each stream sent since the last time, with ``time`` (``since_ns``), but for those that sent nothing."""
        named = [(key, stream) for key, stream in self._streams.items() if stream.counts != stream.told]
        counts = [_less(stream.counts, stream.told) for _, stream in named]
        table = self._table(named, counts, _less(self._others.counts, self._others.told))
        for stream in (*(stream for _, stream in named), self._others):
            stream.told = Counter(stream.counts)
        return table.with_columns({"time": Column(np.full(len(table), since_ns))})

    def _table(
        self, named: list[tuple[Key, Stream]], counts: list[Counter[str]], others: Counter[str], host: str = ""
    ) -> Table:
        streams = [stream for _, stream in named]
        keys = np.array([name for name, _ in named], np.int64).reshape(-1, 6)
        if any(others.values()):
            streams, counts = [*streams, self._others], [*counts, others]
            keys = np.vstack((keys, np.full((1, 6), _NONE)))
        own = np.arange(len(keys)) < len(named)
        columns = {
            "exporter": Column(keys[:, :2], own),
            "agent": Column(keys[:, 2:4], own & (keys[:, 2:4] != _NONE).any(axis=1)),
            "protocol": text_column([PROTOCOLS.get(number, "unknown") for number in keys[:, 4].tolist()]),
            "domain": Column(keys[:, 5], own & (keys[:, 5] != _NONE)),
            **{name: _whole(count[name] for count in counts) for name in COUNTS},
            "rates": _lists(tuple(sorted(stream.rates)) for stream in streams),
            "first_seen": _whole(stream.first_ns for stream in streams),
            "last_seen": _whole(stream.last_ns for stream in streams),
        }
        return Table("exporters", columns, Reading(host, "", self._at_ns, 0, "sFlow, NetFlow, IPFIX"))

    def problems(self) -> Iterator[Problem]:
        """What could not be read, the most frequent first."""
        for (where, reason), many in sorted(self._problems.items(), key=lambda one: (-one[1], one[0])):
            yield Problem(where, reason, many)


def _less(counts: Counter[str], told: Counter[str]) -> Counter[str]:
    """How much more was counted; less where what was missing came late."""
    found = Counter(counts)
    found.subtract(told)
    return found


def _rate(streams: list[Stream], group: Values, rates: Values) -> None:
    """Remembers the rates that are none of 0; ``group`` says of which stream each is."""
    group, rates = group[rates > 0], rates[rates > 0]
    for row in groups([group, rates])[1].tolist():
        stream = streams[group[row]]
        if len(stream.rates) < RATES:
            stream.rates.add(int(rates[row]))


def _told(batch: Batch) -> Iterator[tuple[Values, Values]]:
    """Sampling rates of records, each with a datagram of its exporter: of what had waited, one that came now."""
    since = batch.since
    here = since.datagram >= 0
    of_scope = np.zeros(len(since.scopes), np.int64)
    of_scope[since.scope[here]] = since.datagram[here]
    for group in batch.of(options=False):
        datagram = since.datagram[group.sets]
        yield np.where(datagram >= 0, datagram, of_scope[since.scope[group.sets]]), sampling(batch, group)


def _where(problems: sflow.Problems) -> dict[tuple[str, str], int]:
    return {(structure, str(reason)): many for (reason, structure), many in problems.items()}


def _whole(numbers: Iterable[int]) -> Column:
    return Column(np.fromiter(numbers, np.int64))


def _lists(values: Iterable[tuple[int, ...]]) -> Column:
    found = list(values)
    words = list(dict.fromkeys(found))
    return Column(np.array([words.index(one) if one else -1 for one in found], np.int32), None, tuple(words))


def _halves(column: Values) -> list[Values]:
    return [np.ascontiguousarray(half) for half in column.T] if column.ndim == 2 else [column]


def _rows(found: Decoded) -> Iterator[Records]:
    """A row a datagram, of each family, with its key and what is counted of it."""
    known = np.isin(np.arange(len(found.datagrams.at_ns)), np.concatenate((found.netflow_rows, found.sflow_rows)))
    if found.netflow is not None:
        yield _common(found, found.netflow_rows, **_netflow(found.netflow))
    if found.sflow is not None:
        yield _common(found, found.sflow_rows, **_sflow(found))
    if not known.all():
        rows = np.flatnonzero(~known)
        ones, none = np.ones(len(rows), np.int64), np.full(len(rows), _NONE)
        yield _common(found, rows, protocol=none, domain=none, rejected=ones)


def _common(found: Decoded, rows: Values, **more: Any) -> Records:
    seen = found.datagrams.take(rows)
    values = {
        "exporter": seen.source,
        "agent": np.full((len(rows), 2), _NONE),
        "place": rows,
        "at_ns": seen.at_ns,
        "datagrams": np.ones(len(rows), np.int64),
        "octets": seen.sizes,
        **dict.fromkeys(COUNTS[2:10], np.zeros(len(rows), np.int64)),
        "sequence": np.zeros(len(rows), np.int64),
        "advance": np.zeros(len(rows), np.int64),
    }
    known = {"sequence": more.pop("sequence_known", np.zeros(len(rows), np.bool_))}
    return Records(len(rows), values | more, known)


def _netflow(batch: Batch) -> dict[str, Values]:
    told = accounts(batch)
    values, known = told.values, told.known
    return {
        "protocol": np.where(known["protocol"], values["protocol"], _NONE),
        "domain": np.where(known["domain"], values["domain"], _NONE),
        "flow_records": values["flows"],
        "option_records": values["options"],
        "templates": values["templates"],
        "unread_sets": values["unread"],
        "rejected": known["rejected"].astype(np.int64),
        "sequence": values["sequence"],
        "sequence_known": known["sequence"] & known["advance"],
        "advance": values["advance"],
    }


def _sflow(found: Decoded) -> dict[str, Values]:
    walk = found.sflow
    if walk is None:
        return {}
    heads, size = walk.datagrams, walk.datagrams.rows
    read = heads.known.get("sequence_number", np.ones(size, np.bool_))
    agent = heads.known.get("agent", np.ones(size, np.bool_))
    counts = {
        name: np.bincount(walk.samples.owner[np.isin(walk.tags, tags)], minlength=size)
        for name, tags in _SAMPLES.items()
    }
    return {
        "protocol": found.recognised.version[found.sflow_rows] + SFLOW_VERSIONS,
        "domain": np.where(heads.known["sub_agent_id"], heads.values["sub_agent_id"], _NONE),
        "agent": np.where(agent[:, None], heads.values["agent"], _NONE),
        **{name: column.astype(np.int64) for name, column in counts.items()},
        "rejected": (~read).astype(np.int64),
        "sequence": heads.values["sequence_number"],
        "sequence_known": read,
        "advance": np.ones(size, np.int64),
    }
