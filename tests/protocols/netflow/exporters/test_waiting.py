# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.protocols.netflow.exporters.waiting import NS, OCTETS, OCTETS_OF_ONE, Room, Waiting
from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.netflow.wire.templates import Scope

SCOPE = Scope(9, 0, 1, 0, 7)
ONE = Waiting(SCOPE, 256, (), b"abcd", 0)


def test_sets_are_released_by_their_template_in_order() -> None:
    room = Room()
    other = ONE._replace(number=257)
    for one in (ONE, other, ONE._replace(octets=b"efgh")):
        room.add(one)
    assert room.release([]) == room.release([(SCOPE, 258)]) == []
    assert [one.octets for one in room.release([(SCOPE, 256)])] == [b"abcd", b"efgh"]
    assert len(room) == 1
    assert room.release({(SCOPE, 257)}) == [other]
    assert room.release({(SCOPE, 257)}) == []


def test_sets_wait_for_so_long_and_are_then_counted() -> None:
    room, noted = Room(), Rejects()
    room.add(ONE)
    room.add(ONE._replace(since_ns=5))
    room.expire(NS, noted)
    assert len(room) == 2
    room.expire(NS + 1, noted)
    assert (len(room), dict(noted.counts)) == (1, {rejects.WAITED: 1})


def test_room_is_bounded_for_one_exporter_and_for_all() -> None:
    room, noted = Room(), Rejects()
    large = ONE._replace(octets=bytes(60_000))
    domains = 0
    while room.fits(SCOPE._replace(domain=domains), 60_000):
        scope = SCOPE._replace(domain=domains)
        kept = 0
        while room.fits(scope, 60_000):
            room.add(large._replace(scope=scope))
            kept += 1
        assert kept <= OCTETS_OF_ONE // 60_000
        domains += 1
    assert len(room) * 60_000 < room.octets <= OCTETS
    assert domains >= OCTETS // OCTETS_OF_ONE
    assert not room.fits(SCOPE._replace(domain=9999), 60_000)
    room.expire(NS + 1, noted)
    assert room.fits(SCOPE, 60_000)
    assert len(room) == 0
