# SPDX-License-Identifier: Apache-2.0
"""A question about the flows of this host, answered: joins what is read, computed and asked.

Knows no screen and no option; the command line and the library both ask through here.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.figures import is_word
from fleutan.column import Column
from fleutan.errors import UsageError
from fleutan.fields import BY_NAME, TRAFFIC, require
from fleutan.sources import flows
from fleutan.sources.capture import Capture, Choice, Reader
from fleutan.sources.words import BPF_ONLY, NETLINK_ONLY
from fleutan.table import Table

if TYPE_CHECKING:
    from fleutan.analysis.computed import Step
    from fleutan.live.packets import Packets
    from fleutan.query.predicate import Predicate
    from fleutan.sources.counting import Counted

States = Literal["connected", "listening", "all"]

#: What has a peer and is not on its way out, as ss shows by default.
CONNECTED = ("established", "syn-sent", "fin-wait-1", "fin-wait-2", "close-wait", "last-ack", "closing")
#: What waits for others: 'close' is an unconnected datagram or raw socket.
LISTENING = ("listen", "close")


@dataclass(frozen=True)
class Question:
    """What is asked: a filter, a scope, and the catalogue fields that the answer has.

    ``also`` are filters that have to hold besides.  The ``demanded`` fields have to be read
    even where that takes the dearer way; of the others those that the cheaper way does not
    give are unknown.
    """

    filter: str = ""
    also: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    demanded: frozenset[str] = frozenset()
    protos: tuple[str, ...] = ()
    family: str = ""
    states: States = "connected"
    thresholds: Mapping[str, float] = field(default_factory=dict)


class Asked:
    """A question understood: its filter compiled, the fields it needs known.

    Raises FilterError and UsageError for what cannot be understood.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        if question.states not in get_args(States):
            raise UsageError(f"no states are called {question.states!r}; there are {', '.join(get_args(States))}")
        if question.thresholds:
            from fleutan.analysis.limits import check

            check(question.thresholds)
        self._predicate = predicate_of(question)
        asked = self._predicate.fields | self._predicate.owner_fields if self._predicate else frozenset()
        for name in sorted(asked | question.demanded):
            _require_of_flows(name)
        self._named = frozenset(require(name).name for name in question.fields) | asked
        self._steps = _steps(self._named)
        #: Whether packets have to be counted for the answer.
        self.counts = bool(self._named.intersection(TRAFFIC))
        given = {name for step in self._steps for name in step.gives}.union(TRAFFIC)
        needed = [name for step in self._steps for name in step.needs]
        read = [name for name in sorted(self._named) if name not in given]
        owners = ("pids", "comm", "cgroup") if self.counts else ()  # of processes that end before all is read
        self._wanted = tuple(dict.fromkeys((*read, *needed, *_rated(self._named), *owners)))
        self.answer_by = _answer_by(question.demanded | asked)
        self._looks: tuple[tuple[Capture, Table], ...] = ()

    def require_interval(self) -> None:
        """Raises UsageError where one reading cannot decide the filter."""
        if self._predicate is not None and (timed := sorted(_timed(self._predicate.fields))):
            raise UsageError(
                f"{timed[0]} is only known over an interval: say how many seconds (-i SECS, interval=SECS in Python)"
            )

    def answer(self, capture: Capture, before: Capture | None = None, counted: Counted | None = None) -> Table:
        """The flows that the question means; with an earlier capture also what changed since.

        With what was ``counted`` meanwhile come flows that only their packets or their end told
        of, and the related table ``traffic``: the packets of the flows that are meant.

        Raises UsageError where the filter needs the earlier capture, FilterError where only the
        database finds that it cannot be evaluated.
        """
        table = deltas = self.look(capture)
        packets: Packets | None = None
        if before is None:
            self.require_interval()
        else:
            from fleutan.analysis import rates

            earlier = retimed(self.look(before), before, capture)
            if counted is None:
                interval = rates.compare(earlier, table)
            else:
                from fleutan.live.packets import compare

                interval, packets, _ = compare(earlier, table, counted, capture, self._wanted)
            table, deltas = interval.flows, interval.deltas
        rows = self._scope(table)
        if packets is None and self.counts:
            table = table.with_columns(_uncounted(len(table)))
        told_of = rows
        if self._predicate is not None:
            from fleutan.query.selection import matching

            table = self._with_steps(table, deltas, self._predicate.fields)
            rows = rows & matching(table, self._predicate)
            told_of = told_of if self._predicate.owner_fields else rows
        note = flows.ownerless(table, told_of, capture.unreadable)
        if not rows.all():
            table, deltas = _taken(table, deltas, rows)
        if note:
            table = replace(table, reading=replace(table.reading, notes=(*table.reading.notes, note)))
        table = self._with_steps(table, deltas, self._named.difference(table.columns))
        if packets is None:
            return table
        return replace(table, related={**table.related, "traffic": packets.of(rows).told(table)})

    def look(self, capture: Capture) -> Table:
        """The flows of a capture as they were read; kept, of the last two captures, for the answer.

        What processes are is asked here and not of the capture: soon after it they are still there.
        """
        for seen, table in self._looks:
            if seen is capture:
                return table
        table = flows.table(capture, self._wanted, host_name())
        self._looks = (*self._looks[-1:], (capture, table))
        return table

    def _with_steps(self, table: Table, counted: Table, named: frozenset[str]) -> Table:
        """The table with the computed fields among those named."""
        for step in self._steps:
            missing = named.intersection(step.gives)
            if missing:
                table = table.with_columns(step.columns(counted, self.question.thresholds, missing))
        return table

    def _scope(self, table: Table) -> NDArray[np.bool_]:
        question = self.question
        kept = np.ones(len(table), np.bool_)
        if question.protos:
            kept &= is_word(table, "proto", *question.protos)
        if question.family:
            kept &= is_word(table, "family", question.family)
        if question.states == "listening":
            kept &= is_word(table, "state", *LISTENING)
        elif question.states == "connected" and not (self._predicate and "state" in self._predicate.fields):
            kept &= is_word(table, "state", *CONNECTED) | _moved(table)
        return kept


