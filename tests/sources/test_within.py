# SPDX-License-Identifier: Apache-2.0
"""UDP flows through a network that is made of bytes; ``tests/namespaces/test_paths_udp.py`` has a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import pytest
from tests.protocols.tracing.packets import message
from tests.sources.test_paths import HERE, WALL, Network, addresses

from fleutan.analysis.paths import Hop, Path, Router
from fleutan.linux.egress import Sent
from fleutan.linux.namespaces import Namespace, current
from fleutan.protocols.tracing.hops import SECOND, Rules
from fleutan.protocols.tracing.probes import Flow
from fleutan.sources import within
from fleutan.sources.paths import UDP, Aim, Traced

RULES = dict.fromkeys(("flow", "syn", "udp", "icmp"), Rules(queries=1, gap=2, wait_ns=SECOND // 10))
#: Destinations on loopback, so that this host has a way there; the network is none of its.
END, OTHER = (ip_address(text).packed for text in ("127.0.0.77", "127.0.0.78"))
PORT = 4433


class Town(Network):
    """Routers in a row, and hosts behind them: those that answer at all refuse UDP and answer echoes."""

    answering = True
    delivered = 0

    def send(self, packet: bytes) -> Sent:
        flow_port, ttl = int.from_bytes(packet[22:24], "big"), packet[8]
        self.sent.append(packet)
        at_ns = WALL + self.now + ttl * 1_000_000
        if ttl <= self.routers:
            self._error(packet, (11, 0), bytes([10, 0, 0, ttl]), at_ns)
        elif packet[9] == UDP and flow_port == PORT:
            self.delivered += 1
        elif packet[9] == UDP and self.answering:
            self._error(packet, (3, 3), packet[16:20], at_ns)
        return Sent(WALL + self.now)

    def _error(self, packet: bytes, kind: tuple[int, int], source: bytes, at_ns: int) -> None:
        self.coming.append((message(4, bytes((*kind, 0, 0)) + bytes(4), packet[:48], source), at_ns))

    @contextmanager
    def entered(self, space: Namespace) -> Iterator[None]:
        assert space == current()
        yield

    @property
    def inside(self) -> list[bytes]:
        return [one for one in self.sent if one[9] == UDP and int.from_bytes(one[22:24], "big") == PORT]


def aim(end: bytes = END, sport: int = 40000, **more: Any) -> Aim:
    return Aim(Flow(4, bytes([127, 0, 0, 1]), end, UDP, sport, PORT), "flow", **more)


def trace(network: Network, *wanted: Aim) -> list[Traced | None]:
    return within.trace(wanted, current(), RULES, 0, None, network.kernel())


def test_the_flow_itself_goes_no_farther_than_the_router_before_its_end() -> None:
    network = Town()
    [one, other] = trace(network, aim(), aim(OTHER, 40001))
    for found, end in ((one, "127.0.0.77"), (other, "127.0.0.78")):
        assert found is not None
        assert (found.path.method, found.path.ended, found.path.destination) == ("flow", "reached", end)
        assert addresses(found.path) == [["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"], []]
    assert network.delivered == 0
    assert sorted(one[8] for one in network.inside) == [1, 1, 2, 2, 3, 3]
    assert {len(one) for one in network.inside} == {28}


def test_an_end_that_keeps_silent_is_not_reached() -> None:
    network = Town()
    network.answering = False
    [found] = trace(network, aim())
    assert found is not None
    assert (found.path.ended, len(found.path.hops), network.delivered) == ("last", 3, 0)


def test_where_nobody_answers_nothing_is_asked_inside() -> None:
    network = Town(routers=0)
    network.answering = False
    assert trace(network, aim()) == [None]
    assert network.inside == []
    assert within.trace([], HERE, RULES, 0, None, network.kernel()) == []


def test_a_neighbour_is_reached_without_a_probe() -> None:
    network = Town(routers=0)
    [found] = trace(network, aim())
    assert found is not None
    assert (found.path.ended, addresses(found.path), network.inside) == ("reached", [[]], [])


def test_a_way_that_does_not_exist_is_not_asked() -> None:
    far = ip_address("fe80::1").packed
    assert trace(Town(), Aim(Flow(6, far, far, UDP, 1, PORT), "flow")) == [None]


@pytest.mark.parametrize(
    ("expired", "distance", "edges"),
    [
        ((3,), 4, {3}),
        ((3, 2), 3, {2, 3}),  # the nearer: a flow may go a way as short as that
        ((0, 3), 1, {3}),
    ],
)
def test_how_far_a_flow_may_be_probed(expired: tuple[int, ...], distance: int, edges: set[int]) -> None:
    hops = tuple(Hop(ttl, (Router(f"10.0.0.{ttl}", (1.0,)),), 1) for ttl in range(1, 10))
    found = within.short(aim(), [Traced(Path("", "udp", hops), 0, one) for one in expired])
    assert found.distance == distance
    assert found.edges == {bytes([10, 0, 0, place]) for place in edges}
