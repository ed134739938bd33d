# SPDX-License-Identifier: Apache-2.0
"""What is asked next: by a network that answers each question at once, without a packet or a clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleutan.protocols.tracing.branches import MOST, Branches
from fleutan.protocols.tracing.met import Ask

Answers = Callable[[Ask], str | None]


def walked(branches: Branches, answers: Answers) -> tuple[str, list[list[Ask]]]:
    """How it ended, and what was asked in turn; ``.`` is the destination, ``!`` one that refuses."""
    walk = branches.walk()
    asked: list[list[Ask]] = []
    while True:
        try:
            asks = next(walk)
        except StopIteration as end:
            return str(end.value), [one for one in asked if one]
        asked.append(asks)
        for ask in asks:
            source = answers(ask)
            branches.took(ask, source.encode() if source else None, source != "!", source == ".")


def line(ask: Ask) -> str:
    return "." if ask.ttl > 3 else str(ask.ttl)


def test_a_line_is_one_probe_then_as_many_as_the_rule_wants() -> None:
    ended, asked = walked(Branches(), line)
    assert ended == "reached"
    assert [len(asks) for asks in asked] == [1, 1, 5, 1, 5, 1]
    assert {ask.ttl for ask in asked[0]} == {1}


def test_a_second_router_takes_more_flow_ids() -> None:
    _, asked = walked(Branches(), lambda ask: "." if ask.ttl > 2 else "ab"[ask.flow % 2] if ask.ttl == 2 else "r")
    assert [len(asks) for asks in asked] == [1, 1, 5, 5, 2, 5]
    assert [ask.again for ask in asked[-1]] == [True] * 5
    assert {ask.flow for ask in asked[-1]} == {0, 1, 2, 3, 4}


def test_flow_ids_are_spread_evenly_over_the_routers_before() -> None:
    def answers(ask: Ask) -> str:
        return ("r", "a" if ask.flow < 4 else "b", "m", ".")[min(ask.ttl, 4) - 1]

    branches = Branches()
    walked(branches, answers)
    met = branches.hop(2).by_flow
    passed = [met.get(flow) for flow in branches.hop(3).by_flow]
    assert abs(passed.count(b"a") - passed.count(b"b")) <= 2


def test_where_routers_are_not_equally_likely_the_rule_holds_behind_each() -> None:
    def answers(ask: Ask) -> str:
        before = "ab"[ask.flow % 2]
        after = "c" if before == "a" else "cde"[ask.flow // 2 % 3]
        return ("r", before, after, "n", ".")[min(ask.ttl, 5) - 1]

    branches = Branches()
    assert walked(branches, answers)[0] == "reached"
    behind = branches.successors(3)
    assert {way: set(found) for way, found in behind.items()} == {b"a": {b"c"}, b"b": {b"c", b"d", b"e"}}
    assert [sum(behind[way].values()) >= need for way, need in ((b"a", 6), (b"b", 16))] == [True, True]


def test_a_silent_hop_is_passed_and_silence_to_the_end_is_an_end() -> None:
    ended, asked = walked(Branches(), lambda ask: None if ask.ttl == 2 else line(ask))
    assert ended == "reached"
    assert sum(ask.ttl == 2 for asks in asked for ask in asks) == 6
    ended, asked = walked(Branches(gap=3), lambda ask: None if ask.ttl > 2 else line(ask))
    assert ended == "silent"
    assert max(ask.ttl for asks in asked for ask in asks) == 5


def test_what_is_lost_is_asked_three_times() -> None:
    _, asked = walked(Branches(), lambda ask: None if (ask.ttl, ask.flow) == (2, 3) else line(ask))
    assert sum((ask.ttl, ask.flow) == (2, 3) for asks in asked for ask in asks) == 3


def test_refusals_the_last_distance_and_circles() -> None:
    assert walked(Branches(), lambda ask: "!" if ask.ttl == 3 else line(ask))[0] == "refused"
    assert walked(Branches(last=2), line)[0] == "last"
    assert walked(Branches(), lambda ask: "ab"[ask.ttl % 2])[0] == "loop"


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_a_router_of_countless_next_hops_ends(confidence: float) -> None:
    branches = Branches(last=3, confidence=confidence)
    walked(branches, lambda ask: f"{ask.flow}" if ask.ttl > 1 else "r")
    assert len(branches.hop(2).by_flow) <= MOST
