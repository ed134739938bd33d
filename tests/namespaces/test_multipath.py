# SPDX-License-Identifier: Apache-2.0
"""``fleutan paths --multipath`` through routers that are namespaces, against scamper's tracelb (an MDA)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.namespaces.conftest import Host, World
from tests.namespaces.test_paths import Town, wire

from fleutan.linux import capabilities
from fleutan.protocols.tracing.stopping import repeats

__all__ = ["wire"]

Row = dict[str, Any]
Ways = Mapping[str, Sequence[str]]
#: Of so many runs one finds all.
_ATTEMPTS = 5
pytestmark = pytest.mark.skipif(
    bool(capabilities.missing(("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN"))), reason="needs root"
)
needs_nft = pytest.mark.skipif(not shutil.which("nft"), reason="needs nft")
needs_scamper = pytest.mark.skipif(not shutil.which("scamper"), reason="needs scamper")
needs_clang = pytest.mark.skipif(not shutil.which("clang"), reason="needs clang")

#: What each host sends to; ``r`` is the first router, ``.`` the destination.
LINE: Ways = {"near": "r", "r": "s", "s": "."}
FOUR: dict[str, str] = {"near": "r", "r": "abcd", **dict.fromkeys("abcd", "m"), "m": "n", "n": "."}
COLUMNS: Ways = (
    {"near": "r", "r": "abcd", "a": "A", "b": "B", "c": "C", "d": "D"} | dict.fromkeys("ABCD", "m") | {"m": "."}
)
TWICE: Ways = {"near": "r", "r": "ab", "a": "m", "b": "m", "m": "cd", "c": "n", "d": "n", "n": "."}
MESH: Ways = {"near": "r", "r": "ab", "a": "cd", "b": "cd", "c": "n", "d": "n", "n": "."}
TREE: Ways = {"near": "r", "r": "ab", "a": "cd", "b": "ef", **dict.fromkeys("cdef", "n"), "n": "."}
SIXTEEN: Ways = {"near": "r", "r": "ABCDEFGHIJKLMNOP", **dict.fromkeys("ABCDEFGHIJKLMNOP", "m"), "m": "."}
UNEVEN: Ways = {"near": "r", "r": "ab", "a": "m", "b": "c", "c": "m", "m": "n", "n": "."}


TOWN = {f"10.2.{way}.2" for way in range(4)}
TOWN_6 = {"fd00:2::2", "fd00:2:1::2", "fd00:2:2::2", "fd00:2:3::2"}


class Web:
    """Hosts with an address each (10.200.0.N), of which some are routers that send flows on by a hash of their own.

    Those in ``packets`` choose anew for each packet.  Each sends back to the first that sends to it.
    """

    def __init__(self, world: World, ways: Ways, packets: Collection[str] = ()) -> None:
        names = dict.fromkeys([*ways, *(to for nexts in ways.values() for to in nexts)])
        self.hosts = {name: world.host() for name in names}
        self.address = {name: f"10.200.0.{place}" for place, name in enumerate(names, 1)}
        self.name = {address: name for name, address in self.address.items()}
        for name, host in self.hosts.items():
            host.configure(f"address add {self.address[name]}/32 dev lo")
            host.run("sh", "-c", _ROUTER)
        self._edges, back = count(), dict[str, str]()
        for name, nexts in ways.items():
            for place, to in enumerate(nexts):
                via = self._link(name, to)
                table = [] if len(nexts) == 1 else ["table", str(100 + place)]
                self._route(name, ".", via[1], *table)
                if back.setdefault(to, name) == name:
                    self._route(to, "near", via[0])
            if len(nexts) > 1:
                self._spread(name, len(nexts), name in packets)

    def _link(self, name: str, to: str) -> tuple[str, str]:
        """A veth between two hosts, and its addresses."""
        edge = next(self._edges)
        one, other = self.hosts[name], self.hosts[to]
        one.configure(f"link add e{edge} type veth peer name e{edge} netns {other.name}")
        for last, host in enumerate((one, other)):
            host.configure(f"address add 10.100.{edge}.{last}/31 dev e{edge}", f"link set e{edge} up")
            host.run("sh", "-c", f"echo 0 >/proc/sys/net/ipv4/conf/e{edge}/rp_filter")
        return f"10.100.{edge}.0", f"10.100.{edge}.1"

    def _route(self, name: str, to: str, via: str, *more: str) -> None:
        self.hosts[name].run(*("ip", "route", "add", self.address[to], "via", via, "src", self.address[name], *more))

    def _spread(self, name: str, count: int, packets: bool) -> None:
        host = self.hosts[name]
        for place in range(count):
            host.configure(f"rule add fwmark {place + 1} table {100 + place}")
        of_flow = "jhash ip saddr . ip daddr . th sport . th dport"
        pick = f"numgen random mod {count}" if packets else f"{of_flow} mod {count} seed {len(self.hosts) * ord(name)}"
        rule = f"ip daddr {self.address['.']} meta mark set {pick} offset 1"
        host.run("nft", f"table ip t {{ chain c {{ type filter hook prerouting priority mangle\n{rule}\n }}\n}}")

    def found(self, *words: str) -> tuple[dict[int, str], Row]:
        """The routers of each hop in the order of the alphabet, and the path."""
        path = asked(self.hosts["near"], self.address["."], *words)
        return {hop["ttl"]: self._named(router["addr"] for router in hop["routers"]) for hop in path["hops"]}, path

    def _named(self, addresses: Iterator[str]) -> str:
        return "".join(sorted(self.name[address] for address in addresses))

    def links(self, path: Row) -> set[str]:
        told = (link for hop in path["hops"] for link in hop.get("links", ()))
        return {self.name[link["from"]] + self.name[link["to"]] for link in told}


_ROUTER = """
cd /proc/sys/net/ipv4
echo 1 >ip_forward; echo 0 >icmp_ratelimit; echo 100000 >icmp_msgs_per_sec
for f in conf/*/rp_filter; do echo 0 >$f; done
"""


def asked(host: Host, destination: str, *words: str) -> Row:
    done = host.fleutan("paths", "--multipath", "--dsts", destination, "--json", "--pps", "1000", *words)
    assert (done.returncode, done.stderr) == (0, "")
    [path] = json.loads(done.stdout)["paths"]
    assert isinstance(path, dict)
    return path


def by_scamper(host: Host, destination: str) -> tuple[dict[int, set[str]], int]:
    """The next hops that tracelb found at each distance, and how many probes it took."""
    said = host.run("scamper", "-O", "json", "-p", "1000", "-I", f"tracelb -P udp-sport -W 15 -w 1 {destination}")
    [told] = [one for one in map(json.loads, said.splitlines()) if one["type"] == "tracelb"]
    hops: dict[int, set[str]] = {}
    for next_hop in (one for node in told["nodes"] for links in node.get("links", ()) for one in links):
        for probe in next_hop.get("probes", ()):
            hops.setdefault(probe["ttl"], set()).add(next_hop["addr"])
    return hops, told["probec"]


def agree(host: Host, destination: str, widths: Sequence[int]) -> None:
    """Both find all next hops, with no more probes than tracelb sends but for what it does not tell.

    That is whether flows or packets are balanced, and whether each router before the destination
    leads there.  At 95 % each misses some now and then, and how many probes either sends is a matter
    of chance: then both are asked again.
    """
    untold = sum(repeats(width, 0.95) for width in widths if width > 1) + widths[-2] - 1
    for _ in range(_ATTEMPTS):
        theirs, probes = by_scamper(host, destination)
        path = asked(host, destination)
        hops = {hop["ttl"]: {router["addr"] for router in hop["routers"]} for hop in path["hops"]}
        sent = sum(hop["sent"] for hop in path["hops"])
        alike = list(map(len, hops.values())) == list(widths) and theirs == {ttl: hops.get(ttl) for ttl in theirs}
        if alike and sent <= probes + untold:
            break
    assert list(map(len, hops.values())) == list(widths)
    assert theirs == {ttl: hops[ttl] for ttl in theirs}
    assert sent <= probes + untold


@needs_nft
@pytest.mark.parametrize(
    ("ways", "hops", "linked"),
    [
        (FOUR, "r abcd m n .", "ra rb rc rd am bm cm dm mn n."),
        (TWICE, "r ab m cd n .", "ra rb am bm mc md cn dn n."),
        (TREE, "r ab cdef n .", "ra rb ac ad be bf cn dn en fn n."),
        (UNEVEN, "r ab cm mn .n .", "ra rb am bc mn cm n."),
    ],
)
def test_all_next_hops_and_links_are_found(short_world: World, ways: Ways, hops: str, linked: str) -> None:
    web = Web(short_world, ways)
    found, path = web.found("--confidence", "99.9")
    assert (path["ended"], list(found.values())) == ("reached", hops.split())
    assert web.links(path) == set(linked.split())
    assert [hop.get("balancing", "") for hop in path["hops"]] == [
        "per flow" if len(one) > 1 else "" for one in hops.split()
    ]


@needs_nft
def test_packets_that_go_by_turns_are_told_from_flows(short_world: World) -> None:
    found, path = Web(short_world, FOUR, packets="r").found("--confidence", "99.9")
    assert list(found.values()) == ["r", "abcd", "m", "n", "."]
    assert path["hops"][1]["balancing"] == "per packet"


@needs_nft
@needs_scamper
@pytest.mark.parametrize(
    ("ways", "widths"),
    [
        (LINE, [1, 1, 1]),
        (FOUR, [1, 4, 1, 1, 1]),
        (COLUMNS, [1, 4, 4, 1, 1]),
        (TWICE, [1, 2, 1, 2, 1, 1]),
        (TREE, [1, 2, 4, 1, 1]),
        (SIXTEEN, [1, 16, 1, 1]),
    ],
)
def test_it_agrees_with_tracelb(short_world: World, ways: Ways, widths: Sequence[int]) -> None:
    web = Web(short_world, ways)
    agree(web.hosts["near"], web.address["."], widths)


@needs_nft
@needs_scamper
def test_behind_a_mesh_there_are_more_probes_only_where_links_are_not_clear(short_world: World) -> None:
    web = Web(short_world, MESH)
    theirs, _ = by_scamper(web.hosts["near"], web.address["."])
    found, _ = web.found("--confidence", "99.9")
    assert list(found.values()) == ["r", "ab", "cd", "n", "."]
    assert all(len(addresses) <= len(found[ttl]) for ttl, addresses in theirs.items())


@pytest.fixture(scope="module")
def town(wire: Path) -> Iterator[Town]:
    with World() as world:
        made = Town(world, 4, wire)
        made.far.run("sh", "-c", _ROUTER)
        yield made


@needs_clang
@pytest.mark.parametrize(
    ("destination", "words"),
    [("10.4.0.2", ()), ("10.4.0.2", ("--method", "syn")), ("fd00:4::2", ()), ("fd00:4::2", ("--method", "syn"))],
)
def test_routers_of_linux_with_equal_ways(town: Town, destination: str, words: Sequence[str]) -> None:
    path = asked(town.near, destination, "--confidence", "99.9", *words)
    first, ways, _, last = ([router["addr"] for router in hop["routers"]] for hop in path["hops"])
    assert set(ways) == (TOWN_6 if ":" in destination else TOWN)
    assert (path["ended"], len(first), last) == ("reached", 1, [destination])
    assert path["hops"][1]["balancing"] == "per flow"
    assert len(path["hops"][1]["links"]) == 4


@needs_clang
@needs_scamper
def test_it_agrees_with_tracelb_about_routers_of_linux(town: Town) -> None:
    agree(town.near, "10.4.0.2", [1, 4, 4, 1])


@needs_clang
def test_echo_requests_go_one_way_through_routers_of_linux(town: Town) -> None:
    path = asked(town.near, "10.4.0.2", "--method", "icmp")
    assert (path["method"], path["ended"]) == ("icmp", "reached")
    assert [len(hop["routers"]) for hop in path["hops"]] == [1] * 4


@needs_clang
def test_the_page_and_the_graph(town: Town) -> None:
    words = ("paths", "--multipath", "--dsts", "10.4.0.2", "--confidence", "99.9")
    page = town.near.fleutan(*words)
    assert (page.returncode, page.stderr) == (0, "")
    assert "per flow" in page.stdout
    graph = town.near.fleutan(*words, "--dot")
    assert graph.stdout.count("->") == 1 + 4 + 4 + 4


def test_all_ways_are_not_those_of_one_flow(short_world: World) -> None:
    host = short_world.host()
    for words, why in (
        (("--multipath", "--method", "flow"), "--multipath goes with syn, udp or icmp"),
        (("--confidence", "99"), "--confidence goes with --multipath"),
        (("--multipath", "--load"), "ask one at a time"),
    ):
        done = host.fleutan("paths", "--dsts", "10.9.9.9", *words)
        assert done.returncode == 2
        assert why in done.stderr
