# SPDX-License-Identifier: Apache-2.0
"""``fleutan paths --method flow`` of UDP flows: their own routers, and nothing for the processes at both ends."""

from __future__ import annotations

import errno
import shutil
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.bpf import needs_bpf
from tests.namespaces.conftest import Host, World
from tests.namespaces.test_paths import Town, _packets, asked, routers, town, wire  # noqa: F401 - fixtures

Row = dict[str, Any]
pytestmark = [needs_bpf, pytest.mark.skipif(not shutil.which("clang"), reason="needs clang")]

needs_nft = pytest.mark.skipif(not shutil.which("nft"), reason="needs nft of nftables")
FLOWS = 12
ENDS = {
    4: ("10.1.0.2", "10.2.{}.2", "10.3.{}.1", "10.4.0.2"),
    6: ("fd00:1::2", "fd00:2:{}::2", "fd00:3:{}::1", "fd00:4::2"),
}


class Flows:
    """UDP flows that are connected at the near host; the far process has one socket for all."""

    def __init__(self, place: Town, count: int, address: str) -> None:
        self.place, self.client, self.server = place, place.near.actor(), place.far.actor()
        family = "socket.AF_INET6" if ":" in address else "socket.AF_INET"
        self.server.do(
            f"import select, socket; s = socket.socket({family}, socket.SOCK_DGRAM); s.bind(({address!r}, 0))"
        )
        self.server.do("s.setblocking(False)")
        self.port = int(self.server.ask("s.getsockname()[1]"))
        self.client.do(
            f"import select, socket; c = [socket.socket({family}, socket.SOCK_DGRAM) for _ in range({count})]"
        )
        self.client.do(f"[(one.connect(({address!r}, {self.port})), one.setblocking(False)) for one in c]")

        self.client.do("[one.send(b'x') for one in c]")  # neighbours get to know each other
        self.server.do(f"[(select.select([s], [], [], 10), s.sendto(*s.recvfrom(9))) for _ in range({count})]")
        self.client.do("[(select.select([one], [], [], 10), one.recv(9)) for one in c]")

    def waiting(self) -> list[str]:
        """What each end's next receive says."""
        return [self.server.ask(_RECEIVED.format("[s]")), self.client.ask(_RECEIVED.format("c"))]

    def crossed(self, port: int) -> int:
        """Through which of the routers in the middle a flow's own datagrams go, as those count."""
        before = [_packets(middle, "west") for middle in self.place.middle]
        self.client.do(f"[one.send(b'x') for one in c if one.getsockname()[1] == {port} for _ in range(20)]")
        self.server.do("import select; [(select.select([s], [], [], 10), s.recv(9)) for _ in range(20)]")
        grown = [_packets(middle, "west") - then for middle, then in zip(self.place.middle, before, strict=True)]
        assert sum(count >= 20 for count in grown) == 1
        return grown.index(max(grown))


_RECEIVED = """(lambda sockets: ','.join(sorted({{
    next((repr(one.recv(9)) for _ in [0] if select.select([one], [], [], 0)[0]), 'nothing') for one in sockets
}})))({})"""


def udp(host: Host, name: str) -> int:
    """A counter of the host's UDP, of both versions."""
    four = [line.split() for line in host.run("cat", "/proc/net/snmp").splitlines() if line.startswith("Udp:")]
    six = [line.split() for line in host.run("cat", "/proc/net/snmp6").splitlines()]
    return int(dict(zip(*four, strict=True))[name]) + sum(int(value) for key, value in six if key == f"Udp6{name}")


