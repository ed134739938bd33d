# SPDX-License-Identifier: Apache-2.0
"""Which flows are sent how far to find every router that flows are spread over: what to ask, and what it means.

What lives here asks for flow ids and distances, by number, and is told who answered; how a flow id
becomes a packet, when it goes and how long it is waited for is the business of ``multipath``.

The rule of ``stopping`` is taken hop by hop, as MDA-Lite does (Vermeulen et al.: Multilevel MDA-Lite
Paris traceroute, 2018).  Where some routers of the hop before have more next hops than others,
those are not equally likely; then it has to hold behind each of them (MDA's node control).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import count, islice

from fleutan.protocols.tracing.met import Ask, Known
from fleutan.protocols.tracing.stopping import enough, repeats

#: How it ended (``tracer``).
REACHED, REFUSED, SILENT, LOOP, LAST = "reached", "refused", "silent", "loop", "last"
#: A flow id that is not answered at a hop where others are is sent there so often.
TRIES = 3
#: Flow ids that are sent to one distance at the most.
MOST = 512
#: How many times what the rule wants of a hop, to find those that pass one router of it.
_CONTROL = 4

Asks = Generator[list[Ask], None, None]


class Branches(Known):
    """Finds the routers between here and a destination.

    ``walk`` yields what to ask next, all at once; each has to be told to ``took`` before it goes on.
    """

    def __init__(self, last: int = 30, gap: int = 5, confidence: float = 0.95) -> None:
        super().__init__()
        self.last, self.gap, self.confidence = last, gap, confidence

    def walk(self) -> Generator[list[Ask], None, str]:
        """From here to the destination; returns how it ended."""
        ended = yield from self._forward()
        for hop in self.hops:
            yield from self._check(hop.ttl)
        return ended

    def _forward(self) -> Generator[list[Ask], None, str]:
        for ttl in range(1, self.last + 1):
            yield from self._meet(ttl)
            if self.is_silent(ttl) and not (yield from self._answers_beyond(ttl)):
                return SILENT
            if ttl > 1:
                yield from self._follow(ttl)
            if self.is_circle(ttl):
                return LOOP
            if not self.opened(ttl + 1):
                return REACHED if self.arrived else REFUSED
        return LAST

    def _enough(self, found: int) -> int:
        return enough(found + 1, self.confidence)

    # -- one hop

    def _meet(self, ttl: int) -> Asks:
        """One flow by each router of the hop before; if it is not the destination's yet, as many as the rule wants.

        Of many routers those that are more than the rule wants are asked only where others lead to the destination.
        """
        hop = self.hop(ttl)
        scouts = [flows[0] for flows in self.ways(ttl).values()] if ttl > 1 else [0]
        for some in (scouts[: self._enough(1)], scouts[self._enough(1) :]):
            yield [Ask(flow, ttl) for flow in some if flow not in hop.by_flow]
            if not any(self.has_arrived(flow, ttl) for flow in some):
                break
        if ttl == 1 and hop.routers:
            return  # who is there was chosen by this host, not by the flow id
        while asks := self._wanted(ttl):
            yield asks
        if ttl > 1:
            self._end_lost(ttl)

    def _end_lost(self, ttl: int) -> None:
        """What was lost behind a router that is next to the destination has arrived there, too."""
        hop, opened = self.hop(ttl), self.opened(ttl)
        for flow, source in hop.by_flow.items():
            if source is None and hop.routers and self.way(flow, ttl) not in opened:
                self.ended.setdefault(flow, ttl)

    def _wanted(self, ttl: int) -> list[Ask]:
        hop = self.hop(ttl)
        flows = self._counted(ttl)
        if not self.opened(ttl) or (not hop.routers and len(hop.by_flow) >= self._enough(1)):
            return []
        found = len({hop.by_flow[flow] for flow in flows})
        need = self._enough(max(found, 1))
        room = min(2 * need, MOST) - len(hop.by_flow)  # some may not be answered for good
        told = len(flows) if hop.routers else len(hop.by_flow)
        return [Ask(flow, ttl) for flow in self._choose(ttl, need - told, room)]

    def _counted(self, ttl: int) -> list[int]:
        """The flow ids that were answered and tell of routers: not those by routers next to the destination."""
        by_flow, opened = self.hop(ttl).by_flow, self.opened(ttl)
        next_to_it = ttl > 1 and len(opened) < len(self.ways(ttl))
        return [
            flow
            for flow, source in by_flow.items()
            if source is not None
            and not (self.has_arrived(flow, ttl) and next_to_it and self.way(flow, ttl) not in opened)
        ]

    def _choose(self, ttl: int, wanted: int, room: int) -> Iterator[int]:
        """Flow ids for a hop: those without an answer again, then evenly by each way, then new ones."""
        hop = self.hop(ttl)
        lost = [flow for flow, met in hop.by_flow.items() if met is None and hop.tries[flow] < TRIES and hop.routers]
        known = {flow for flows in self.ways(ttl).values() for flow in flows} if ttl > 1 else set()
        fresh = (flow for flow in count() if flow not in hop.by_flow and flow not in known and flow not in self.ended)
        evenly = [flow for flow in _in_turns(list(self.opened(ttl).values())) if flow not in hop.by_flow]
        again = list(islice(lost, max(wanted, 0)))
        yield from again
        yield from islice((*evenly, *islice(fresh, max(wanted, 0))), max(0, min(wanted - len(again), room)))

    def _answers_beyond(self, ttl: int) -> Generator[list[Ask], None, bool]:
        """Behind a silent hop: whether one of the next ones answers, or this one to another flow id."""
        upto = min(ttl + self.gap, self.last + 1)
        flow = next(iter(self.hop(ttl).by_flow))
        yield [Ask(flow, beyond) for beyond in range(ttl + 1, upto) if flow not in self.hop(beyond).by_flow]
        return any(not self.is_silent(beyond) for beyond in range(ttl + 1, upto))

    # -- what the hop tells of the one before

    def _follow(self, ttl: int) -> Asks:
        """How the hop before balances; and more flow ids if the routers of this one are not equally likely."""
        before = self.hop(ttl - 1)
        yield from self._know_ways(ttl)
        if self.is_apart(ttl):
            before.checked = True
        yield from self._check(ttl - 1)
        while not before.mixed and not self.is_even(ttl) and (asks := self._behind_each(ttl)):
            yield asks

    def _know_ways(self, ttl: int) -> Asks:
        """Each router that was met gets a link: a flow id that met it is asked for at the hop before."""
        before, hop = self.hop(ttl - 1), self.hop(ttl)
        if len(before.routers) < 2:
            return
        linked = {source for found in self.successors(ttl).values() for source in found}
        flows = {source: flow for flow, source in hop.by_flow.items() if source is not None and source not in linked}
        yield [Ask(flow, ttl - 1) for flow in flows.values() if flow not in before.by_flow]

    def _check(self, ttl: int) -> Asks:
        """Some flow ids once more, by each router in turn: whether they meet the same ones.

        Not where each router of the hop before has one next hop, and was found to get the same flows each time.
        """
        hop = self.hop(ttl)
        if len(hop.routers) < 2 or hop.checked:
            return
        hop.checked = True
        if ttl > 1 and not self.hop(ttl - 1).mixed and all(len(found) < 2 for found in self.successors(ttl).values()):
            return
        by_router = [[flow for flow, met in hop.by_flow.items() if met == source] for source in hop.routers]
        yield [Ask(flow, ttl, True) for flow in islice(_in_turns(by_router), repeats(len(by_router), self.confidence))]

    def _behind_each(self, ttl: int) -> list[Ask]:
        """What MDA's rule lacks behind each router of the hop before: flow ids by it, or new ones to find such."""
        before, hop, opened = self.hop(ttl - 1), self.hop(ttl), self.opened(ttl)
        asks, lacking = [], 0
        for way, found in self.successors(ttl).items():
            short = self._enough(len(found)) - sum(found.values()) if found and way in opened else 0
            known = [flow for flow in opened.get(way, ()) if flow not in hop.by_flow][: max(short, 0)]
            asks += [Ask(flow, ttl) for flow in known]
            lacking += max(short, 0) - len(known)
        if asks or not lacking or len(before.by_flow) >= min(MOST, _CONTROL * self._enough(len(before.routers))):
            return asks
        unknown = [flow for flow in hop.by_flow if flow not in before.by_flow]
        fresh = (
            flow for flow in count() if not {flow} & (before.by_flow.keys() | hop.by_flow.keys() | self.ended.keys())
        )
        return [Ask(flow, ttl - 1) for flow in islice((*unknown, *islice(fresh, lacking)), lacking)]


def _in_turns(lists: Sequence[Sequence[int]]) -> Iterator[int]:
    """The first of each, then the second of each ..."""
    for place in range(max(map(len, lists), default=0)):
        yield from (one[place] for one in lists if place < len(one))
