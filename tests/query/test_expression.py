# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.query.expression import (
    NOTHING,
    And,
    Bounds,
    Comparison,
    Everything,
    Expression,
    Glob,
    Known,
    Not,
    Or,
    all_of,
    any_of,
    bounds,
    negation,
)

TCP = Comparison(("proto",), "=", ("tcp",))
UDP = Comparison(("proto",), "=", ("udp",))
FAST = Comparison(("rtt",), "<", (1000,))
OPEN = Comparison(("state",), "=", ("established",))
SHUT = Comparison(("state",), "=", ("close", "listen"))


def test_conjunctions_are_flat_and_everything_adds_nothing() -> None:
    assert all_of([And((TCP, OPEN)), Everything(), FAST]) == And((TCP, OPEN, FAST))
    assert all_of([TCP]) == TCP
    assert all_of([]) == Everything() == all_of([Everything()])


def test_disjunctions_are_flat_and_merge_equalities_of_the_same_fields() -> None:
    either = Comparison(("proto",), "=", ("tcp", "udp"))
    assert any_of([TCP, UDP]) == either
    assert any_of([Or((TCP, FAST)), UDP]) == Or((either, FAST))
    assert any_of([FAST]) == FAST


def test_only_equalities_are_merged() -> None:
    unequal = Comparison(("proto",), "!=", ("tcp",))
    assert any_of([unequal, unequal, FAST, FAST]) == Or((unequal, unequal, FAST, FAST))


def test_any_of_everything_is_everything() -> None:
    assert any_of([TCP, Everything()]) == Everything()


def test_nothing_is_the_contrary_of_everything() -> None:
    assert negation(Everything()) == NOTHING == any_of([]) == any_of([NOTHING])
    assert all_of([TCP, NOTHING, FAST]) == NOTHING
    assert any_of([TCP, NOTHING]) == TCP
    assert any_of([NOTHING, Everything()]) == Everything()


def test_negating_twice_changes_nothing() -> None:
    assert negation(TCP) == Not(TCP)
    assert negation(negation(TCP)) == TCP


@pytest.mark.parametrize(
    ("expression", "protos", "states"),
    [
        (Everything(), None, None),
        (TCP, {"tcp"}, None),
        (SHUT, None, {"close", "listen"}),
        (And((TCP, OPEN, FAST)), {"tcp"}, {"established"}),
        (And((TCP, UDP)), set(), None),
        (Or((TCP, OPEN)), None, None),
        (Or((And((TCP, OPEN)), And((UDP, SHUT)))), {"tcp", "udp"}, {"established", "close", "listen"}),
        (And((Or((TCP, UDP)), TCP)), {"tcp"}, None),
        (Not(TCP), None, None),
        (Comparison(("proto",), "!=", ("tcp",)), None, None),
        (Comparison(("proto",), "=", ("tcp", Glob("ud*"))), None, None),
        (Known(("proto",)), None, None),
    ],
)
def test_bounds_are_never_too_narrow(expression: Expression, protos: set[str] | None, states: set[str] | None) -> None:
    assert bounds(expression) == Bounds(
        None if protos is None else frozenset(protos), None if states is None else frozenset(states)
    )


def test_expressions_are_values() -> None:
    assert len({And((TCP, FAST)), And((TCP, FAST)), Or((TCP, FAST))}) == 2
    assert str(Not(Everything())) == "Not(term=Everything())"
