# SPDX-License-Identifier: Apache-2.0
"""What follows from whom flow ids met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from fleutan.protocols.tracing.met import Ask, Known


def known(*hops: Mapping[int, str | None], end: str = ".") -> Known:
    """Flow ids with whom they met at each distance; ``end`` is the destination."""
    found = Known()
    for ttl, hop in enumerate(hops, 1):
        for flow, source in hop.items():
            found.took(Ask(flow, ttl), source.encode() if source else None, arrived=source == end)
    return found


def test_ways_are_by_the_router_before_and_end_at_the_destination() -> None:
    found = known({0: "r"}, {0: "a", 1: "b", 2: "a"}, {0: ".", 1: "c"})
    assert found.ways(3) == {b"a": [0, 2], b"b": [1]}
    assert found.opened(3) == {b"b": [1]}
    assert found.ways(4) == {b"c": [1]}
    assert found.opened(1) == {None: [0]}
    assert found.has_arrived(0, 3)
    assert not found.has_arrived(0, 2)


def test_a_flow_id_passes_the_only_router_of_a_hop() -> None:
    found = known({0: "r"}, {0: "a", 1: "b"}, {3: "m"})
    assert (found.way(7, 2), found.way(7, 3), found.way(7, 4), found.way(7, 1)) == (b"r", None, b"m", None)


def test_a_few_that_were_lost_are_no_router() -> None:
    assert known(dict.fromkeys(range(5), "a") | {9: None, 8: "b"}).ways(2) == {b"a": [0, 1, 2, 3, 4], b"b": [8]}
    assert known({0: "a", 1: None}).ways(2) == {b"a": [0], None: [1]}
    assert known({0: None}).ways(2) == {None: [0]}


@pytest.mark.parametrize(
    ("before", "hop", "even", "apart"),
    [
        ("aabb", "cccc", True, False),
        ("aaabbb", "cccddd", True, True),
        ("aabb", "cdcd", True, False),
        ("aabb", "ccde", False, True),
        ("aabb", "cdce", False, False),
        ("aabb", "cccd", False, False),
    ],
)
def test_whether_routers_are_equally_likely(before: str, hop: str, even: bool, apart: bool) -> None:
    found = known({0: "r"}, dict(enumerate(before)), dict(enumerate(hop)))
    assert (found.is_even(3), found.is_apart(3)) == (even, apart)


def test_links_are_told_but_between_hops_that_packets_take_at_random() -> None:
    found = known({0: "r"}, {0: "a", 1: "b"}, {0: "c", 1: "d"})
    assert found.links(1) == []
    assert found.links(2) == [(b"r", b"a"), (b"r", b"b")]
    assert found.links(3) == [(b"a", b"c"), (b"b", b"d")]
    assert [found.balancing(ttl) for ttl in (1, 2, 3)] == ["", "per flow", "per flow"]
    found.took(Ask(0, 2, again=True), b"b")
    assert (found.balancing(2), found.links(3)) == ("per packet", [])
    assert found.links(2) == [(b"r", b"a"), (b"r", b"b")]


def test_all_routers_lead_to_the_only_one() -> None:
    assert known({0: "r"}, {0: "a", 1: "b"}, {0: "c"}).links(3) == [(b"a", b"c"), (b"b", b"c")]


def test_once_more_the_same_or_nobody_is_no_sign() -> None:
    found = known({0: "a", 1: "b"})
    for answer in (b"a", None):
        found.took(Ask(0, 1, again=True), answer)
    assert (found.balancing(1), found.hop(1).again) == ("per flow", 2)


@pytest.mark.parametrize(("hops", "circle"), [(["a", "b", "a", "b", "a"], True), (["a", "b", "c", "b", "d"], False)])
def test_circles(hops: Sequence[str], circle: bool) -> None:
    assert known(*({0: hop} for hop in hops)).is_circle(5) is circle


def test_who_goes_no_further() -> None:
    found = known({0: "a"})
    found.took(Ask(0, 2), b"x", onward=False)
    found.took(Ask(0, 4), b"y", onward=False)
    assert found.ended == {0: 2}
    assert found.ways(3) == {}
    assert found.is_silent(3)
