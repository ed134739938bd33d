# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.capture import rejects
from fleutan.protocols.capture.fragments import LONGEST_NS, MOST_OCTETS, MOST_PARTS, MOST_WAITING, Fragment, Fragments


def part(offset: int, octets: bytes, more: bool = True, key: int = 1, at_ns: int = 0) -> Fragment:
    return Fragment((key,), offset, more, octets, at_ns)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_fragments_in_any_order_and_twice_make_the_datagram(octets: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(octets) - 1)), max_size=6)) - {len(octets)})
    bounds = list(zip([0, *cuts], [*cuts, len(octets)], strict=True))
    parts = [part(begin, octets[begin:end], end < len(octets)) for begin, end in bounds]
    order = data.draw(st.permutations(parts))
    fragments = Fragments()
    found = [fragments.add(each) for each in [*order[:-1], *order[:-1], order[-1]]]
    assert found == [None] * (len(found) - 1) + [octets]
    fragments.finish()
    assert not fragments.rejects


def test_datagrams_are_kept_apart_by_their_keys() -> None:
    fragments = Fragments()
    assert fragments.add(part(0, b"aaaa", key=1)) is None
    assert fragments.add(part(0, b"bbbb", key=2)) is None
    assert fragments.add(part(4, b"2", more=False, key=2)) == b"bbbb2"
    assert fragments.add(part(4, b"1", more=False, key=1)) == b"aaaa1"


@pytest.mark.parametrize(
    "parts",
    [
        [part(0, b"1234"), part(2, b"3456", more=False)],
        [part(0, b"1234"), part(0, b"4321")],
        [part(8, b"12", more=False), part(4, b"12", more=False)],
        [part(0, b"123456789"), part(4, b"1", more=False)],
        [part(0, b"")],
        [part(MOST_OCTETS - 3, b"1234")],
    ],
)
def test_what_does_not_fit_together_is_dropped(parts: list[Fragment]) -> None:
    fragments = Fragments()
    assert [fragments.add(each) for each in parts] == [None] * len(parts)
    assert fragments.rejects == {rejects.FRAGMENT_CONFLICT: 1}
    assert not fragments._waiting


def test_parts_and_octets_of_a_datagram_are_bounded() -> None:
    fragments = Fragments()
    for number in range(MOST_PARTS + 1):
        fragments.add(part(number * 8, b"12345678"))
    assert fragments.rejects == {rejects.FRAGMENT_CONFLICT: 1}
    for number in range(3):
        fragments.add(part(number * 8, bytes(30000), key=2))
    assert fragments.rejects == {rejects.FRAGMENT_CONFLICT: 2}


def test_datagrams_that_wait_are_bounded_in_number_and_time() -> None:
    fragments = Fragments()
    for number in range(MOST_WAITING + 5):
        fragments.add(part(0, b"1", key=number))
    assert len(fragments._waiting) == MOST_WAITING
    assert fragments.rejects == {rejects.FRAGMENT_MISSING: 5}
    fragments.add(part(0, b"1", key=-1, at_ns=LONGEST_NS + 1))
    assert len(fragments._waiting) == 1
    fragments.finish()
    assert fragments.rejects == {rejects.FRAGMENT_MISSING: MOST_WAITING + 6}
