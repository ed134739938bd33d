# SPDX-License-Identifier: Apache-2.0
"""Traces that stop short of the destination, through a network that is a function."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.protocols.tracing.networks import WALL, run
from tests.protocols.tracing.packets import FAR, NEAR

from fleutan.protocols.tracing.hops import CLOSED, LAST, LOOP, REACHED, REFUSED, SECOND, Rules
from fleutan.protocols.tracing.probes import Flow, Probe, packet
from fleutan.protocols.tracing.replies import Quote, Reply
from fleutan.protocols.tracing.trace import Trace
from fleutan.protocols.tracing.within import Within

MS = 1_000_000
RULES = Rules(wait_ns=SECOND // 10)
SIZE = {4: 28, 6: 48}


def template(version: int) -> Probe:
    return Probe(Flow(version, NEAR[version], FAR[version], 17, 40000, 4433), 0, 1)


def router(place: int) -> bytes:
    return bytes([10, 0, 0, place])


def reply(sent: Probe, place: int, kind: str = "time-exceeded", **more: int) -> Reply:
    """An error that quotes a bare probe; of IPv6 the number that it seems to have is the checksum."""
    version = sent.flow.family
    quoted = Quote(1, 0, more.get("length", SIZE[version]), True, None)
    number = more.get("number", sent.number if version == 4 else 0xABCD)
    return Reply(router(place), kind, 0, sent.flow, number, 60, quoted)


class Chain:
    """So many routers and the destination behind them, which would receive what comes so far."""

    def __init__(self, routers: int, silent: Sequence[int] = (), late: int = 0) -> None:
        self.routers, self.silent, self.late = routers, silent, late
        self.seen: list[Probe] = []

    def __call__(self, sent: Probe) -> list[tuple[Reply, int]]:
        self.seen.append(sent)
        assert sent.ttl <= self.routers, "it came to the process"
        if sent.ttl in self.silent:
            return []
        return [(reply(sent, sent.ttl), self.late if sent.ttl == 1 and self.late else sent.ttl * MS)]

    @property
    def distances(self) -> list[int]:
        return [sent.ttl for sent in self.seen]


def sources(trace: Trace) -> list[list[bytes]]:
    return [hop.sources for hop in trace.path()]


@pytest.fixture(params=[4, 6])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_every_distance_below_the_destination_is_asked_once(version: int) -> None:
    network, trace = Chain(4), Within(template(version), RULES, 5)
    run([trace], network)
    assert network.distances == [1, 2, 3, 4]
    assert {len(packet(sent)) for sent in network.seen} == {SIZE[version]}
    assert (trace.ended, trace.distance) == (REACHED, 5)
    assert sources(trace) == [[router(1)], [router(2)], [router(3)], [router(4)], []]
    assert [hop.answers[0].rtt_ns for hop in trace.path()[:4]] == [1 * MS, 2 * MS, 3 * MS, 4 * MS]


def test_a_neighbour_is_not_asked_at_all(version: int) -> None:
    network, trace = Chain(0), Within(template(version), RULES, 1)
    run([trace], network)
    assert (network.seen, trace.ended, sources(trace)) == ([], REACHED, [[]])


def test_behind_the_last_router_is_the_end_even_where_that_is_nearer(version: int) -> None:
    network, trace = Chain(2), Within(template(version), RULES, 6, frozenset([router(2)]))
    run([trace], network)
    assert network.distances == [1, 2]
    assert (trace.ended, trace.distance, sources(trace)) == (REACHED, 3, [[router(1)], [router(2)], []])


def test_one_probe_at_a_time(version: int) -> None:
    trace = Within(template(version), RULES, 5)
    first = trace.due(0)
    assert first is not None
    assert trace.due(0) is None
    trace.sent(first.number, WALL)
    assert trace.next_ns(0) == RULES.wait_ns
    assert trace.heard(reply(first, 1), WALL + MS)
    assert trace.next_ns(MS) == MS
    second = trace.due(MS)
    assert second is not None
    assert second.ttl == 2


def test_silent_routers_are_passed_over(version: int) -> None:
    network, trace = Chain(4, silent=(2, 3)), Within(template(version), RULES, 5)
    run([trace], network)
    assert network.distances == [1, 2, 3, 4]
    assert sources(trace) == [[router(1)], [], [], [router(4)], []]
    assert [hop.lost for hop in trace.path()] == [0, 1, 1, 0, 0]


def test_what_should_have_answered_is_asked_again(version: int) -> None:
    network, trace = Chain(4, silent=(2, 4)), Within(template(version), RULES._replace(tries=2), 5)
    run([trace], network)
    assert network.distances == [1, 2, 3, 4, 2, 4]  # routers behind it answer; one beside the flow did
    assert sources(trace) == [[router(1)], [], [router(3)], [], []]


def test_after_many_silent_ones_it_gives_up_and_the_rest_is_silent_too(version: int) -> None:
    network, trace = Chain(9, silent=range(2, 10)), Within(template(version), RULES, 10)
    run([trace], network)
    assert network.distances == [1, 2, 3, 4, 5, 6]
    assert (trace.ended, [hop.sent for hop in trace.path()]) == (REACHED, [1] * 6 + [0] * 4)


def test_the_farthest_hop_that_was_asked_for_is_no_destination(version: int) -> None:
    network, trace = Chain(9), Within(template(version), RULES._replace(last=3), 10)
    run([trace], network)
    assert (network.distances, trace.ended, len(trace.path())) == ([1, 2, 3], LAST, 3)


def test_what_comes_late_is_not_taken_for_the_next_ones_answer(version: int) -> None:
    network, trace = Chain(3, (2,), late=RULES.wait_ns * 3 // 2), Within(template(version), RULES, 4)
    run([trace], network)
    assert sources(trace) == [[router(1)], [], [router(3)], []]
    assert [answer.late for hop in trace.path() for answer in hop.answers] == [True, False]


def test_without_a_number_the_next_one_waits_as_long_again() -> None:
    for version, rest in ((4, 0), (6, RULES.wait_ns)):
        trace = Within(template(version), RULES, 4)
        probe = trace.due(0)
        assert probe is not None
        trace.sent(probe.number, WALL)
        trace.expire(RULES.wait_ns)
        assert trace.next_ns(RULES.wait_ns) == RULES.wait_ns + rest
        assert (trace.due(RULES.wait_ns) is None) == (version == 6)
        assert (trace.due(RULES.wait_ns + rest) is None) == (version == 4)


def test_errors_about_the_flow_itself_are_none_of_ours(version: int) -> None:
    trace = Within(template(version), RULES, 4)
    probe = trace.due(0)
    assert probe is not None
    assert not trace.heard(reply(probe, 1), WALL)  # it has not gone out yet
    trace.sent(probe.number, WALL)
    assert not trace.heard(reply(probe, 1, length=SIZE[version] + 100), WALL)
    assert not trace.heard(Reply(FAR[version], "other", 0, probe.flow, None, 60), WALL)
    assert trace.heard(reply(probe, 1)._replace(quoted=Quote(1, 0, None, None, None)), WALL)
    assert not trace.heard(reply(probe, 1), WALL)  # once more


def test_other_ends_are_as_of_any_trace(version: int) -> None:
    refused = Within(template(version), RULES, 9)
    run([refused], lambda sent: [(reply(sent, sent.ttl, "unreachable" if sent.ttl == 2 else "time-exceeded"), MS)])
    assert (refused.ended, len(refused.path())) == (REFUSED, 2)
    circle = Within(template(version), RULES, 9)
    run([circle], lambda sent: [(reply(sent, 1), MS)])
    assert circle.ended == LOOP
    closed = Within(template(version), RULES, 9)
    closed.close()
    assert (closed.ended, closed.next_ns(0), closed.due(0)) == (CLOSED, None, None)
