# SPDX-License-Identifier: Apache-2.0
"""Traces through a network that is a function."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.tracing.networks import HERE, MS, THERE, WALL, Chain, probe, reply, router, run

from fleutan.protocols.tracing.hops import CLOSED, LAST, LOOP, REACHED, REFUSED, SECOND, SILENT, Hop, Rules
from fleutan.protocols.tracing.probes import ACK, SYN, Probe
from fleutan.protocols.tracing.replies import Quote, Reply
from fleutan.protocols.tracing.trace import Trace


def sources(trace: Trace) -> list[list[bytes]]:
    return [hop.sources for hop in trace.path()]


def way(routers: int) -> list[list[bytes]]:
    return [*([router(place)] for place in range(1, routers + 1)), [THERE]]


@pytest.mark.parametrize("routers", [0, 1, 4])
def test_a_destination_that_answers_six_probes_at_once_loses_none(routers: int) -> None:
    """Linux hosts say "unreachable" six times, and then once a second; what goes farther ends there, too."""
    chain, tokens = Chain(routers, answer="unreachable"), [6] * (routers + 2)

    def network(sent: Probe) -> list[tuple[Reply, int]]:
        place = min(sent.ttl, routers + 1)
        tokens[place] -= 1
        return chain(sent) if tokens[place] >= 0 else []

    trace = Trace(probe())
    run([trace], network)
    assert (trace.ended, trace.distance) == (REACHED, routers + 1)
    assert [hop.lost for hop in trace.path()] == [0] * (routers + 1)
    assert all(len(hop.answers) >= 3 for hop in trace.path())


def test_what_went_beyond_and_was_not_answered_is_lost_at_the_destination() -> None:
    def network(sent: Probe) -> list[tuple[Reply, int]]:
        return Chain(0)(sent) if sent.ttl == 1 else []

    trace = Trace(probe(), Rules(queries=3, ahead=2))
    run([trace], network)
    [hop] = trace.path()
    assert (trace.ended, hop.sent, hop.lost, len(hop.answers)) == (REACHED, 3, 1, 2)


def test_a_way_is_found_in_the_time_of_a_few_round_trips() -> None:
    trace, network = Trace(probe()), Chain(8)
    took = run([trace], network)
    assert (trace.ended, trace.distance, sources(trace)) == (REACHED, 9, way(8))
    assert [hop.answers[0].rtt_ns for hop in trace.path()] == [place * MS for place in range(1, 10)]
    assert took < 30 * MS
    assert all(hop.sent == 3 and not hop.lost for hop in trace.path()[:-1])
    assert len(trace.path()[-1].answers) == trace.path()[-1].sent >= 3
    assert len({sent.number for sent in network.seen}) == len(network.seen)
    assert {sent.flow for sent in network.seen} == {probe().flow}


def test_no_probe_goes_farther_than_it_has_to() -> None:
    network = Chain(3)
    run([Trace(probe(), Rules(queries=1, ahead=2))], network)
    assert max(sent.ttl for sent in network.seen) <= 5


def test_a_silent_hop_costs_one_wait_and_stays_a_hop() -> None:
    trace = Trace(probe(), Rules(queries=2))
    took = run([trace], Chain(6, silent=[3]))
    assert sources(trace) == [[router(1)], [router(2)], [], [router(4)], [router(5)], [router(6)], [THERE]]
    assert (trace.hops[2].sent, trace.hops[2].lost) == (2, 2)
    assert took < 0.2 * SECOND, "near hops tell how long an answer can take"


def test_many_silent_hops_end_it() -> None:
    trace = Trace(probe(), Rules(queries=1, gap=4))
    took = run([trace], Chain(2, answer="", silent=range(3, 99)))
    assert (trace.ended, trace.distance, sources(trace)) == (SILENT, None, way(2)[:2])
    assert SECOND <= took < 3 * SECOND


def test_more_silent_hops_than_ahead_do_not_stop_it() -> None:
    trace = Trace(probe(), Rules(queries=1, ahead=2, gap=5))
    run([trace], Chain(6, silent=[2, 3, 4, 5]))
    assert (trace.ended, trace.distance) == (REACHED, 7)


@pytest.mark.parametrize("moves", [True, False])
def test_a_destination_that_keeps_silent_is_inferred_while_its_connection_moves_on(moves: bool) -> None:
    trace = Trace(probe(flags=ACK), Rules(queries=1, inferred=True))
    trace.renew(trace.template.seq + moves, trace.template.ack)
    run([trace], Chain(4, answer="", silent=[5]))
    assert (trace.ended, trace.distance) == (SILENT, 5 if moves else None)
    assert sources(trace) == [*way(4)[:4], *([[]] if moves else [])]


def test_a_refusal_stands_where_its_router_is() -> None:
    """The way breaks off meanwhile, and the router before the gap tells it of few probes."""
    trace = Trace(probe(), Rules(queries=2))

    def broken(sent: Probe) -> list[tuple[Reply, int]]:
        if sent.ttl <= 2:
            return [(reply(sent, router(sent.ttl)), MS)]
        return [(reply(sent, router(2), "unreachable", 1), 2 * MS)] if sent.ttl == 6 else []

    run([trace], broken)
    assert (trace.ended, trace.distance, sources(trace)) == (REFUSED, 2, way(2)[:2])
    assert [answer.kind for answer in trace.hops[1].answers].count("unreachable") >= 1
    assert [hop.waiting for hop in trace.hops[:2]] == [0, 0]


def test_who_does_not_know_the_sequence_number_is_not_believed() -> None:
    """The number that stands in IP's identification is easily guessed."""
    trace = Trace(probe(flags=ACK), Rules(queries=1))
    sent = trace.due(0)
    assert sent is not None
    trace.sent(sent.number, WALL)
    quoted = Quote(1, 0, 40, True, None)
    forged = reply(sent, router(66))._replace(quoted=quoted, seq=trace.template.seq + 1)
    assert not trace.heard(forged, WALL + MS)
    assert trace.heard(forged._replace(source=router(1), seq=trace.template.seq - sent.number), WALL + 2 * MS)
    assert trace.hops[0].sources == [router(1)]


