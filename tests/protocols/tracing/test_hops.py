# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.protocols.tracing.hops import Answer, Hop, together


def answer(source: bytes, late: bool = False) -> Answer:
    return Answer(source, 5, "time-exceeded", 0, 64, late)


def test_what_is_waited_for_was_neither_answered_in_time_nor_given_up() -> None:
    hop = Hop(1, sent=5, lost=2, answers=[answer(b"a"), answer(b"b", late=True)])
    assert hop.waiting == 2


def test_who_answered_first_is_named_first() -> None:
    assert Hop(1, answers=[answer(b"b"), answer(b"a"), answer(b"b")]).sources == [b"b", b"a"]


def test_distances_that_end_alike_are_one_without_what_is_still_out() -> None:
    near, far = Hop(2, sent=2, lost=1, answers=[answer(b"z")]), Hop(3, sent=3, lost=0, answers=[answer(b"z")])
    found = together([near, far])
    assert (found.ttl, found.sent, found.lost, len(found.answers)) == (2, 3, 1, 2)
    assert (near.sent, len(near.answers)) == (2, 1)
    assert together([near]) is near
