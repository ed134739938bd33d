# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.protocols.netflow.capturing import AT_NS, datagrams

from fleutan.protocols.anonymous.held import NS, OCTETS, Held, joined
from fleutan.protocols.netflow.wire.templates import Scope

ONE, OTHER = ((Scope(9, 0, 1, 0, 7), number) for number in (260, 261))


def test_nothing_is_held_at_first() -> None:
    held = Held()
    assert len(held) == 0
    assert held.release({ONE}) is None
    assert held.expire(AT_NS) is None
    assert held.end() is None
    held.add(datagrams(), {ONE})
    assert held.release({ONE}) is None


def test_all_come_out_when_one_of_the_templates_is_there() -> None:
    held = Held()
    held.add(datagrams(b"first", b"second"), {ONE})
    held.add(datagrams(b"third"), {OTHER})
    assert len(held) == 3
    assert held.release(set()) is None
    found = held.release({OTHER})
    assert found
    assert found.spans.strings() == [b"first", b"second", b"third"]
    assert found.sizes.tolist() == [5, 6, 5]
    assert len(held) == 0
    assert held.release({ONE}) is None


def test_those_that_wait_too_long_come_out() -> None:
    held = Held()
    held.add(datagrams(b"old", at_ns=AT_NS), {ONE})
    held.add(datagrams(b"new", at_ns=AT_NS + 9), {OTHER})
    assert held.expire(AT_NS + NS) is None
    found = held.expire(AT_NS + NS + 1)
    assert found
    assert found.spans.strings() == [b"old"]
    assert len(held) == 1
    found = held.end()
    assert found
    assert found.spans.strings() == [b"new"]


def test_there_is_room_for_so_many_octets() -> None:
    held, large = Held(), datagrams(*[bytes(60000)] * 10)
    added = 0
    while held.fits(large):
        held.add(large, {ONE})
        added += 600000
    assert OCTETS - 700000 < added <= OCTETS
    assert held.release({ONE})
    assert held.fits(large)


def test_datagrams_of_several_buffers_together() -> None:
    parts = [datagrams(b"a", b"bc"), datagrams(), datagrams(b"def")]
    found = joined(parts)
    assert found.spans.strings() == [b"a", b"bc", b"def"]
    assert found.sport.tolist() == [2055] * 3
    assert joined(parts[:1]) is parts[0]
