# SPDX-License-Identifier: Apache-2.0
"""A trace inside a flow whose far process would be told of a probe that came so far: it stops short of it.

What lives here knows how near the destination may be, which probes beside the flow found out, and
never probes that distance.  A TCP of today drops what is old; UDP delivers whatever comes, even
without a payload.  Everything else is the business of ``tracer``.
"""

from __future__ import annotations

from fleutan.protocols.tracing.headers import IPV4, IPV6
from fleutan.protocols.tracing.hops import LAST, REACHED, SILENT, Hop, Rules, Under
from fleutan.protocols.tracing.probes import UDP_HEADER, Probe
from fleutan.protocols.tracing.replies import Reply
from fleutan.protocols.tracing.trace import Trace

#: How long a bare probe is, by IP version: no other packet of a flow in use is.
_SIZES = {4: IPV4.size + UDP_HEADER.size, 6: IPV6.size + UDP_HEADER.size}


class Within(Trace):
    """A trace below the distance ``limit``; one bare probe at a time, and one for each hop that answers.

    Where one of ``edges`` answers, which are the last routers before the destination, there is the
    end: this flow's way may be shorter than that beside it.  One probe at a time, since the next may go
    only where the last one was not answered by such a router; and since IPv6 does not bring back a
    number, the answer is that of the last probe.  So there, what was given up may still be answered
    for as long again before the next one goes.
    """

    def __init__(self, template: Probe, rules: Rules, limit: int, edges: frozenset[bytes] = frozenset()) -> None:
        narrow = rules._replace(last=min(rules.last, limit - 1), ahead=1, queries=1, inferred=False)
        super().__init__(template._replace(bare=True), narrow)
        self._limit = limit
        self._edges = edges
        self._rest_ns = 0 if template.flow.family == 4 else rules.wait_ns

    def _next(self, now_ns: int) -> Hop | None:
        under = self._under.values()
        if any(not one.over for one in under) or now_ns < self._rested_ns():
            return None
        return super()._next(now_ns)

    def _wants(self, hop: Hop) -> bool:
        """Once more where a router is known to answer: beside the flow one did right before the limit."""
        again = hop.ttl == self._limit - 1 and not hop.answers and 0 < hop.sent < self.rules.tries
        return again or super()._wants(hop)

    def _rested_ns(self) -> int:
        """When nothing is likely to come any more for what was given up."""
        return max((self._until(one) + self._rest_ns for one in self._under.values()), default=0)

    def next_ns(self, now_ns: int) -> int | None:
        """When the wait for the probe under way is over, or the next one may go; None where it ended."""
        if self.ended:
            return None
        waits = [self._until(one) for one in self._under.values() if not one.over]
        return min(waits, default=max(now_ns, self._rested_ns()))

    def _meant(self, reply: Reply) -> tuple[int, Under | None]:
        if reply.quoted is None or reply.quoted.length not in (None, _SIZES[self.template.flow.family]):
            return 0, None  # of the flow itself
        if self.template.flow.family == 4:
            return super()._meant(reply)
        last = max(self._under, default=0)
        return (last, self._under[last]) if last == self._number - 1 and self._under[last].at_ns else (0, None)

    def heard(self, reply: Reply, at_ns: int) -> bool:
        """An answer; whether it is one to a probe of this trace that had none yet."""
        known = super().heard(reply, at_ns)
        if known and reply.kind == "time-exceeded" and reply.source in self._edges:
            self._limit = min(self._limit, 1 + max(hop.ttl for hop in self.hops if reply.source in hop.sources))
            self.rules = self.rules._replace(last=min(self.rules.last, self._limit - 1))
        return known

    def _end(self) -> str:
        ended = super()._end()
        if ended not in (LAST, SILENT) or self._limit - 1 > self.rules.last:
            return ended
        self.distance = self._limit
        return REACHED

    def path(self) -> list[Hop]:
        """The hops up to the destination, of which those that were not probed are silent."""
        known = super().path()
        return [*known, *(Hop(ttl) for ttl in range(len(known) + 1, (self.distance or 0) + 1))]
