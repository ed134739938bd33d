# SPDX-License-Identifier: Apache-2.0
"""A trace by many flow ids at once: what ``branches`` asks for, as probes and answers.

No socket and no clock, as in ``tracer``, whose Tracer holds it beside traces of single flows.  Which
flow ids go how far is decided in ``branches``; how a flow id becomes a packet is told by whoever
traces, so that ports are kept only when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fleutan.protocols.tracing.branches import Branches
from fleutan.protocols.tracing.hops import REACHED, REFUSED, SECOND, UNSENT, Answer, Hop, Rules
from fleutan.protocols.tracing.met import Ask
from fleutan.protocols.tracing.probes import Probe
from fleutan.protocols.tracing.replies import Reply
from fleutan.protocols.tracing.trace import OF_DESTINATION, REFUSALS

#: Routers answer once a second for each host that asks, after some answers at once (Linux:
#: icmp_ratelimit): a hop that left a probe unanswered is asked so slowly, and slower each time.
_SLOW_NS, _SLOWEST_NS = SECOND // 4, SECOND


class _Under(NamedTuple):
    """A probe under way."""

    ask: Ask
    probe: Probe
    now_ns: int
    at_ns: int = 0


class Multipath:
    """All ways to one destination: ``probe_of`` gives the probe of a flow id, but for distance and number.

    Flow ids count from 0; their probes differ in what routers hash, and go to the same destination.
    ``rules`` say how far it goes, how many silent hops end it and how long an answer is waited for.
    """

    def __init__(self, probe_of: Callable[[int], Probe], rules: Rules, confidence: float = 0.95) -> None:
        self.branches = Branches(rules.last, rules.gap, confidence)
        self.hops: list[Hop] = []
        self.ended = ""
        self.errno = 0
        self._probe_of, self._rules = probe_of, rules
        self._destination = probe_of(0).flow.dst
        self._slow_ns: dict[int, int] = {}
        self._under: dict[int, _Under] = {}
        self._number = 0
        self._walk = self.branches.walk()
        self._asks: list[Ask] = []
        self._advance()

    @property
    def probes(self) -> int:
        """How many were sent."""
        return sum(hop.sent for hop in self.hops)

    def _advance(self) -> None:
        """What is asked next, as soon as all that was asked is told."""
        try:
            while not self._asks and not self._under and not self.ended:
                self._asks = next(self._walk)
        except StopIteration as ended:
            self.ended = ended.value

    def _hop(self, ttl: int) -> Hop:
        while len(self.hops) < ttl:
            self.hops.append(Hop(len(self.hops) + 1))
        return self.hops[ttl - 1]

    def due(self, now_ns: int) -> Probe | None:
        """The next probe that may go now; it counts as sent."""
        ask = None if self.ended else next((ask for ask in self._asks if self._may_ns(ask, now_ns) <= now_ns), None)
        if ask is None:
            return None
        self._asks.remove(ask)
        self._number += 1
        hop = self._hop(ask.ttl)
        hop.sent, hop.last_ns = hop.sent + 1, now_ns
        probe = self._probe_of(ask.flow)._replace(ttl=ask.ttl, number=self._number)
        self._under[self._number] = _Under(ask, probe, now_ns)
        return probe

    def _may_ns(self, ask: Ask, now_ns: int) -> int:
        """When the next probe may go so far."""
        hop = self._hop(ask.ttl)
        slow = self._slow_ns.get(ask.ttl, 0) // max(1, len(hop.sources))  # each of its routers for itself
        return hop.last_ns + slow if hop.sent else now_ns

    def next_ns(self, now_ns: int) -> int | None:
        """When the next probe may go, or the next wait is over, at the earliest; None where it ended."""
        if self.ended:
            return None
        times = [self._may_ns(ask, now_ns) for ask in self._asks]
        return min([*times, *map(self._until, self._under.values())], default=now_ns)

    def sent(self, number: int, at_ns: int) -> None:
        """When a probe went out."""
        self._under[number] = self._under[number]._replace(at_ns=at_ns)

    def unsent(self, errno: int) -> None:
        """A probe could not be sent: that ends it."""
        self.ended, self.errno = UNSENT, errno

    def heard(self, reply: Reply, at_ns: int) -> bool:
        """An answer; whether it is one to a probe of this trace that is waited for."""
        number = reply.number_as(self._probe_of(0))
        under = self._under.get(number) if number is not None else None
        if number is None or under is None or not under.at_ns or reply.kind == "other" or self.ended:
            return False
        del self._under[number]
        ask = under.ask
        self._hop(ask.ttl).answers.append(
            Answer(
                *(reply.source, max(at_ns - under.at_ns, 0), reply.kind, reply.code, reply.ttl, False),
                *(reply.quoted, reply.mtu, reply.labels, reply.interfaces),
            )
        )
        arrived = reply.kind in OF_DESTINATION or reply.source == self._destination
        self.branches.took(ask, reply.source, reply.kind not in REFUSALS, arrived)
        self._advance()
        return True

    def _until(self, under: _Under) -> int:
        """When an answer is given up."""
        answers = self._hop(under.ask.ttl).answers
        wait = self._rules.wait_ns
        if answers:
            wait = min(wait, self._rules.here * max(answer.rtt_ns for answer in answers))
        return under.now_ns + max(wait, self._rules.wait_ns // 50)

    def expire(self, now_ns: int) -> None:
        """Gives up what was waited for long enough."""
        for number, under in list(self._under.items()):
            if self._until(under) <= now_ns:
                del self._under[number]
                hop = self._hop(under.ask.ttl)
                hop.lost += 1
                if hop.answers:
                    slow = self._slow_ns.get(hop.ttl, 0)
                    self._slow_ns[hop.ttl] = min(max(2 * slow, _SLOW_NS), _SLOWEST_NS)
                self.branches.took(under.ask, None)
        self._advance()

    def path(self) -> list[Hop]:
        """The hops up to where it went on no further, or to the last that answered."""
        came_to_an_end = self.ended in (REACHED, REFUSED)
        farthest = max(self.branches.ended.values(), default=0) if came_to_an_end else 0
        last = max((hop.ttl for hop in self.hops if hop.answers), default=0)
        return self.hops[: min(farthest or last, last)]
