# SPDX-License-Identifier: Apache-2.0
"""``fleutan paths`` on bad days: routers that keep silent, lie, loop or go away, and flows that must not notice.

The routers are network namespaces in a row; who is on the way is known, so every answer can be
told right from wrong.  Ways that part are the business of ``test_paths``.
"""

from __future__ import annotations

import base64
import json
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from tests.bpf import needs_bpf
from tests.namespaces.conftest import CODE, PLAIN, Actor, Host, Running, World, until
from tests.protocols.tracing.packets import folded, ip

from fleutan.protocols.tracing.probes import Flow, Probe, packet

Row = dict[str, Any]
pytestmark = needs_bpf
#: No command may take longer; seconds.
LONGEST = "30"
#: What a host counts when a connection is harmed or wonders at what it gets.
HARM = ("RetransSegs", "OutRsts", "EstabResets", "AttemptFails", "InErrs", "TCPAbortOnData", "TCPTimeouts")
_FORWARDS = """
cd /proc/sys/net
echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding
echo 0 >ipv4/icmp_ratelimit; echo 0 >ipv6/icmp/ratelimit; echo 100000 >ipv4/icmp_msgs_per_sec
for f in ipv4/conf/*/rp_filter; do echo 0 >$f; done
"""


class Chain:
    """A host, so many routers in a row, and a far host; the link after node N is 10.7.N.1 - 10.7.N.2."""

    def __init__(self, world: World, routers: int) -> None:
        self.nodes = [world.host() for _ in range(routers + 2)]
        self.near, *self.routers, self.far = self.nodes
        for number, (one, other) in enumerate(zip(self.nodes, self.nodes[1:], strict=False)):
            one.configure(f"link add east type veth peer name west netns {other.name}")
            for host, device, last in ((one, "east", 1), (other, "west", 2)):
                host.configure(
                    f"address add 10.7.{number}.{last}/24 dev {device}",
                    f"address add fd00:7:{number}::{last}/64 dev {device} nodad",
                    f"link set {device} up",
                )
        for number, node in enumerate(self.nodes):
            node.configure(*_routes(number, routers + 1))
        for node in (*self.routers, self.far):
            node.run("sh", "-c", _FORWARDS)

    @property
    def end(self) -> str:
        """The far host's address."""
        return f"10.7.{len(self.routers)}.2"

    @property
    def way(self) -> list[list[str]]:
        """Who is on the way there, at each distance."""
        return [[f"10.7.{number}.2"] for number in range(len(self.routers) + 1)]


def _routes(number: int, links: int) -> Iterator[str]:
    for link in range(links):
        via, last = (number - 1, 1) if link < number - 1 else (number, 2)
        if link not in (number - 1, number):
            yield f"route add 10.7.{link}.0/24 via 10.7.{via}.{last}"
            yield f"route add fd00:7:{link}::/64 via fd00:7:{via}::{last}"


def connected(near: Host, far: Host, address: str, count: int = 1) -> tuple[Actor, Actor, int]:
    """So many connections between two hosts: who holds them, and the port."""
    server, client = far.actor(), near.actor()
    server.do(f"import socket; s = socket.create_server(({address!r}, 0), family=family_of({address!r}), backlog=999)")
    port = int(server.ask("s.getsockname()[1]"))
    client.do(f"import socket; c = [socket.create_connection(({address!r}, {port})) for _ in range({count})]")
    server.do(f"d = [s.accept()[0] for _ in range({count})]")
    return client, server, port


def alive(client: Actor, server: Actor) -> bool:
    """Whether what is sent over the connections still comes, both ways."""
    client.do("[one.sendall(b'there') for one in c]")
    server.do("assert all(one.recv(9) == b'there' for one in d)")
    server.do("[one.sendall(b'back') for one in d]")
    return bool(client.ask("all(one.recv(9) == b'back' for one in c)"))


def traced(host: Host, *words: str) -> subprocess.CompletedProcess[str]:
    return host.fleutan("paths", *words, before=("timeout", LONGEST))


