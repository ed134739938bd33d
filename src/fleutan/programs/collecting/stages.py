# SPDX-License-Identifier: Apache-2.0
"""What became of datagrams and rows on their way, a stage each: what passed, what was lost, what waits.

``document`` is what others are told; where it is written is the business of ``status``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fleutan.lake.writer import Account as Written
from fleutan.programs.collecting import FAILED, Collector
from fleutan.programs.collecting.backlog import Waiting
from fleutan.programs.decoding import NO_PROTOCOL
from fleutan.sources.datagrams import Account

#: So many streams of exporters are told of, those that sent most.
EXPORTERS = 1000
_REJECTED = (NO_PROTOCOL, FAILED)


class Stage(NamedTuple):
    """One stage: ``passed`` and ``lost`` are datagrams or rows, as ``unit`` says; ``waiting`` octets are in it."""

    stage: str
    of: str
    unit: str
    passed: int
    lost: int
    waiting: int = 0


def stages(accounts: Sequence[Account], backlog: Waiting, collector: Collector, written: Written) -> Iterator[Stage]:
    """All stages, in order."""
    for one in accounts:
        yield Stage("kernel", one.title, "datagrams", one.received, one.dropped or 0)
    yield Stage("queue", "", "datagrams", backlog.datagrams, backlog.lost, backlog.octets)
    streams = collector.accounts.total("datagrams")
    rejected = sum(collector.unread[reason] for reason in _REJECTED)
    yield Stage("decoding", "", "datagrams", streams - collector.unread[NO_PROTOCOL], rejected)
    for kind, rows in sorted(collector.rows.items()):
        yield Stage("decoding", kind, "rows", rows, 0)
    yield Stage("lake", "", "rows", written.flushed, written.lost, written.waiting_octets)


def document(head: Mapping[str, Any], found: Sequence[Stage], collector: Collector, written: Written) -> dict[str, Any]:
    """Everything but the exporters: ``head``, then the stages and what was not read, by reason."""
    return {
        "schema": "fleutan/collect/1",
        **head,
        "trouble": written.trouble,
        "stages": [stage._asdict() for stage in found],
        "unread": [{"reason": reason, "times": times} for reason, times in collector.unread.most_common()],
        "unknown_rates": {kind: rows for kind, rows in sorted(collector.rateless.items()) if rows},
    }


def notes(backlog: Waiting, collector: Collector, written: Written) -> Iterator[str]:
    """What was lost behind the kernel, and what could not be read."""
    if backlog.lost:
        yield f"queue: {backlog.lost} datagrams found no room: --queue makes more"
    if written.lost:
        yield f"lake: {written.lost} rows were lost: {written.trouble or 'they came faster than they could be written'}"
    for reason, times in collector.unread.most_common():
        yield f"{times} x {reason}"
