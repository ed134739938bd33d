# SPDX-License-Identifier: Apache-2.0
"""``fleutan paths`` through routers that are namespaces, against what they themselves counted."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.bpf import needs_bpf
from tests.namespaces.conftest import Actor, Host, World

Row = dict[str, Any]
pytestmark = [needs_bpf, pytest.mark.skipif(not shutil.which("clang"), reason="needs clang")]

#: So many connections are traced, each by its own ports.
FLOWS = 100


class Town:
    """A host, a router that spreads flows over several others, a router where they meet, and a far host.

    10.1.0.1 - 10.1.0.2 = middle (10.2.N.1 - 10.2.N.2, 10.3.N.2 - 10.3.N.1) = 10.4.0.1 - 10.4.0.2,
    and the same in fd00::/16.
    """

    def __init__(self, world: World, ways: int, wire: Path) -> None:
        self.near, self.first, self.last, self.far = (world.host() for _ in range(4))
        self.middle = [world.host() for _ in range(ways)]
        _link(self.near, "east", "1:0", self.first, "west")
        for number, middle in enumerate(self.middle):
            _link(self.first, f"east{number}", f"2:{number}", middle, "west")
            _link(middle, "east", f"3:{number}", self.last, f"west{number}", turned=True)
        _link(self.last, "east", "4:0", self.far, "west")
        for router in (self.first, self.last, *self.middle):
            router.run("sh", "-c", _ROUTER)
        for router, device in ((self.first, "west"), (self.last, "east")):
            router.run("tc", "qdisc", "add", "dev", device, "clsact")
            router.run(*f"tc filter add dev {device} ingress bpf direct-action object-file {wire} section tc".split())
        for six, via, net in (("-4", "10.{}.{}.{}", "10.{}.0.0/16"), ("-6", "fd00:{}:{}::{}", "fd00:{}::/32")):
            self.near.run("ip", six, "route", "add", "default", "via", via.format(1, 0, 2))
            self.far.run("ip", six, "route", "add", "default", "via", via.format(4, 0, 1))
            there = [["nexthop", "via", via.format(2, number, 2)] for number in range(ways)]
            back = [["nexthop", "via", via.format(3, number, 2)] for number in range(ways)]
            self.first.run("ip", six, "route", "add", net.format(4), *(word for hop in there for word in hop))
            self.last.run("ip", six, "route", "add", net.format(1), *(word for hop in back for word in hop))
            for number, middle in enumerate(self.middle):
                middle.run("ip", six, "route", "add", net.format(4), "via", via.format(3, number, 1))
                middle.run("ip", six, "route", "add", net.format(1), "via", via.format(2, number, 1))

    def connected(self, count: int, address: str) -> tuple[Actor, Actor, int]:
        """So many connections from the near host to the far one, and the port there."""
        server, client = self.far.actor(), self.near.actor()
        family = "socket.AF_INET6" if ":" in address else "socket.AF_INET"
        server.do(f"import socket; s = socket.create_server(({address!r}, 0), family={family}, backlog=999)")
        port = int(server.ask("s.getsockname()[1]"))
        client.do(f"import socket; c = [socket.create_connection(({address!r}, {port})) for _ in range({count})]")
        client.do("[one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) for one in c]")
        server.do(f"d = [s.accept()[0] for _ in range({count})]")
        server.do("by_port = {one.getpeername()[1]: one for one in d}")
        return client, server, port


_ROUTER = """
cd /proc/sys/net
echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding
echo 1 >ipv4/fib_multipath_hash_policy; echo 1 >ipv6/fib_multipath_hash_policy
echo 0 >ipv4/icmp_ratelimit; echo 0 >ipv6/icmp/ratelimit; echo 100000 >ipv4/icmp_msgs_per_sec
for f in ipv4/conf/*/rp_filter; do echo 0 >$f; done
"""


def _link(one: Host, name: str, net: str, other: Host, back: str, turned: bool = False) -> None:
    major, minor = net.split(":")
    one.configure(f"link add {name} type veth peer name {back} netns {other.name}")
    ends = ((other, back, 1), (one, name, 2)) if turned else ((one, name, 1), (other, back, 2))
    for host, device, last in ends:
        host.configure(
            f"address add 10.{major}.{minor}.{last}/24 dev {device}",
            f"address add fd00:{major}:{minor}::{last}/64 dev {device} nodad",
            f"link set {device} up",
        )


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that makes a wire of a veth."""
    made = tmp_path_factory.mktemp("wire") / "wire.bpf.o"
    source = Path(__file__).with_name("wire.bpf.c")
    headers = f"/usr/include/{platform.machine()}-linux-gnu"
    subprocess.run(
        ["clang", "-O2", "-g", "-target", "bpf", f"-I{headers}", "-c", str(source), "-o", str(made)], check=True
    )
    return made


@pytest.fixture(scope="module")
def town(wire: Path) -> Iterator[Town]:
    with World() as world:
        yield Town(world, 4, wire)


def asked(host: Host, *words: str) -> Row:
    done = host.fleutan("paths", *words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found: Row = json.loads(done.stdout)
    return found


def routers(path: Row) -> list[list[str]]:
    return [[router["addr"] for router in hop["routers"]] for hop in path["hops"]]


def crossed(town: Town, client: Actor, server: Actor, port: int, address: str) -> str:
    """By which of the routers in the middle a connection's own packets go, as those count."""

    def counts() -> list[int]:
        return [_packets(middle, "west") for middle in town.middle]

    before = counts()
    client.do(f"(one,) = [one for one in c if one.getsockname()[1] == {port}]")
    for _ in range(5):
        client.do("one.sendall(b'x')")
        server.do(f"assert by_port[{port}].recv(1) == b'x'")
    grown = [now - then for now, then in zip(counts(), before, strict=True)]
    assert sum(count >= 5 for count in grown) == 1  # neighbours ask now and then, too
    return _router(address, f"2:{grown.index(max(grown))}")


def _packets(host: Host, device: str) -> int:
    (link,) = json.loads(host.run("ip", "-json", "-statistics", "link", "show", device))
    return int(link["stats64"]["rx"]["packets"])


def counters(host: Host) -> dict[str, int]:
    """What a trace must not raise."""
    lines = host.run("cat", "/proc/net/snmp").splitlines()
    (names,), (values,) = ([line.split() for line in lines if line.startswith("Tcp:")][at : at + 1] for at in (0, 1))
    found = dict(zip(names[1:], map(int, values[1:]), strict=True))
    return {name: found[name] for name in ("RetransSegs", "OutRsts", "EstabResets", "AttemptFails", "InErrs")}


@pytest.mark.parametrize(("address", "policy"), [("10.4.0.2", 1), ("fd00:4::2", 1), ("fd00:4::2", 0)])
def test_every_connection_is_traced_along_its_own_way(town: Town, address: str, policy: int) -> None:
    """Routers hash ports, or of IPv6 the flow label instead, which is what they do unless told."""
    town.first.run("sysctl", "-qw", f"net.ipv6.fib_multipath_hash_policy={policy}")
    client, server, port = town.connected(FLOWS, address)
    before = counters(town.near), counters(town.far)
    found = asked(town.near, "dport", str(port), "--each", str(FLOWS), "--pps", "2000")
    assert (counters(town.near), counters(town.far)) == before
    ways = {path["id"]: routers(path) for path in found["paths"]}
    assert all(path["method"] == "flow" and path["ended"] == "reached" for path in found["paths"])
    for way in ways.values():
        assert [way[0], way[3]] == [[_router(address, "1:0")], [address]]
    assert len(found["flows"]) == FLOWS
    told = {row["sport"]: ways[row["path"]][1] for row in found["flows"]}
    assert {own: [crossed(town, client, server, own, address)] for own in told} == told
    assert len({tuple(way[1]) for way in ways.values()}) == 4
    client.do("[one.sendall(b'alive') for one in c]")
    assert server.ask("{bytes(one.recv(99)).decode() for one in d} == {'alive'}") is True


def _router(address: str, net: str) -> str:
    """The address of the router behind a net, of the version of another address."""
    major, minor = net.split(":")
    return str(ip_address(f"fd00:{major}:{minor}::2" if ":" in address else f"10.{major}.{minor}.2"))


def test_other_methods_go_the_same_number_of_hops(town: Town) -> None:
    *_, port = town.connected(1, "10.4.0.2")
    for method in ("syn", "udp", "icmp"):
        found = asked(town.near, "dport", str(port), "--method", method)
        for path in found["paths"]:
            assert (path["method"], path["ended"], len(path["hops"])) == (method, "reached", 4)
            assert routers(path)[0] == ["10.1.0.2"]
            assert routers(path)[3] == ["10.4.0.2"]


def test_ipv6(town: Town) -> None:
    *_, port = town.connected(3, "fd00:4:0::2")
    found = asked(town.near, "-6", "dport", str(port))
    assert {path["ended"] for path in found["paths"]} == {"reached"}
    assert {routers(path)[0][0] for path in found["paths"]} == {"fd00:1::2"}
    assert {routers(path)[3][0] for path in found["paths"]} == {"fd00:4::2"}


@pytest.mark.parametrize(
    "words", [(), ("--delta",), ("--slow",), ("--load", "-i", "0.2"), ("--dot",), ("--mermaid",), ("--csv",)]
)
def test_every_form(town: Town, words: Sequence[str]) -> None:
    *_, port = town.connected(2, "10.4.0.2")
    done = town.near.fleutan("paths", "-4", "dport", str(port), "--method", "icmp", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "10.4.0.2" in done.stdout


def test_a_silent_router_and_a_firewall(short_world: World, wire: Path) -> None:
    town = Town(short_world, 1, wire)
    *_, port = town.connected(1, "10.4.0.2")
    town.first.run("sh", "-c", "ip route add prohibit 10.9.0.0/16")
    town.middle[0].run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=1000", "net.ipv4.icmp_ratemask=6168")
    [path] = asked(town.near, "dport", str(port))["paths"]
    assert (path["ended"], len(path["hops"])) == ("reached", 4)
    done = town.near.fleutan("paths", "--dsts", "10.9.0.1", "--method", "icmp", "--json", "-w", "0.3")
    assert done.returncode == 0


def test_without_privilege_it_says_what_it_takes(town: Town) -> None:
    unprivileged = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all"]
    *_, port = town.connected(1, "10.4.0.2")
    done = town.near.fleutan("paths", "dport", str(port), before=unprivileged)
    assert done.returncode == 0
    assert "not inside the flows but by UDP sockets" in done.stderr
    assert "CAP_NET_RAW" in done.stderr
    done = town.near.fleutan("paths", "dport", str(port), "--method", "syn", before=unprivileged)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("fleutan: probing with raw sockets: it needs CAP_NET_RAW")
