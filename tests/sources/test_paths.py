# SPDX-License-Identifier: Apache-2.0
"""Traces through a network that is made of bytes: what comes back for a packet, and after how long."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import numpy as np
import pytest
from tests.protocols.packets import FAR, NEAR, exceeded, ip, message

from fleutan.analysis.paths import Path
from fleutan.column import Column
from fleutan.linux.egress import Sent, Unsendable
from fleutan.linux.namespaces import Namespace, current
from fleutan.linux.tcpfilter import Peer
from fleutan.protocols.probes import ACK, SYN, Flow
from fleutan.protocols.replies import Label, Quote, Reply
from fleutan.protocols.tracer import SECOND, Rules, Trace
from fleutan.sources import paths
from fleutan.sources.paths import ICMP, TCP, UDP, Aim, Kernel, Numbers, octets, path_of, template, trace

HERE = Namespace(7, "host", "/here")
WALL = 1_800_000_000 * SECOND
RULES = dict.fromkeys(("flow", "syn", "udp", "icmp"), Rules(queries=1))
ROUTERS = 3


@dataclass
class Network:
    """Routers in a row that quote what ran out, and behind them a host that answers echoes; time is what was waited."""

    routers: int = ROUTERS
    refuses: int = 0
    now: int = 0
    sent: list[bytes] = field(default_factory=list)
    expected: list[Peer] = field(default_factory=list)
    coming: list[tuple[bytes, int]] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)

    @contextmanager
    def prober(self, device: str) -> Iterator[Network]:
        self.devices.append(device)
        yield self

    @contextmanager
    def entered(self, space: Namespace) -> Iterator[None]:
        assert space == HERE
        yield

    def clock(self) -> int:
        return self.now

    def expect(self, peers: Iterable[Peer]) -> None:
        self.expected = list(peers)

    def send(self, packet: bytes) -> Sent:
        self.sent.append(packet)
        ttl = packet[8]
        if self.refuses == ttl:
            return Sent(WALL + self.now, errno.EPERM)
        after = ttl * 1_000_000
        if ttl <= self.routers:
            answer = message(4, bytes((11, 0, 0, 0)) + bytes(4), packet[:48], bytes([10, 0, 0, ttl]))
            self.coming.append((answer, WALL + self.now + after))
        elif packet[9] == ICMP:
            echo = bytes((0, 0, 0, 0)) + packet[24:28]
            self.coming.append((message(4, echo, packet[28:], FAR[4]), WALL + self.now + after))
        return Sent(WALL + self.now)

    def receive(self, seconds: float) -> list[tuple[bytes, int]]:
        self.now += int(seconds * SECOND) + 1
        found, self.coming = self.coming, []
        return [*found, (b"nonsense", WALL), (exceeded(4, ip(4, 6, bytes(20), NEAR[4], FAR[4])), WALL)]

    def kernel(self) -> Kernel:
        return Kernel(self.prober, self.entered, self.clock)


def aim(method: str = "icmp", proto: int = ICMP, **more: Any) -> Aim:
    return Aim(Flow(4, NEAR[4], FAR[4], proto, 40000, 443), method, **more)


def addresses(path: Path) -> list[list[str]]:
    return [sorted(hop.addresses) for hop in path.hops]


def test_a_way_is_its_routers_and_its_end() -> None:
    network = Network()
    [found] = trace([aim()], HERE, RULES, 0, None, network.kernel())
    assert (found.errno, found.path.ended, found.path.method) == (0, "reached", "icmp")
    far = str(ip_address(FAR[4]))
    assert addresses(found.path) == [["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"], [far]]
    assert [hop.rtt_us for hop in found.path.hops] == [1000.0, 2000.0, 3000.0, 4000.0]
    assert found.path.destination == far
    assert network.expected == []


def test_a_connection_whose_end_keeps_silent_ends_behind_its_last_router() -> None:
    network = Network()
    rules = RULES | {"flow": Rules(queries=1, inferred=True, gap=2, wait_ns=SECOND // 10)}
    [found] = trace([aim("flow", TCP, seq=1000, ack=5)], HERE, rules, 0, None, network.kernel())
    assert found.path.ended == "reached"
    assert addresses(found.path) == [["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"], []]
    assert network.expected == [Peer(4, FAR[4], 443, 40000)]


def test_each_way_leaves_by_its_device() -> None:
    network, other = Network(), aim(device="eth1")
    other = other._replace(flow=other.flow._replace(sport=40001))
    first, second = trace([aim(device="eth0"), other], HERE, RULES, 0, None, network.kernel())
    assert network.devices == ["eth0", "eth1"]
    assert addresses(first.path) == addresses(second.path)


def test_what_is_not_let_out_ends_the_way() -> None:
    [found] = trace([aim()], HERE, RULES, 0, None, Network(refuses=1).kernel())
    assert (found.errno, found.path.ended, found.path.hops) == (errno.EPERM, "unsent", ())


def test_connections_are_read_anew_and_those_that_closed_left_alone() -> None:
    asked: list[set[int]] = []

    def renew(cookies: Collection[int]) -> Mapping[int, Numbers]:
        asked.append(set(cookies))
        return {7: Numbers(5000, 6000)}

    rules = RULES | {"flow": Rules(queries=3, spacing_ns=SECOND // 2, gap=1, inferred=True)}
    one, two = aim("flow", TCP, seq=1000, cookie=7), aim("flow", TCP, seq=1000, cookie=8)
    two = two._replace(flow=two.flow._replace(sport=40001))
    network = Network()
    first, second = trace([one, two], HERE, rules, 0, renew, network.kernel())
    assert asked[0] == {7, 8}
    assert {7} in asked
    assert (first.path.ended, second.path.ended) == ("reached", "closed")
    assert int.from_bytes(network.sent[-1][28:32], "big") == 6000


def test_templates() -> None:
    live = template(aim("flow", TCP, seq=9, ack=8, window=7))
    assert (live.seq, live.ack, live.window, live.flags, live.number) == (9, 8, 7, ACK, 1)
    syn = template(aim("syn", TCP))
    assert (syn.seq & 0xFFFF, syn.flags) == (0, SYN)
    assert template(aim("udp", UDP)).flags == 0


def test_addresses_as_octets() -> None:
    four, six = ip_address("::ffff:192.0.2.1"), ip_address("2001:db8::1")
    halves = [[int.from_bytes(one.packed[at : at + 8], "big", signed=True) for at in (0, 8)] for one in (four, six)]
    column = Column(np.array(halves, np.int64))
    assert octets(column) == [ip_address("192.0.2.1").packed, six.packed]


def answered(*replies: Reply) -> Path:
    """The path of a trace whose first hop answered so."""
    one = Trace(template(aim("syn", TCP)), Rules(queries=len(replies)))
    probes = [probe for probe in iter(lambda: one.due(0), None) if probe.ttl == 1]
    for probe, reply in zip(probes, replies, strict=True):
        one.sent(probe.number, WALL)
        one.heard(reply._replace(flow=probe.flow, number=probe.number), WALL + 5000)
    return path_of(one, "syn")


def reply(kind: str = "unreachable", code: int = 0, **more: Any) -> Reply:
    return Reply(bytes([10, 0, 0, 1]), kind, code, aim().flow, 1, 63, **more)


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (reply(code=1), "!H"),
        (reply(code=13), "!X"),
        (reply(code=7), "!7"),
        (reply("too-big", mtu=1280), "!F"),
        (reply("time-exceeded"), ""),
    ],
)
def test_refusals_have_the_signs_of_traceroute(answer: Reply, refusal: str) -> None:
    [router] = answered(answer).hops[0].routers
    assert (router.refusal, router.ttl, router.mtu) == (refusal, 63, answer.mtu)


def test_what_routers_tell_and_what_was_changed() -> None:
    labels = (Label(24001, 0, True, 1),)
    quoted = Quote(1, 0x20, None, False, None)
    [router] = answered(reply("time-exceeded", labels=labels, quoted=quoted)).hops[0].routers
    assert (router.labels, router.changes) == (("24001 ttl 1",), ("nat", "tos 0x20"))
    [router] = answered(reply("time-exceeded", quoted=Quote(1, 0, None, True, None))).hops[0].routers
    assert router.changes == ()


@pytest.mark.parametrize(("method", "proto", "port"), [("syn", TCP, 443), ("udp", UDP, 33434), ("icmp", ICMP, 0xBEEF)])
def test_ways_without_a_flow(method: str, proto: int, port: int) -> None:
    with paths.aim(current(), bytes([127, 0, 0, 1]), method) as found:
        assert (found.flow.proto, found.flow.dport, found.method) == (proto, port, method)
        assert found.flow.src == found.flow.dst == bytes([127, 0, 0, 1])
        assert found.device == "lo"
    with paths.aim(current(), ip_address("::1").packed, method, 99) as found:
        assert found.flow.family == 6


def test_a_way_to_nowhere() -> None:
    with pytest.raises(Unsendable), paths.aim(current(), ip_address("fe80::1").packed, "udp"):
        pass
