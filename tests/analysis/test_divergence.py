# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.test_paths import path

from fleutan.analysis.divergence import Branch, divergence


def drawn(*paths: str) -> list[str]:
    """The rows as words, '-' where a path has no hop."""
    rows = divergence([path(*words.split()) for words in paths]).rows
    return [
        " ".join("-" if hop is None else ",".join(sorted(hop.addresses)) or "*" for hop in row.hops) for row in rows
    ]


def test_equal_paths_do_not_part() -> None:
    found = divergence([path("a", "b", "z"), path("a", "b", "z")])
    assert (found.first, found.last, found.branches) == (3, 3, ())
    assert all(row.same for row in found.rows)
    assert divergence([]).rows == ()


def test_another_router_stands_beside_the_one() -> None:
    assert drawn("a b z", "a c z", "a b z") == ["a a a", "b c b", "z z z"]
    found = divergence([path("a", "b", "z"), path("a", "c", "z"), path("a", "b", "z")])
    assert (found.first, found.last) == (1, 2)
    assert found.branches == (Branch(frozenset("b"), (0, 2)), Branch(frozenset("c"), (1,)))


def test_an_inserted_hop_does_not_shift_the_rest() -> None:
    assert drawn("a b c z", "a b x c z") == ["a a", "b b", "- x", "c c", "z z"]
    assert drawn("a b x c z", "a b c z") == ["a a", "b b", "x -", "c c", "z z"]


def test_a_silent_hop_differs_from_nobody() -> None:
    assert drawn("a * c z", "a b c z") == ["a a", "* b", "c c", "z z"]
    assert divergence([path("a", "*", "c", "z"), path("a", "b", "c", "z")]).branches == ()


def test_routers_in_turn_at_one_hop_are_the_same_as_one_of_them() -> None:
    assert drawn("a b,c z", "a c z") == ["a a", "b,c c", "z z"]


def test_a_destination_that_kept_silent_is_not_another_that_did() -> None:
    silent = [path("a", "*", destination=name) for name in ("y", "z", "y")]
    found = divergence(silent)
    assert (found.first, found.last) == (1, 2)
    assert found.branches == (Branch(frozenset("y"), (0, 2)), Branch(frozenset("z"), (1,)))
    assert divergence([silent[0], path("a", "y")]).branches == ()


def test_a_branch_is_what_comes_next_wherever_it_stands() -> None:
    [one, other] = divergence([path("a", "b", "z"), path("a", "x", "b", "z")]).branches
    assert (one.addresses, other.addresses) == (frozenset("b"), frozenset("x"))
    ended, silent, on = divergence([path("a"), path("a", "*", "c", "z"), path("a", "b", "z")]).branches
    assert (ended.addresses, silent.addresses, on.addresses) == (None, frozenset(), frozenset("b"))


@pytest.mark.parametrize(("one", "other"), [("a b c", "x y z"), ("a", "x y z"), ("a b c d e", "e")])
def test_paths_with_little_in_common(one: str, other: str) -> None:
    found = divergence([path(*one.split()), path(*other.split())])
    assert found.first <= found.last <= len(found.rows)
    assert found.branches or found.first == len(found.rows)


WAYS = st.lists(st.lists(st.sampled_from("abcdef*"), min_size=1, max_size=8), min_size=1, max_size=5)


@given(WAYS)
def test_every_hop_stands_once_and_in_order(ways: list[list[str]]) -> None:
    paths = [path(*way) for way in ways]
    rows = divergence(paths).rows
    for number, one in enumerate(paths):
        assert [row.hops[number] for row in rows if row.hops[number] is not None] == list(one.hops)
    assert all(any(hop is not None for hop in row.hops) for row in rows)
