# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.test_divergence import WAYS
from tests.analysis.test_paths import path

from fleutan.analysis.changes import changes


def test_what_is_as_it_was_is_no_change() -> None:
    found = changes([path("a", "*", "z")], [path("a", "b", "z")])
    assert not found
    assert found == ((), (), ())
    assert not changes([], [])


def test_another_router_is_a_change() -> None:
    found = changes([path("a", "b", "z")], [path("a", "c", "z")])
    assert found
    [change] = found.changed
    assert (change.before.hops[1].addresses, change.after.hops[1].addresses) == (frozenset("b"), frozenset("c"))
    assert change.aligned.first == 1


def test_of_several_ways_to_one_end_those_that_stay_are_left_out() -> None:
    found = changes(
        [path("a", "b", "z"), path("a", "c", "z")], [path("a", "c", "z"), path("a", "d", "z"), path("a", "e", "z")]
    )
    assert [(one.before.known[1], one.after.known[1]) for one in found.changed] == [(frozenset("b"), frozenset("d"))]
    assert [one.known[1] for one in found.new] == [frozenset("e")]


def test_destinations_come_and_go() -> None:
    found = changes([path("a", "y")], [path("a", "z")])
    assert (found.changed, [one.destination for one in found.new], [one.destination for one in found.gone]) == (
        (),
        ["z"],
        ["y"],
    )
    assert changes([path("a", "z", method="syn")], [path("a", "z")]).new


@given(WAYS, st.randoms())
def test_the_order_of_paths_is_no_change(ways: list[list[str]], random: object) -> None:
    paths = [path(*(word for word in way if word != "*"), "end", destination="end") for way in ways]
    shuffled = list(paths)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert not changes(paths, shuffled)
