# SPDX-License-Identifier: Apache-2.0
"""What is known of a trace: its rules, its distances with what answered there, probes under way.

What lives here decides nothing: which probe goes when, and what an answer means, stands in ``trace``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from fleutan.protocols.tracing.replies import Interface, Label, Quote

SECOND = 1_000_000_000

#: How a trace ended: at the destination, at one that says it cannot go on, after too many silent
#: hops, in a circle, at the last hop that was asked for, without a way out of this host; or given
#: up because its flow closed.
REACHED, REFUSED, SILENT, LOOP, LAST, UNSENT, CLOSED = (
    *("reached", "refused", "silent", "loop", "last", "unsent", "closed"),
)


class Rules(NamedTuple):
    """How a trace goes on.

    ``queries`` probes for each distance up to ``last``, and up to ``tries`` for one that keeps silent
    before others that answer.  Up to ``ahead`` distances beyond the farthest answer are probed at
    once; after ``gap`` silent distances it ends.  An answer is waited for ``wait_ns`` at the most,
    and no longer than ``here`` times what this distance took or ``near`` times what the next ones
    did.  Probes for one distance are at least ``spacing_ns`` apart, and ``pause_ns`` while neither it
    nor a farther one answers: who is asked by many probes at once answers few.  Where ``inferred``, a
    destination that keeps silent is taken to be behind the last router that answered if its
    connection moves on meanwhile.
    """

    last: int = 30
    queries: int = 3
    ahead: int = 6
    gap: int = 5
    wait_ns: int = SECOND
    here: int = 3
    near: int = 10
    spacing_ns: int = 0
    pause_ns: int = SECOND // 10
    inferred: bool = False
    tries: int = 1


class Answer(NamedTuple):
    """What came back to one probe."""

    source: bytes
    rtt_ns: int
    kind: str
    code: int
    ttl: int
    late: bool = False
    quoted: Quote | None = None
    mtu: int | None = None
    labels: tuple[Label, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    #: Whether another source is quoted than the probe left with.
    translated: bool = False


@dataclass
class Hop:
    """One distance: how many probes went there, and what answered."""

    ttl: int
    sent: int = 0
    lost: int = 0
    answers: list[Answer] = field(default_factory=list)
    last_ns: int = 0

    @property
    def waiting(self) -> int:
        """Probes that neither came back nor were given up."""
        return self.sent - self.lost - sum(not answer.late for answer in self.answers)

    @property
    def sources(self) -> list[bytes]:
        """Who answered, in the order of their first answer."""
        return list(dict.fromkeys(answer.source for answer in self.answers))


@dataclass
class Under:
    """A probe under way."""

    ttl: int
    now_ns: int
    seq: int
    at_ns: int = 0
    over: bool = False


def together(same: list[Hop]) -> Hop:
    """What is known of the destination: probes that were to go farther ended there, too; some may still be out."""
    answers = [answer for hop in same for answer in hop.answers]
    sent = sum(hop.sent - hop.waiting for hop in same)
    return replace(same[0], sent=sent, lost=sum(hop.lost for hop in same), answers=answers) if same[1:] else same[0]