def test_a_source_that_was_translated_is_told_of() -> None:
    trace = Trace(probe(), Rules(queries=1))
    quoted = Quote(1, 0, 40, True, None)

    def translating(sent: Probe) -> list[tuple[Reply, int]]:
        source = HERE if sent.ttl == 1 else bytes([203, 0, 113, 1])
        told = reply(sent, router(sent.ttl) if sent.ttl < 3 else THERE)
        return [(told._replace(flow=sent.flow._replace(src=source), quoted=quoted), MS)]

    run([trace], translating, most=10)
    assert [hop.answers[0].translated for hop in trace.hops[:2]] == [False, True]


def test_an_answer_without_a_number_is_the_nearest_ones() -> None:
    trace = Trace(probe(flags=ACK), Rules(queries=1))
    run([trace], Chain(4, answer="ack"))
    assert (trace.ended, trace.distance, sources(trace)) == (REACHED, 5, way(4))


def test_an_end_that_was_taken_too_soon_moves_on() -> None:
    """An acknowledgement of the connection's own comes before the routers' answers."""
    trace = Trace(probe(flags=ACK), Rules(queries=1))

    def network(sent: Probe) -> list[tuple[Reply, int]]:
        early = [(reply(sent, THERE, "ack", number=None), 10)] if sent.ttl == 2 else []
        return [*early, *Chain(4, answer="ack", step=10 * MS)(sent)]

    run([trace], network)
    assert trace.distance == 5
    assert [hop.sources[0] for hop in trace.path() if hop.sources][-1] == THERE


@pytest.mark.parametrize(
    ("code", "source", "ended"), [(13, router(3), REFUSED), (3, THERE, REACHED), (1, router(3), REFUSED)]
)
def test_who_says_that_it_goes_no_further_ends_it(code: int, source: bytes, ended: str) -> None:
    trace = Trace(probe())
    run([trace], lambda sent: [(reply(sent, source, "unreachable", code), MS)] if sent.ttl > 2 else Chain(9)(sent))
    assert (trace.ended, trace.distance, sources(trace)[-1]) == (ended, 3, [source])
    assert trace.hops[2].answers[0].code == code


def test_a_circle_ends_it() -> None:
    trace = Trace(probe())
    run([trace], lambda sent: [(reply(sent, router(1 + sent.ttl % 2)), MS)])
    assert trace.ended == LOOP
    assert len(trace.hops) < 12


