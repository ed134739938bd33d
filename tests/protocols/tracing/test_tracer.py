# SPDX-License-Identifier: Apache-2.0
"""Traces side by side through a network that is a function."""

from __future__ import annotations

from tests.protocols.tracing.networks import MS, WALL, Chain, probe, reply, router, run

from fleutan.protocols.tracing.hops import REACHED, SECOND, UNSENT, Rules
from fleutan.protocols.tracing.trace import Trace
from fleutan.protocols.tracing.tracer import Tracer


def test_answers_to_others_are_strangers() -> None:
    tracer = Tracer([Trace(probe())])
    mine = probe()
    assert not tracer.heard(reply(probe(sport=1), router(1)), WALL)
    assert not tracer.heard(reply(mine, router(1)), WALL), "nothing was sent"
    [(trace, sent)] = list(tracer.due(0))[:1]
    assert not tracer.heard(reply(sent, router(1)), WALL), "it was not sent yet"
    trace.sent(sent.number, WALL)
    assert tracer.heard(reply(sent, router(1)), WALL + 5)
    assert not tracer.heard(reply(sent, router(1)), WALL + 6), "a second answer to one probe"
    assert tracer.strangers == 4


def test_all_together_keep_to_a_pace() -> None:
    traces = [Trace(probe(sport), Rules(queries=1)) for sport in range(1000, 1064)]
    network = Chain(7)
    took = run(traces, network, pps=1000.0)
    assert all(trace.ended == REACHED for trace in traces)
    assert took >= (len(network.seen) - 20) * SECOND / 1000.0 - MS
    assert took <= len(network.seen) * SECOND / 1000.0 + 50 * MS


def test_what_cannot_be_sent_ends_its_trace_alone() -> None:
    one, other = Trace(probe(1)), Trace(probe(2))
    one.unsent(113)
    run([one, other], Chain(2))
    assert (one.ended, one.errno, one.path()) == (UNSENT, 113, [])
    assert other.ended == REACHED


def test_they_send_in_turns() -> None:
    one, other = Trace(probe(1)), Trace(probe(2))
    tracer = Tracer([one, other], pps=0.0)
    turns = [trace for trace, _ in tracer.due(0)]
    assert turns[:6] == [one, other] * 3


def test_how_long_there_is_nothing_to_do() -> None:
    tracer = Tracer([Trace(probe())], pps=10.0, burst=1)
    assert tracer.seconds(0) == 0.0, "a probe may go"
    [*_] = tracer.due(0)
    assert tracer.seconds(0) == 0.1, "until the pace allows the next"
    assert tracer.seconds(SECOND // 20) == 0.05
    assert tracer.seconds(SECOND) == 0.0
