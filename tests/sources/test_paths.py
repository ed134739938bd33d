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
from tests.protocols.tracing.packets import FAR, NEAR, exceeded, ip, message

from fleutan.analysis.paths import Path
from fleutan.column import Column
from fleutan.errors import NotSupported
from fleutan.linux.egress import Sent, Unsendable
from fleutan.linux.namespaces import Namespace, current
from fleutan.linux.tcpfilter import Peer
from fleutan.protocols.tracing.hops import SECOND, Rules
from fleutan.protocols.tracing.probes import ACK, SYN, Flow, Probe
from fleutan.protocols.tracing.replies import Label, Quote, Reply
from fleutan.protocols.tracing.trace import Trace
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
    lost: int = 0

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
        return Kernel(self.prober, self.entered, self.clock, lambda *ends: ends == (FAR[4], NEAR[4], 0))


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


@pytest.mark.parametrize(("moved", "ended", "behind"), [(1, "reached", [[]]), (0, "silent", [])])
def test_a_connection_whose_end_keeps_silent_ends_behind_its_last_router_while_it_moves_on(
    moved: int, ended: str, behind: list[list[str]]
) -> None:
    network = Network()
    rules = RULES | {"flow": Rules(queries=1, inferred=True, gap=2, wait_ns=SECOND // 2)}
    one = aim("flow", TCP, seq=1000, ack=5, cookie=7)
    [found] = trace([one], HERE, rules, 0, lambda _: {7: Numbers(1000 + moved, 5)}, network.kernel())
    assert found.path.ended == ended
    assert addresses(found.path) == [["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"], *behind]
    assert network.expected == [Peer(4, FAR[4], 443, 40000)]


def test_each_way_leaves_by_its_device() -> None:
    network, other = Network(), aim(device="eth1")
    other = other._replace(flow=other.flow._replace(sport=40001))
    first, second = trace([aim(device="eth0"), other], HERE, RULES, 0, None, network.kernel())
    assert network.devices == ["eth0", "eth1"]
    assert addresses(first.path) == addresses(second.path)


def test_what_the_sockets_missed_and_rival_next_hops_are_told() -> None:
    wanted = [aim(), aim("udp", UDP)]
    network = Network(lost=7)
    assert [(one.missed, one.rivals) for one in trace(wanted, HERE, RULES, 0, None, network.kernel())] == [
        (7, False),  # of ICMP no ports are hashed
        (7, True),
    ]
    network = Network()
    assert [one.missed for one in trace(wanted[:1], HERE, RULES, 0, None, network.kernel())] == [0]


@dataclass
class Full(Network):
    """Its queue has no room until a moment, or never."""

    until_ns: int = 0

    def send(self, packet: bytes) -> Sent:
        return Sent(WALL, errno.ENOBUFS) if self.now < self.until_ns else super().send(packet)


def test_a_full_queue_is_waited_for_but_not_forever() -> None:
    [found] = trace([aim()], HERE, RULES, 0, None, Full(until_ns=2 * SECOND).kernel())
    assert (found.path.ended, [hop.lost for hop in found.path.hops]) == ("reached", [0] * 4)
    network = Full(until_ns=1 << 62)
    [found] = trace([aim()], HERE, RULES, 0, None, network.kernel())
    assert (found.errno, found.path.ended) == (errno.ENOBUFS, "unsent")
    assert 4 * SECOND <= network.now < 5 * SECOND


@dataclass
class Late(Network):
    """This process gets its turn long after it looked, and answers have come meanwhile."""

    def receive(self, seconds: float) -> list[tuple[bytes, int]]:
        until = WALL + self.now + int(seconds * SECOND)
        looked = max(WALL + self.now, min([until, *(at_ns for _, at_ns in self.coming)]))  # the first answer wakes it
        self.now = looked - WALL + 5 * SECOND
        ready = [one for one in self.coming if one[1] <= looked]
        self.coming = [one for one in self.coming if one[1] > looked]
        return ready


def test_what_came_while_this_process_had_no_turn_is_not_lost() -> None:
    rules = dict.fromkeys(RULES, Rules(queries=3, wait_ns=SECOND // 10))
    [found] = trace([aim()], HERE, rules, 0, None, Late().kernel())
    assert (found.path.ended, [hop.lost for hop in found.path.hops]) == ("reached", [0] * 4)


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


def test_another_wire_takes_the_place_of_raw_sockets() -> None:
    class Far:
        """One that answers every probe itself."""

        def __init__(self) -> None:
            self.coming: list[tuple[Reply, int]] = []

        def send(self, probe: Probe) -> Sent:
            number = probe.number if probe.ttl > 1 else None  # what quotes too little tells no number
            self.coming.append((Reply(FAR[4], "unreachable", 3, probe.flow, number, 64), WALL + 1000))
            return Sent(WALL)

        def receive(self, seconds: float) -> list[tuple[Reply, int]]:
            network.now += int(seconds * SECOND) + 1
            found, self.coming = self.coming, []
            return found

    network = Network()
    [found] = trace([aim("udp", UDP)], HERE, RULES, 0, None, network.kernel(), Far())
    assert network.devices == []
    assert addresses(found.path) == [[], [str(ip_address(FAR[4]))]]
    assert (found.path.ended, found.path.rtt_us, found.expired) == ("reached", 1.0, 0)


def test_a_flow_of_udp_is_traced_up_to_the_router_before_its_end() -> None:
    network, inside = Network(), aim("flow", UDP, distance=4)
    [found] = trace([inside], HERE, RULES, 0, None, network.kernel())
    assert addresses(found.path) == [["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"], []]
    assert (found.path.ended, found.path.inferred, found.expired) == ("reached", True, 3)
    assert [(len(packet), packet[8]) for packet in network.sent] == [(28, 1), (28, 2), (28, 3)]
    assert network.expected == []


def test_whether_raw_sockets_may_be_used() -> None:
    @contextmanager
    def forbidden(device: str) -> Iterator[Network]:
        raise NotSupported("probing with raw sockets", "it needs CAP_NET_RAW")
        yield

    assert paths.refused(Network().kernel()) is None
    why = paths.refused(Network().kernel()._replace(prober=forbidden))
    assert str(why) == "probing with raw sockets: it needs CAP_NET_RAW"


def test_templates() -> None:
    live = template(aim("flow", TCP, seq=9, ack=8, window=7))
    assert (live.seq, live.ack, live.window, live.flags, live.number) == (9, 8, 7, ACK, 1)
    syn = template(aim("syn", TCP))
    assert (syn.seq & 0xFFFF, syn.flags) == (0, SYN)
    assert template(aim("udp", UDP)).flags == 0
    assert (template(aim("flow", UDP)).bare, live.bare) == (True, False)


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
        quoted = probe.flow._replace(src=reply.flow.src)
        one.heard(reply._replace(flow=quoted, number=probe.number), WALL + 5000)
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
    elsewhere = reply("time-exceeded", quoted=Quote(1, 0, None, True, None))
    elsewhere = elsewhere._replace(flow=elsewhere.flow._replace(src=bytes([203, 0, 113, 9])))
    [router] = answered(elsewhere).hops[0].routers
    assert router.changes == ("nat",)


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