def _taken(table: Table, deltas: Table, rows: NDArray[np.bool_]) -> tuple[Table, Table]:
    """These rows of both; the columns that they share are taken once."""
    numbers = np.flatnonzero(rows)  # by numbers a column is taken in half the time
    columns = {id(column): column for one in (table, deltas) for column in one.columns.values()}
    found = {name: column.take(numbers) for name, column in columns.items()}
    taken, differences = (
        replace(one, columns={name: found[id(column)] for name, column in one.columns.items()})
        for one in (table, deltas)
    )
    return taken, taken if deltas is table else differences


def _uncounted(rows: int) -> dict[str, Column]:
    """The fields of packets where none were counted: unknown."""
    unknown = Column(np.zeros(rows, np.int64), np.zeros(rows, np.bool_))
    return dict.fromkeys(TRAFFIC, unknown)


def _moved(table: Table) -> NDArray[np.bool_]:
    """Which flows had packets in the interval; none where none were counted."""
    if TRAFFIC[0] not in table:
        return np.zeros(len(table), np.bool_)
    from fleutan.analysis.traffic import moved

    return moved(table)


def predicate_of(question: Question) -> Predicate | None:
    """The filters as one condition; None where there is nothing to filter."""
    texts = [text for text in (question.filter, *question.also) if text.strip()]
    if not texts:
        return None
    from fleutan.query import filter as filters
    from fleutan.query.predicate import compile as compiled

    return compiled(filters.all_of(map(filters.parse, texts)))


def _require_of_flows(name: str) -> None:
    """Raises UsageError for a field of other tables, which no flow could have."""
    if not BY_NAME[name].of_flows:
        raise UsageError(f"{name} is not known of flows; 'fleutan fields' lists what is")


def _steps(named: frozenset[str]) -> list[Step]:
    """The steps that make the computed fields among those named."""
    if not any(BY_NAME[name].source == "computed" for name in named):
        return []
    from fleutan.analysis.computed import STEPS

    return [step for step in STEPS if named.intersection(step.gives)]


def _answer_by(demanded: frozenset[str]) -> Choice:
    """The way of reading that gives the fields, where only one does."""
    if demanded & BPF_ONLY:
        return "bpf"
    return "netlink" if demanded & NETLINK_ONLY else "auto"


def _rated(named: frozenset[str]) -> list[str]:
    """The counters behind the rates that are named."""
    if not _timed(named) - frozenset(TRAFFIC):
        return []
    from fleutan.analysis import rates

    return [rate.counter for rate in rates.RATES]


def _timed(named: frozenset[str]) -> frozenset[str]:
    """Those that say what happened between two readings."""
    counted = named.intersection(TRAFFIC)
    if not any(BY_NAME[name].source == "computed" for name in named):
        return counted
    from fleutan.analysis import rates

    return counted | named.intersection(rates.FIELDS)


def retimed(table: Table, before: Capture, after: Capture) -> Table:
    """The earlier table with its time on the later one's clock, which may have been set in between."""
    at_ns = after.at_ns - (after.steady_ns - before.steady_ns)
    return replace(table, reading=replace(table.reading, at_ns=at_ns))


def host_name() -> str:
    """This host's name."""
    return socket.gethostname()


def ask(question: Question, netns: str | None = None, source: Choice = "auto", interval: float | None = None) -> Table:
    """Reads this host and answers; with ``interval`` reads twice, so many seconds apart.

    Raises UsageError for a wrong question, NotSupported and Gone as ``Reader`` does.
    """
    asked = Asked(question)
    if interval is None:
        asked.require_interval()
    elif not (isfinite(interval) and interval > 0):
        raise UsageError(f"an interval of {interval} seconds: say a number above 0")
    with Reader(netns, source, asked.answer_by) as reader:
        if interval is None:
            return asked.answer(reader.take())
        from fleutan.live.rounds import Rounds

        with Rounds(asked, reader) as rounds:
            return rounds.after(interval)