def test_the_last_distance_ends_it() -> None:
    trace = Trace(probe(), Rules(last=4, queries=1))
    run([trace], Chain(9))
    assert (trace.ended, len(trace.path())) == (LAST, 4)


def test_255_hops() -> None:
    trace = Trace(probe(), Rules(last=255, queries=1))
    run([trace], Chain(254))
    assert (trace.ended, trace.distance) == (REACHED, 255)


def test_what_comes_late_is_told_and_counts_as_lost() -> None:
    trace = Trace(probe(), Rules(queries=1, ahead=1, here=1, near=1))
    late = Chain(3, step=SECOND // 100)
    run([trace], lambda sent: [(answer, 3 * SECOND // 2 if sent.ttl == 2 else after) for answer, after in late(sent)])
    assert trace.ended == REACHED
    assert (trace.hops[1].lost, [answer.late for answer in trace.hops[1].answers]) in ((1, []), (1, [True]))


def test_several_routers_at_one_hop() -> None:
    trace, turn = Trace(probe()), count()
    run([trace], lambda sent: [(reply(sent, router(50 + next(turn) % 2)), MS)] if sent.ttl == 2 else Chain(3)(sent))
    assert len(trace.hops[1].sources) == 2


def test_probes_for_one_distance_keep_apart() -> None:
    trace, network = Trace(probe(flags=ACK), Rules(queries=3, spacing_ns=SECOND)), Chain(4)
    took = run([trace], network)
    assert 2 * SECOND <= took < 2.2 * SECOND
    assert [hop.sent for hop in trace.path()] == [3] * 5


def test_a_flow_that_closed_gets_no_more_probes() -> None:
    trace = Trace(probe())
    assert trace.due(0) is not None
    trace.close()
    assert trace.due(0) is None
    assert (trace.ended, trace.next_ns(0)) == (CLOSED, None)
    trace.ended = REACHED
    trace.close()
    assert trace.ended == REACHED


def test_a_connection_that_moves_on_gets_probes_with_its_new_numbers() -> None:
    trace, network = Trace(probe(flags=ACK), Rules(queries=1, ahead=2)), Chain(5, answer="ack")

    def moving(sent: Probe) -> list[tuple[Reply, int]]:
        trace.renew(trace.template.seq + 1000, trace.template.ack + 500)
        found = network(sent)
        quoted = [(answer._replace(number=None, seq=sent.seq - sent.number), after) for answer, after in found]
        return [(answer._replace(quoted=Quote(1, 0, None, None, None)), after) for answer, after in quoted]

    run([trace], moving)
    assert (trace.distance, sources(trace)[:5]) == (6, way(5)[:5])
    assert len({sent.ack for sent in network.seen}) == len(network.seen)


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    trace = Trace(probe())
    sent = trace.due(0)
    assert sent is not None
    trace.sent(sent.number, WALL)
    assert trace.heard(reply(sent, router(1)), WALL - 5)
    assert trace.hops[0].answers[0].rtt_ns == 0


def test_what_a_hop_waits_for() -> None:
    hop = Hop(3, sent=3, lost=1)
    assert (hop.waiting, hop.sources) == (2, [])


@given(
    st.integers(0, 12),
    st.sets(st.integers(1, 12), max_size=6),
    st.integers(1, 3),
    st.integers(1, 8),
    st.sampled_from(["syn-ack", "reset", "ack", ""]),
)
def test_every_trace_ends_and_tells_who_answered(
    routers: int, silent: set[int], queries: int, ahead: int, answer: str
) -> None:
    trace = Trace(probe(flags=ACK if answer == "ack" else SYN), Rules(queries=queries, ahead=ahead))
    run([trace], Chain(routers, sorted(silent), answer=answer))
    assert trace.ended
    for place, hop in enumerate(trace.path(), 1):
        assert hop.sources in ([], [router(place)], [THERE])
    if trace.ended == REACHED and answer == "ack" and routers in silent:
        assert trace.distance is not None
        assert trace.distance <= routers + 1, "nothing tells a silent router from the destination"
    elif trace.ended == REACHED:
        assert trace.path()[-1].sources == [THERE]
        assert trace.distance == routers + 1
