# SPDX-License-Identifier: Apache-2.0
"""A question to this host, answered: joins what is read, what is computed and what is asked.

Knows no screen and no option; the command line and the library both ask through here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis import limits, rates, volume
from fleutan.analysis.figures import is_word
from fleutan.column import Column
from fleutan.fields import require
from fleutan.query import filter as filters
from fleutan.query.predicate import compile as predicate_of
from fleutan.query.selection import matching
from fleutan.sources import flows
from fleutan.sources.capture import Capture, Choice, Reader
from fleutan.sources.words import BPF_ONLY
from fleutan.table import Table

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


@dataclass(frozen=True)
class Step:
    """Computed fields: what a step gives, the fields it needs, and how it makes them."""

    gives: tuple[str, ...]
    needs: tuple[str, ...]
    columns: Callable[[Table, Mapping[str, float], frozenset[str]], Mapping[str, Column]]


#: What is computed row by row; the table given is that of the interval where there is one.
STEPS = (
    Step(volume.GIVES, volume.NEEDS, lambda table, _, fields: _of(volume.columns(table), fields)),
    Step(limits.GIVES, limits.NEEDS, limits.verdicts),
)


class Asked:
    """A question understood: its filter compiled, the fields it needs known.

    Raises FilterError and UsageError for what cannot be understood.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self._predicate = predicate_of(filters.all_of(map(filters.parse, (question.filter, *question.also))))
        self._named = frozenset(require(name).name for name in question.fields) | self._predicate.fields
        needed = [name for step in STEPS if self._named & set(step.gives) for name in step.needs]
        rated = [rate.counter for rate in rates.RATES if self._named & set(rates.FIELDS)]
        named = (*question.fields, *sorted(self._predicate.fields | self._predicate.owner_fields))
        self._wanted = tuple(dict.fromkeys((*(require(name).name for name in named), *needed, *rated, "owner")))
        self.needs_bpf = bool((question.demanded | self._predicate.fields) & BPF_ONLY)

    def answer(self, capture: Capture, before: Capture | None = None) -> Table:
        """The flows that the question means; with an earlier capture also what changed since."""
        table = counted = self._table(capture)
        if before is not None:
            interval = rates.compare(self._table(before), table)
            table, counted = interval.flows, interval.deltas
        table = self._with_steps(table, counted, self._predicate.fields)
        rows = self._scope(table) & matching(table, self._predicate)
        if not rows.all():
            alike = counted is table
            table = table.take(rows)
            counted = table if alike else counted.take(rows)
        return self._with_steps(table, counted, self._named - self._predicate.fields)

    def _table(self, capture: Capture) -> Table:
        return flows.table(capture, self._wanted, host_name())

    def _with_steps(self, table: Table, counted: Table, named: frozenset[str]) -> Table:
        """The table with the computed fields among those named."""
        for step in STEPS:
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
        elif question.states == "connected" and "state" not in self._predicate.fields:
            kept &= is_word(table, "state", *CONNECTED)
        return kept


def _of(columns: Mapping[str, Column], fields: frozenset[str]) -> dict[str, Column]:
    return {name: column for name, column in columns.items() if name in fields}


def host_name() -> str:
    """This host's name."""
    return socket.gethostname()


def ask(question: Question, netns: str | None = None, source: Choice = "auto", interval: float | None = None) -> Table:
    """Reads this host and answers; with ``interval`` reads twice, so many seconds apart.

    Raises UsageError for a wrong question, NotSupported and Gone as ``Reader`` does.
    """
    asked = Asked(question)
    with Reader(netns, source, asked.needs_bpf) as reader:
        first = reader.take()
        if interval is None:
            return asked.answer(first)
        return asked.answer(reader.take_after(first, interval), first)