def asked(host: Host, *words: str) -> Row:
    """The document; nothing else was said."""
    done = traced(host, *words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found: Row = json.loads(done.stdout)
    return found


def routers(path: Row) -> list[list[str]]:
    return [[router["addr"] for router in hop["routers"]] for hop in path["hops"]]


def counters(host: Host, *names: str) -> dict[str, int]:
    """What a host has counted, by the names in /proc/net/snmp and netstat."""
    found: dict[str, int] = {}
    lines = host.run("cat", "/proc/net/snmp", "/proc/net/netstat").splitlines()
    for titles, values in zip(lines[::2], lines[1::2], strict=True):
        found |= dict(zip(titles.split()[1:], map(int, values.split()[1:]), strict=True))
    return {name: found[name] for name in names or HARM}


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """Eight routers that do as they should; whoever changes them makes a chain of their own."""
    with World() as world:
        yield Chain(world, 8)


class Tracing(Running):
    """A trace that goes on while a test does something to it."""

    def __init__(self, chain: Chain, *words: str) -> None:
        self._chain, self._before = chain, _passed(chain)
        super().__init__(chain.near, "paths", *words)

    def until_probes(self, count: int) -> None:
        """Waits until so many packets came to the first router."""
        until(lambda: self.process.poll() is not None or _passed(self._chain) >= self._before + count, "probes")
        assert self.process.poll() is None, "it ended too soon to be disturbed"


def _passed(chain: Chain) -> int:
    (link,) = json.loads(chain.routers[0].run("ip", "-json", "-statistics", "link", "show", "west"))
    return int(link["stats64"]["rx"]["packets"])


def ends(found: Row) -> set[str]:
    return {path["ended"] for path in found["paths"]}


def mute(*hosts: Host) -> None:
    """They send no ICMP any more."""
    for host in hosts:
        host.run("nft", "add table ip q; add chain ip q o { type filter hook output priority 0; }")
        host.run("nft", "add rule ip q o meta l4proto icmp drop")


# -- as it should be


def test_it_agrees_with_traceroute_hop_by_hop(chain: Chain) -> None:
    if not shutil.which("traceroute"):
        pytest.skip("needs traceroute")
    said = chain.near.run("traceroute", "-n", "-q", "1", chain.end).splitlines()[1:]
    theirs = [[line.split()[1]] for line in said]
    connected(chain.near, chain.far, chain.end)
    for method in ("flow", "syn", "udp", "icmp"):
        for path in asked(chain.near, "--dsts", chain.end, "--method", method)["paths"]:
            assert (path["method"], path["ended"], routers(path)) == (method, "reached", theirs)
    assert theirs == chain.way


def test_a_chain_of_ipv6(chain: Chain) -> None:
    end = f"fd00:7:{len(chain.routers)}::2"
    connected(chain.near, chain.far, end)
    for method in ("flow", "syn", "udp", "icmp"):
        (path,) = asked(chain.near, "--dsts", end, "--method", method)["paths"]
        way = [[str(ip_address(f"fd00:7:{number}::2"))] for number in range(9)]
        assert (path["method"], path["ended"], routers(path)) == (method, "reached", way)


def test_hundreds_of_connections_are_sampled_and_it_says_so(chain: Chain) -> None:
    client, server, port = connected(chain.near, chain.far, chain.end, 300)
    before = counters(chain.near), counters(chain.far)
    done = traced(chain.near, "dport", str(port), "--json")
    assert done.returncode == 0
    assert f"16 of 300 connections to {chain.end} were traced" in done.stderr
    found = json.loads(done.stdout)
    assert [(path["ended"], routers(path)) for path in found["paths"]] == [("reached", chain.way)]
    assert sum(row["path"] is not None for row in found["flows"]) == 16
    assert (counters(chain.near), counters(chain.far)) == before
    assert alive(client, server)


def test_a_pace_is_kept(chain: Chain) -> None:
    """What may go at once (20) goes at once, the rest one in a tenth of a second."""
    begun = time.monotonic()
    (path,) = asked(chain.near, "--dsts", chain.end, "--method", "icmp", "--pps", "10")["paths"]
    took = time.monotonic() - begun
    sent = sum(hop["sent"] for hop in path["hops"])
    assert (path["ended"], routers(path)) == ("reached", chain.way)
    assert 27 <= sent <= 32  # what went too far ended at the destination
    assert took >= (sent - 20) / 10


# -- the network


def test_the_way_back_is_another_one(short_world: World) -> None:
    """Answers of the far host come from two hops less far away than it is."""
    chain = Chain(short_world, 4)
    first, last = chain.routers[0], chain.routers[-1]
    first.configure(f"link add short type veth peer name short netns {last.name}")
    for host, end in ((first, 1), (last, 2)):
        host.configure(f"address add 10.8.0.{end}/24 dev short", "link set short up")
    last.configure("route add 10.7.0.0/24 via 10.8.0.1 metric 1", "route del 10.7.0.0/24 via 10.7.3.1")
    client, server, port = connected(chain.near, chain.far, chain.end)
    for method in ("flow", "syn", "udp"):
        for path in asked(chain.near, "dport", str(port), "--method", method)["paths"]:
            assert (path["ended"], routers(path)[-1], len(path["hops"])) == ("reached", [chain.end], 5)
    assert alive(client, server)


@pytest.mark.parametrize("method", ["flow", "syn", "udp", "icmp"])
def test_silent_hops_stay_hops(short_world: World, method: str) -> None:
    chain = Chain(short_world, 4)
    _, _, port = connected(chain.near, chain.far, chain.end)
    for silent in ((1,), (1, 3)):
        mute(chain.routers[silent[-1]])
        (path,) = asked(chain.near, "dport", str(port), "--method", method)["paths"]
        way = [[] if place in silent else hop for place, hop in enumerate(chain.way)]
        assert (path["ended"], routers(path)) == ("reached", way)


def test_routers_that_answer_once_a_second(short_world: World) -> None:
    """Each of 20 flows gets some answers only; what was heard is right, what was not is told as lost."""
    chain = Chain(short_world, 3)
    for router in chain.routers:
        router.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=1000")
    client, server, port = connected(chain.near, chain.far, chain.end, 20)
    before = counters(chain.near), counters(chain.far)
    found = asked(chain.near, "dport", str(port), "--each", "20")
    assert (counters(chain.near), counters(chain.far)) == before
    assert ends(found) == {"reached"}
    assert {len(path["hops"]) for path in found["paths"]} == {4}
    for path in found["paths"]:
        assert all(hop in ([], right) for hop, right in zip(routers(path), chain.way, strict=True))
    assert any(hop["lost"] for path in found["paths"] for hop in path["hops"])
    assert alive(client, server)


def test_addresses_that_are_translated_on_the_way(short_world: World) -> None:
    chain = Chain(short_world, 3)
    nat = "table ip n { chain p { type nat hook postrouting priority 100; oifname east masquerade; }; }"
    try:
        chain.routers[1].run("nft", nat)
    except subprocess.CalledProcessError:
        pytest.skip("needs nft with masquerade")
    client, server, port = connected(chain.near, chain.far, chain.end)
    assert server.ask("d[0].getpeername()[0]") == "10.7.2.1"
    before = counters(chain.near), counters(chain.far)
    for method in ("flow", "udp", "icmp"):
        (path,) = asked(chain.near, "dport", str(port), "--method", method)["paths"]
        assert (path["ended"], routers(path)) == ("reached", chain.way)
    assert (counters(chain.near), counters(chain.far)) == before
    assert alive(client, server)


def test_a_translation_without_memory_is_told(short_world: World) -> None:
    """Nobody turns back what errors quote; that it was changed is said of the hops behind it."""
    chain = Chain(short_world, 3)
    there = "chain a { type filter hook postrouting priority 0; oifname east ip saddr 10.7.0.1 ip saddr set 10.7.1.9; }"
    back = "chain b { type filter hook prerouting priority -300; ip daddr 10.7.1.9 ip daddr set 10.7.0.1; }"
    try:
        chain.routers[1].run("nft", f"table ip n {{ {there}; {back}; }}")
    except subprocess.CalledProcessError:
        pytest.skip("needs nft that sets addresses")
    client, server, port = connected(chain.near, chain.far, chain.end)
    (path,) = asked(chain.near, "dport", str(port))["paths"]
    assert (path["ended"], routers(path)) == ("reached", chain.way)
    told = [[router.get("changes") for router in hop["routers"]] for hop in path["hops"]]
    assert told[0] == told[1] == [None]
    assert told[2] == [["nat"]]
    assert alive(client, server)


def test_a_link_with_small_packets(short_world: World) -> None:
    """Probes are small: they fit through, and change nothing of the path MTU that the connection found."""
    chain = Chain(short_world, 3)
    chain.routers[0].configure("link set east mtu 1280")
    chain.routers[1].configure("link set west mtu 1280")
    client, server, port = connected(chain.near, chain.far, chain.end)
    for method in ("flow", "syn", "udp", "icmp"):
        (path,) = asked(chain.near, "dport", str(port), "--method", method)["paths"]
        assert (path["ended"], routers(path)) == ("reached", chain.way)
    client.do("c[0].sendall(bytes(50_000))")
    server.do("n = 0\nwhile n < 50_000: n += len(d[0].recv(1 << 16))")
    assert alive(client, server)


@pytest.mark.parametrize("method", ["flow", "syn", "udp", "icmp"])
def test_a_circle_is_recognized(short_world: World, method: str) -> None:
    chain = Chain(short_world, 3)
    client, server, port = connected(chain.near, chain.far, chain.end)
    chain.routers[1].configure("route add 10.7.3.0/25 via 10.7.1.1")
    (path,) = asked(chain.near, "dport", str(port), "--method", method, "--last", "255")["paths"]
    assert path["ended"] == "loop"
    assert routers(path)[:4] == [["10.7.0.2"], ["10.7.1.2"], ["10.7.0.2"], ["10.7.1.2"]]
    assert len(path["hops"]) < 12
    chain.routers[1].configure("route del 10.7.3.0/25 via 10.7.1.1")
    assert alive(client, server)


@pytest.mark.parametrize(("kind", "word"), [("prohibit", "!X"), ("unreachable", "!H")])
@pytest.mark.parametrize("method", ["flow", "syn", "icmp"])
def test_a_router_that_refuses(short_world: World, kind: str, word: str, method: str) -> None:
    """The connection hears of it too: an idle one only notes the error."""
    chain = Chain(short_world, 2)
    client, server, port = connected(chain.near, chain.far, chain.end)
    chain.routers[1].configure(f"route add {kind} 10.7.2.0/25")
    (path,) = asked(chain.near, "dport", str(port), "--method", method)["paths"]
    assert (path["ended"], routers(path)) == ("refused", chain.way[:2])
    assert path["hops"][1]["routers"][0]["refusal"] == word
    chain.routers[1].configure(f"route del {kind} 10.7.2.0/25")
    assert alive(client, server)


def test_a_destination_that_drops_everything(short_world: World) -> None:
    """It is nowhere: that a connection to it was there once does not tell that it can be reached."""
    chain = Chain(short_world, 2)
    client, server, port = connected(chain.near, chain.far, chain.end)
    chain.far.run("nft", "table inet q { chain i { type filter hook input priority 0; policy drop; }; }")
    for method in ("flow", "syn", "udp", "icmp"):
        words = ("--method", method, "--last", "255", "-w", "0.3")
        (path,) = asked(chain.near, "dport", str(port), *words)["paths"]
        assert (path["ended"], routers(path)) == ("silent", chain.way[:2])
    chain.far.run("nft", "flush ruleset")
    assert alive(client, server)


def test_a_router_that_swallows_packets(short_world: World) -> None:
    chain = Chain(short_world, 3)
    client, server, port = connected(chain.near, chain.far, chain.end)
    chain.routers[1].configure("route add blackhole 10.7.3.0/25")
    (path,) = asked(chain.near, "dport", str(port), "-w", "0.3")["paths"]
    assert (path["ended"], routers(path)) == ("silent", chain.way[:1])
    chain.routers[1].configure("route del blackhole 10.7.3.0/25")
    assert alive(client, server)


def test_neighbours_that_are_not_known_yet(short_world: World) -> None:
    """What goes at once is more than waits for a neighbour's address: it goes later."""
    chain = Chain(short_world, 1)
    ends_ = [f"10.7.9.{number}" for number in range(1, 81)]
    chain.far.configure(*(f"address add {end}/32 dev lo" for end in ends_))
    chain.routers[0].configure("route add 10.7.9.0/24 via 10.7.1.2")
    chain.near.configure("route add 10.7.9.0/24 via 10.7.0.2", "neighbour flush dev east")
    words = ("--dsts", ",".join(ends_), "--method", "icmp", "--pps", "0")
    found = asked(chain.near, *words)
    assert len(found["paths"]) == 80
    assert ends(found) == {"reached"}


def test_a_link_that_goes_down_in_the_middle(short_world: World) -> None:
    chain = Chain(short_world, 3)
    _, _, port = connected(chain.near, chain.far, chain.end, 16)
    running = Tracing(chain, "dport", str(port), "--pps", "40", "--json")
    running.until_probes(10)
    chain.routers[1].configure("link set east down")
    status, out, err = running.ended()
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert ends(found) <= {"reached", "refused", "silent", "loop"}
    for path in found["paths"]:
        *before, last = routers(path)
        assert all(hop in ([], right) for hop, right in zip(before, chain.way, strict=False))
        if path["ended"] == "refused":  # told of few probes only: it may be nearer than the first of them went
            assert last in chain.way[: len(path["hops"])]
        else:
            assert last == chain.way[len(before)]


def test_the_own_link_goes_down_in_the_middle(short_world: World) -> None:
    chain = Chain(short_world, 3)
    _, _, port = connected(chain.near, chain.far, chain.end, 16)
    running = Tracing(chain, "dport", str(port), "--pps", "10", "--json")
    running.until_probes(10)
    chain.near.configure("link set east down")
    status, out, err = running.ended()
    assert (status, err) == (0, "")
    assert "unsent" in ends(json.loads(out))


# -- the flows


def test_flows_that_close_in_the_middle(short_world: World) -> None:
    """Their process is killed: nothing goes out for them any more that somebody would have to refuse."""
    chain = Chain(short_world, 3)
    client, server, port = connected(chain.near, chain.far, chain.end, 16)
    before = counters(chain.near), counters(chain.far)
    running = Tracing(chain, "dport", str(port), "--pps", "10", "--json")
    running.until_probes(10)
    client.end()
    status, out, err = running.ended()
    assert (status, err) == (0, "")
    assert "closed" in ends(json.loads(out))
    assert (counters(chain.near), counters(chain.far)) == before
    assert server.ask("[one.recv(1) for one in d] == [b''] * 16")


def test_flows_that_are_busy_are_not_disturbed(short_world: World) -> None:
    """Paced and without probes for lost tails, so that whatever is sent again would be so for the trace."""
    chain = Chain(short_world, 3)
    for host in (chain.near, chain.far):
        host.run("sysctl", "-qw", "net.ipv4.tcp_early_retrans=0")
    client, server, port = connected(chain.near, chain.far, chain.end, 4)
    client.do("[one.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 5_000_000) for one in c]")
    client.do("[beside(flood, one) for one in c[:2]]")
    server.do("[one.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 5_000_000) for one in d]")
    server.do("[beside(read, one) for one in d]; [beside(flood, one) for one in d[2:]]")
    client.do("[beside(read, one) for one in c[2:]]")
    names = (*HARM, "TCPLossUndo", "TCPDSACKRecv", "TCPSackRecovery", "TCPLostRetransmit")
    before = counters(chain.near, *names), counters(chain.far, *names)
    found = asked(chain.near, "dport", str(port))
    assert (counters(chain.near, *names), counters(chain.far, *names)) == before
    assert ends(found) == {"reached"}
    for path in found["paths"]:
        assert routers(path)[:3] == chain.way[:3]
        assert routers(path)[3:] in ([[]], [[chain.end]])
    assert len(chain.near.rows(f"dport {port} and state established")) == 4


# -- forgeries


def _forged(reply: bytes, near: str, source: str = "10.66.6.6") -> bytes:
    """An ICMP message with a right checksum, as it comes to a host."""
    whole = reply[:2] + struct.pack("!H", 0xFFFF - folded(reply[:2] + bytes(2) + reply[4:])) + reply[4:]
    return ip(4, 1, whole, ip_address(source).packed, ip_address(near).packed)


def _forgeries(end: str, sport: int, dport: int) -> list[bytes]:
    """What one may send who knows the hosts and the ports of a connection, but saw no probe."""
    near, far = ip_address("10.7.0.1").packed, ip_address(end).packed
    exceeded, unreachable, echo = bytes((11, 0)) + bytes(6), bytes((3, 10)) + bytes(6), bytes((0, 0, 0, 0, 7, 7, 0, 1))
    own = [packet(Probe(Flow(4, near, far, 6, sport, dport), 1, n, 0x1234_5678 * n)) for n in range(1, 40)]
    other = [packet(Probe(Flow(4, near, far, proto, 9, 33434), 1, n)) for n in range(1, 20) for proto in (1, 6, 17)]
    cut = [own[0][:size] for size in range(28)]
    made = [kind + quote for quote in (*own, *other, *cut) for kind in (exceeded, unreachable)]
    return [_forged(one, "10.7.0.1") for one in (*made, echo, b"\x0b\0", bytes(8), bytes((5, 1)) + bytes(6) + own[0])]


_SENDS = """
import base64, struct
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
def forge():
    while not ENDED.wait(0.02):
        for one in forged:
            raw.sendto(one, ('10.7.0.1', 0))
beside(forge)
"""


def test_forged_answers_are_not_believed(short_world: World) -> None:
    chain = Chain(short_world, 3)
    client, server, port = connected(chain.near, chain.far, chain.end)
    mute(chain.routers[1])  # there is time while it is waited for
    liar = short_world.host()
    liar.configure(f"link add veth0 type veth peer name liar netns {chain.routers[0].name}")
    chain.routers[0].configure("address add 10.9.0.1/24 dev liar", "link set liar up")
    liar.configure("address add 10.9.0.2/24 dev veth0", "link set veth0 up", "route add default via 10.9.0.1")
    forger = liar.actor()
    sport = int(client.ask("c[0].getsockname()[1]"))
    forged = [base64.b64encode(one).decode() for one in _forgeries(chain.end, sport, port)]
    forger.do(f"import base64; forged = [base64.b64decode(one) for one in {forged!r}]")
    forger.do(_SENDS)
    for method in ("flow", "syn", "udp", "icmp"):
        (path,) = asked(chain.near, "dport", str(port), "--method", method)["paths"]
        way = [[] if place == 1 else hop for place, hop in enumerate(chain.way)]
        assert (path["method"], path["ended"], routers(path)) == (method, "reached", way)
    assert counters(chain.near, "InMsgs")["InMsgs"] > 1000
    assert alive(client, server)


# -- the command


def test_interrupted_it_is_silent(chain: Chain) -> None:
    running = Tracing(chain, "--dsts", "10.7.0.99", "-w", "20")
    until(lambda: "10.7.0.99" in chain.near.run("ip", "neighbour"), "it looks for the destination")
    running.process.send_signal(signal.SIGINT)
    assert running.ended() == (130, "", "")


@pytest.mark.parametrize("form", ["--text", "--json"])
@pytest.mark.parametrize(
    ("where", "status", "said"),
    [(">/dev/full", 1, "fleutan: No space left on device"), ("| true; exit ${PIPESTATUS[0]}", 141, "")],
)
def test_there_is_no_room_or_nobody_reads_it(chain: Chain, form: str, where: str, status: int, said: str) -> None:
    command = f"timeout {LONGEST} {sys.executable} -c '{CODE}' paths --dsts {chain.end} --method icmp {form} {where}"
    inside = ["ip", "netns", "exec", chain.near.name, "bash", "-c", command]
    done = subprocess.run(inside, check=False, capture_output=True, text=True, env=PLAIN)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (status, "", said)


def test_no_route_and_no_such_name(chain: Chain) -> None:
    done = traced(chain.near, "--dsts", "203.0.113.5")
    assert (done.returncode, done.stderr) == (0, "fleutan: note: sending to 203.0.113.5: no route\n")
    done = traced(chain.near, "--dsts", "no.such.name.invalid")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fleutan: --dsts no.such.name.invalid: ")
    assert len(done.stderr.splitlines()) == 1
