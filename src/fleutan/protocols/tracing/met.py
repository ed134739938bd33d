# SPDX-License-Identifier: Apache-2.0
"""Whom flow ids met at each distance, and what follows from it: ways, links, ends.

What to ask next is decided in ``branches``.  Everything here is a number of a flow, a distance or an
address; nothing knows a packet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

#: A router that one flow id meets at so many distances is on a circle.
_ROUND = 3


class Ask(NamedTuple):
    """A flow id that is to go so far, once more if it is ``again``."""

    flow: int
    ttl: int
    again: bool = False


@dataclass
class Met:
    """Who answered at one distance: of each flow id its router (None: nobody did)."""

    ttl: int
    by_flow: dict[int, bytes | None] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=dict)
    #: A flow id met two routers here: it, or a hop before, chooses packet by packet.
    mixed: bool = False
    checked: bool = False
    #: Probes that looked for that.
    again: int = 0

    @property
    def routers(self) -> list[bytes]:
        """In the order in which they were found."""
        return list(dict.fromkeys(source for source in self.by_flow.values() if source is not None))

    def router(self, flow: int) -> bytes | None:
        """Where a flow id passes, as far as that is known."""
        met, routers = self.by_flow.get(flow), self.routers
        return routers[0] if met is None and len(routers) == 1 else met


class Known:
    """What was found of the routers between here and a destination, distance by distance."""

    def __init__(self) -> None:
        self.hops: list[Met] = []
        #: How far the flow ids came that go no further, and those of them whose end was the destination.
        self.ended: dict[int, int] = {}
        self.arrived: set[int] = set()

    def took(self, ask: Ask, source: bytes | None, onward: bool = True, arrived: bool = False) -> None:
        """Who answered; whether the flow goes further, or has arrived at the destination."""
        hop = self.hop(ask.ttl)
        if ask.again:
            hop.again += 1
            hop.mixed |= source is not None and source != hop.by_flow[ask.flow]
            return
        hop.tries[ask.flow] = hop.tries.get(ask.flow, 0) + 1
        if source is not None or ask.flow not in hop.by_flow:
            hop.by_flow[ask.flow] = source
        if not onward or arrived:
            self.ended[ask.flow] = min(ask.ttl, self.ended.get(ask.flow, ask.ttl))
        if arrived:
            self.arrived.add(ask.flow)

    def hop(self, ttl: int) -> Met:
        """Who was met so far away; nobody yet where nothing went there."""
        while len(self.hops) < ttl:
            self.hops.append(Met(len(self.hops) + 1))
        return self.hops[ttl - 1]

    def is_silent(self, ttl: int) -> bool:
        """Whether nobody answered there."""
        return not self.hop(ttl).routers

    def is_circle(self, ttl: int) -> bool:
        """Whether a flow id meets the same router there again and again."""
        return any(
            source is not None
            and self.ended.get(flow, ttl + 1) > ttl
            and sum(hop.by_flow.get(flow) == source for hop in self.hops) >= _ROUND
            for flow, source in self.hop(ttl).by_flow.items()
        )

    def has_arrived(self, flow: int, ttl: int) -> bool:
        """Whether a flow id is known to be at the destination by then."""
        return flow in self.arrived and self.ended[flow] <= ttl

    def way(self, flow: int, ttl: int) -> bytes | None:
        """The router before, where that is known of a flow id."""
        return self.hop(ttl - 1).router(flow) if ttl > 1 else None

    def ways(self, ttl: int) -> dict[bytes | None, list[int]]:
        """The flow ids that are known to pass each router of the hop before; None is one that keeps silent."""
        ways: dict[bytes | None, list[int]] = {}
        for flow, source in self.hop(ttl - 1).by_flow.items():
            if self.ended.get(flow, ttl) >= ttl:
                ways.setdefault(source, []).append(flow)
        if None in ways and len(ways) > 1 and len(ways[None]) < len(self.hop(ttl - 1).by_flow) / (2 * len(ways)):
            del ways[None]  # a few lost ones are no router
        return ways

    def opened(self, ttl: int) -> dict[bytes | None, list[int]]:
        """Of these ways those that are not known to end at the destination."""
        if ttl == 1:
            return {None: [0]}
        met = self.hop(ttl).by_flow if ttl <= len(self.hops) else {}
        ways = self.ways(ttl)
        first = {way: next((flow for flow in flows if met.get(flow) is not None), None) for way, flows in ways.items()}
        return {way: ways[way] for way, flow in first.items() if flow is None or not self.has_arrived(flow, ttl)}

    # -- how a hop hangs together with the one before

    def successors(self, ttl: int) -> dict[bytes, dict[bytes, int]]:
        """The links to a hop: of each router of the hop before its next ones, by how many flow ids."""
        before, hop = self.hop(ttl - 1), self.hop(ttl)
        links: dict[bytes, dict[bytes, int]] = {source: {} for source in before.routers}
        for flow, source in hop.by_flow.items():
            way = before.router(flow)
            if source is not None and way is not None and self.ended.get(flow, ttl) >= ttl:
                links[way][source] = links[way].get(source, 0) + 1
        return links

    def is_apart(self, ttl: int) -> bool:
        """Whether each router has next hops of its own: flow ids that were mixed would have met all of them."""
        links = self.successors(ttl)
        sources = [source for found in links.values() for source in found]
        told = sum(sum(found.values()) for found in links.values()) - len(links)
        return len(self.hop(ttl).routers) > 1 and len(sources) == len(set(sources)) and told >= len(links)

    def is_even(self, ttl: int) -> bool:
        """Whether all routers of a hop are equally likely, as far as links tell."""
        links = [set(found) for found in self.successors(ttl).values()]
        into = [sum(source in found for found in links) for source in set().union(*links)]
        return len({len(found) for found in links if found}) < 2 and len(set(into)) < 2

    def links(self, ttl: int) -> list[tuple[bytes, bytes]]:
        """From which router to which flow ids go: all to the only one of a hop.

        Nothing between hops of several that packets take at random.
        """
        if ttl == 1:
            return []
        before, hop = self.hop(ttl - 1), self.hop(ttl)
        if (before.mixed or hop.mixed) and min(len(before.routers), len(hop.routers)) > 1:
            return []
        if len(hop.routers) == 1:
            return [(tail, hop.routers[0]) for tail in self.ways(ttl) if tail is not None]
        return [(tail, head) for tail, heads in self.successors(ttl).items() for head in heads]

    def balancing(self, ttl: int) -> str:
        """How packets are spread over the routers of a hop; "" where it has one."""
        hop = self.hop(ttl)
        if len(hop.routers) < 2:
            return ""
        return "per packet" if hop.mixed else "per flow"