@pytest.mark.parametrize("version", [4, 6])
def test_every_flow_is_traced_along_its_own_way_and_nobody_notices(town: Town, version: int) -> None:  # noqa: F811
    first, middle, last, end = ENDS[version]
    flows = Flows(town, FLOWS, end)
    before = udp(town.far, "InDatagrams"), udp(town.far, "InErrors")
    found = asked(town.near, "dport", str(flows.port), "--method", "flow", "--pps", "1000")
    assert flows.waiting() == ["nothing", "nothing"]
    assert (udp(town.far, "InDatagrams"), udp(town.far, "InErrors")) == before
    ways = {path["id"]: routers(path) for path in found["paths"]}
    assert {(path["method"], path["ended"], len(path["hops"])) for path in found["paths"]} == {("flow", "reached", 4)}
    assert len(found["flows"]) == FLOWS
    for row in found["flows"]:
        place = flows.crossed(row["sport"])
        wanted = [str(ip_address(text.format(place))) for text in (first, middle, last)]
        assert ways[row["path"]] == [*([address] for address in wanted), []]
    assert len(ways) > 1


def mute(host: Host) -> None:
    """Lets a host send no ICMP error and no echo any more."""
    host.run("nft", "add table inet mute; add chain inet mute out { type filter hook output priority 0; }")
    host.run("nft", "add rule inet mute out meta l4proto icmp drop")
    host.run("nft", "add rule inet mute out icmpv6 type { destination-unreachable, time-exceeded, echo-reply } drop")


@needs_nft
@pytest.mark.parametrize("version", [4, 6])
def test_a_far_host_that_keeps_silent_is_not_reached_either(
    short_world: World,
    wire: Path,  # noqa: F811
    version: int,
) -> None:
    place = Town(short_world, 1, wire)
    mute(place.far)
    flows = Flows(place, 2, ENDS[version][3])
    before = udp(place.far, "InDatagrams")
    [path] = asked(place.near, "dport", str(flows.port), "--method", "flow", "-w", "0.3")["paths"]
    assert (path["method"], path["ended"]) == ("flow", "last")
    assert routers(path) == [[str(ip_address(text.format(0)))] for text in ENDS[version][:3]]
    assert flows.waiting() == ["nothing", "nothing"]
    assert udp(place.far, "InDatagrams") == before


@needs_nft
@pytest.mark.parametrize("version", [4, 6])
def test_what_may_be_the_end_behind_a_silent_router_is_not_asked(
    short_world: World,
    wire: Path,  # noqa: F811
    version: int,
) -> None:
    place = Town(short_world, 1, wire)
    mute(place.last)
    flows = Flows(place, 1, ENDS[version][3])
    before = udp(place.far, "InDatagrams")
    [path] = asked(place.near, "dport", str(flows.port), "--method", "flow", "-w", "0.3")["paths"]
    assert (path["ended"], routers(path)) == (
        "reached",
        [*([str(ip_address(text.format(0)))] for text in ENDS[version][:2]), []],
    )
    assert flows.waiting() == ["nothing", "nothing"]
    assert udp(place.far, "InDatagrams") == before


def test_a_process_that_asked_for_errors_is_told_of_them(town: Town) -> None:  # noqa: F811
    flows = Flows(town, 1, "10.4.0.2")
    flows.client.do("c[0].setsockopt(socket.IPPROTO_IP, 11, 1)")  # IP_RECVERR
    asked(town.near, "dport", str(flows.port))
    assert flows.waiting() == ["nothing", "nothing"]
    asked(town.near, "dport", str(flows.port), "--method", "flow")
    flows.client.do("try:\n    c[0].recv(9)\nexcept OSError as error:\n    told = error.errno")
    assert flows.client.ask("told") == errno.EHOSTUNREACH


def test_only_flows_of_udp_that_are_connected_and_only_when_asked_for(town: Town) -> None:  # noqa: F811
    flows = Flows(town, 1, "10.4.0.2")
    town.far.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")
    [path] = asked(town.near, "dport", str(flows.port))["paths"]
    assert (path["method"], path["ended"], routers(path)[3]) == ("udp", "reached", ["10.4.0.2"])
    assert flows.waiting() == ["nothing", "nothing"]
