# SPDX-License-Identifier: Apache-2.0
"""All ways through a network that is made of bytes: ports that are kept, and hops with their links."""

from __future__ import annotations

from contextlib import ExitStack
from ipaddress import ip_address

import pytest
from tests.protocols.tracing.packets import FAR, NEAR, message
from tests.sources.test_paths import HERE, WALL, Network

from fleutan.linux.egress import Sent
from fleutan.protocols.tracing.hops import Rules
from fleutan.protocols.tracing.probes import Flow, Probe, packet
from fleutan.sources.multipath import FlowIds, trace
from fleutan.sources.paths import ICMP, ICMPV6, TCP, UDP, Aim

RULES = dict.fromkeys(("syn", "udp", "icmp"), Rules(last=9))
END = str(ip_address(FAR[4]))


class Spread(Network):
    """Two routers in a row, of which the second is one of two by the source port's parity; then the destination."""

    def send(self, packet: bytes) -> Sent:
        self.sent.append(packet)
        ttl, port = packet[8], int.from_bytes(packet[20:22], "big")
        answers = {1: bytes([10, 0, 0, 1]), 2: bytes([10, 0, 1, port % 2])}
        kind = bytes((11, 0, 0, 0)) if ttl in answers else bytes((3, 3, 0, 0))
        answer = message(4, kind + bytes(4), packet[:48], answers.get(ttl, FAR[4]))
        self.coming.append((answer, WALL + self.now + ttl * 1_000_000))
        return Sent(WALL + self.now)


def aim(method: str = "udp", proto: int = UDP, family: int = 4) -> Aim:
    return Aim(Flow(family, NEAR[family], FAR[family], proto, 40000, 33434, 5 if family == 6 else 0), method)


def test_all_ways_are_hops_with_several_routers_and_their_links() -> None:
    network = Spread()
    [found] = trace([aim()], HERE, RULES, 0, 0.999, network.kernel())
    path = found.path
    assert (found.errno, path.ended, path.method, path.destination) == (0, "reached", "udp", END)
    assert [sorted(hop.addresses) for hop in path.hops] == [["10.0.0.1"], ["10.0.1.0", "10.0.1.1"], [END]]
    assert [hop.balancing for hop in path.hops] == ["", "per flow", ""]
    assert sorted(path.hops[1].links) == [("10.0.0.1", "10.0.1.0"), ("10.0.0.1", "10.0.1.1")]
    assert sorted(path.hops[2].links) == [("10.0.1.0", END), ("10.0.1.1", END)]
    assert sum(hop.sent for hop in path.hops) == len(network.sent)
    assert len({sent[20:22] for sent in network.sent}) > 10
    assert network.expected == []


def test_answers_of_tcp_are_wanted_for_each_port_that_is_used() -> None:
    network = Spread()
    [found] = trace([aim("syn", TCP)], HERE, RULES, 0, 0.95, network.kernel())
    assert found.path.hops[1].balancing == "per flow"
    used = {int.from_bytes(sent[20:22], "big") for sent in network.sent}
    assert used <= {peer.own_port for peer in network.expected}


def test_what_is_not_let_out_ends_it() -> None:
    network = Network(refuses=1)
    [found] = trace([aim()], HERE, RULES, 0, 0.95, network.kernel())
    assert (found.path.ended, found.path.hops) == ("unsent", ())


@pytest.mark.parametrize(("proto", "family"), [(UDP, 4), (TCP, 4), (ICMP, 4), (UDP, 6), (TCP, 6), (ICMPV6, 6)])
def test_flow_ids_differ_in_what_routers_hash_and_are_right_packets(proto: int, family: int) -> None:
    method = {UDP: "udp", TCP: "syn"}.get(proto, "icmp")
    with ExitStack() as held:
        flow_ids = FlowIds(aim(method, proto, family), held)
        probes = [flow_ids(number)._replace(ttl=1, number=1) for number in range(40)]
        assert probes == [flow_ids(number)._replace(ttl=1, number=1) for number in range(40)], "the same each time"
        assert probes[0].flow == flow_ids.aim.flow
        assert len({_hashed(probe) for probe in probes}) == 40
        assert len({probe.flow.label for probe in probes}) == (40 if family == 6 else 1)
        assert len(list(flow_ids.peers())) == (49 if proto == TCP else 0)


def _hashed(probe: Probe) -> bytes:
    """The first four octets behind the IP header: ports, or of ICMP type, code and checksum."""
    start = 20 if probe.flow.family == 4 else 40
    return packet(probe)[start : start + 4]
