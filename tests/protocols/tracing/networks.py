# SPDX-License-Identifier: Apache-2.0
"""A network that is a function: what answers a probe, and after how long."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import count

from fleutan.protocols.tracing.hops import SECOND
from fleutan.protocols.tracing.probes import SYN, Flow, Probe
from fleutan.protocols.tracing.replies import Reply
from fleutan.protocols.tracing.trace import Trace
from fleutan.protocols.tracing.tracer import Tracer

MS = 1_000_000
HERE, THERE = bytes([192, 0, 2, 1]), bytes([198, 51, 100, 9])
#: What the kernel's clock says when ours says 0.
WALL = 1_800_000_000 * SECOND
Network = Callable[[Probe], Sequence[tuple[Reply, int]]]


def probe(sport: int = 40000, flags: int = SYN, number: int = 1) -> Probe:
    return Probe(Flow(4, HERE, THERE, 6, sport, 443), 0, number, seq=5 << 16, flags=flags)


def router(place: int) -> bytes:
    return bytes([10, 0, place >> 8, place & 0xFF])


def reply(sent: Probe, source: bytes, kind: str = "time-exceeded", code: int = 0, number: int | None = -1) -> Reply:
    told = sent.number if number == -1 else number
    return Reply(source, kind, code, sent.flow, told, 60)


class Chain:
    """So many routers, each ``step`` further away, and the destination behind them; some keep silent."""

    def __init__(self, routers: int, silent: Sequence[int] = (), step: int = MS, answer: str = "syn-ack") -> None:
        self.routers, self.silent, self.step, self.answer = routers, silent, step, answer
        self.seen: list[Probe] = []

    def __call__(self, sent: Probe) -> list[tuple[Reply, int]]:
        self.seen.append(sent)
        place = min(sent.ttl, self.routers + 1)
        if place in self.silent:
            return []
        if place > self.routers:
            number = None if self.answer == "ack" else -1
            return [(reply(sent, THERE, self.answer, number=number), place * self.step)] if self.answer else []
        return [(reply(sent, router(place)), place * self.step)]


def run(traces: Sequence[Trace], network: Network, pps: float = 0.0, most: float = 60.0) -> int:
    """Runs the traces to their ends; the nanoseconds that it took."""
    tracer, now, order = Tracer(traces, pps), 0, count()
    coming: list[tuple[int, int, Reply]] = []
    while not tracer.done:
        for trace, sent in tracer.due(now):
            trace.sent(sent.number, WALL + now)
            for answer, after in network(sent):
                heapq.heappush(coming, (now + after, next(order), answer))
        seconds = tracer.seconds(now)
        assert seconds is not None
        now = max(now + 1, min([now + int(seconds * SECOND), *(at for at, _, _ in coming[:1])]))
        assert now < most * SECOND, "it does not end"
        while coming and coming[0][0] <= now:
            at, _, answer = heapq.heappop(coming)
            tracer.heard(answer, WALL + at)
        tracer.expire(now)
    assert tracer.seconds(now) is None
    return now
