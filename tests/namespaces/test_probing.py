# SPDX-License-Identifier: Apache-2.0
"""Probes through a router between two hosts: who answers, and what keeps probes from leaving."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from tests.namespaces.conftest import DEADLINE, Actor, Host, World, until

from fleutan.linux.egress import Egress, Unsendable, source_for
from fleutan.linux.errorqueue import ErrorQueue
from fleutan.linux.namespaces import entered, find
from fleutan.linux.probing import RawProber
from fleutan.linux.tcpfilter import Peer
from fleutan.protocols.tracing.probes import ACK, RST, SYN, Flow, Probe, packet

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
NEAR = {4: "192.0.2.1", 6: "2001:db8:1::1"}
ROUTER = {4: "192.0.2.2", 6: "2001:db8:1::2"}
FAR = {4: "192.0.2.129", 6: "2001:db8:2::1"}
NOWHERE = {4: "198.51.100.1", 6: "2001:db8:ffff::1"}
OPEN, CLOSED, OWN, IDENTIFIER = 8080, 8081, 45678, 0xF1E7
HEADER = {4: 20, 6: 40}
EXCEEDED, UNREACHABLE, TOO_BIG = {4: (11, 0), 6: (3, 0)}, {4: (3, 3), 6: (1, 4)}, {4: (3, 4), 6: (2, 0)}
needs_nft = pytest.mark.skipif(not shutil.which("nft"), reason="needs nft of nftables")


def octets(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


class Chain(NamedTuple):
    near: Host
    router: Host
    far: Host
    process: Actor


def link(host: Host, router: Host, number: int) -> None:
    """Joins a host to the router: 192.0.2.1 or .129, 2001:db8:1::1 or 2001:db8:2::1."""
    four, six = 128 * (number - 1), f"2001:db8:{number}"
    host.configure(
        f"link add veth0 type veth peer name veth{number} netns {router.name}",
        f"address add 192.0.2.{four + 1}/25 dev veth0",
        f"address add {six}::1/64 dev veth0 nodad",
        "link set veth0 up",
        f"route add default via 192.0.2.{four + 2}",
        f"route add default via {six}::2",
    )
    router.configure(
        f"address add 192.0.2.{four + 2}/25 dev veth{number}",
        f"address add {six}::2/64 dev veth{number} nodad",
        f"link set veth{number} up",
    )


def set_up(made: World) -> Chain:
    near, router, far = made.host(), made.host(), made.host()
    for number, host in enumerate((near, far), 1):
        link(host, router, number)
    for host in (router, far):  # errors are not held back, nor are resets
        for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            host.run("sh", "-c", f"echo {int(host is router)} >/proc/sys/net/{name}")
        for name in ("ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"):
            host.run("sh", "-c", f"echo 0 >/proc/sys/net/{name}")
    process = far.actor()
    process.do(f"held = [listen(host, {OPEN}) for host in {tuple(FAR.values())!r}]")
    process.do(f"held += [socket.socket(family_of(host), DATAGRAM) for host in {tuple(FAR.values())!r}]")
    return Chain(near, router, far, process)


@pytest.fixture(scope="module")
def chain(world: World) -> Chain:
    return set_up(world)


@pytest.fixture
def short_chain(short_world: World) -> Chain:
    """One that a test may spoil."""
    return set_up(short_world)


@pytest.fixture(params=[4, 6])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def prober(chain: Chain) -> Iterator[RawProber]:
    with inside(chain.near):
        opened = RawProber().__enter__()
    try:
        yield opened
    finally:
        opened.__exit__()


def inside(host: Host) -> Any:
    return entered(find(host.name))


def flow(version: int, proto: int, dport: int, far: str = "") -> Flow:
    own = IDENTIFIER if proto in (1, 58) else OWN
    return Flow(
        version, octets(NEAR[version]), octets(far or FAR[version]), proto, own, dport, 0x12345 * (version == 6)
    )


def arrival(prober: RawProber) -> tuple[bytes, int]:
    [one] = until(lambda: prober.receive(0.1), "an answer")
    got: tuple[bytes, int] = one
    return got


def source(data: bytes) -> str:
    version = data[0] >> 4
    return socket.inet_ntop(FAMILIES[version], data[12:16] if version == 4 else data[8:24])


@pytest.mark.parametrize(("proto", "dport"), [(6, OPEN), (17, 33434), ("icmp", 0xBEEF)])
def test_a_router_says_that_time_is_exceeded(prober: RawProber, version: int, proto: int | str, dport: int) -> None:
    number = {4: 1, 6: 58}[version] if isinstance(proto, str) else proto
    probe = packet(Probe(flow(version, number, dport), 1, 4711, seq=1 << 20, flags=SYN if proto == 6 else 0))
    sent = prober.send(probe)
    data, at_ns = arrival(prober)
    after = time.time_ns()
    at = HEADER[version]
    assert sent.errno == 0
    assert source(data) == ROUTER[version]
    assert tuple(data[at : at + 2]) == EXCEEDED[version]
    quoted = data[at + 8 :]
    assert quoted[at : at + 8] == probe[at : at + 8]  # what routers hash, and our number
    assert quoted[at:][: len(probe) - at] == probe[at:]
    assert sent.at_ns <= at_ns <= after
    assert prober.lost == 0
    if version == 6:
        assert struct.unpack_from("!HBB", data, 4) == (len(data) - 40, 58, 64)
        assert quoted[:4] == probe[:4]  # the traffic class and the flow label
    else:
        assert quoted[:2] == probe[:2]  # the TOS


def test_the_end_accepts_or_refuses(prober: RawProber, version: int) -> None:
    prober.expect([Peer(version, octets(FAR[version]), port, OWN) for port in (OPEN, CLOSED)])
    for port, wanted in ((OPEN, SYN | ACK), (CLOSED, RST | ACK)):
        prober.send(packet(Probe(flow(version, 6, port), 9, 7, seq=5 << 16, flags=SYN)))
        data, _ = arrival(prober)
        at = HEADER[version]
        assert source(data) == FAR[version]
        assert data[at + 13] == wanted
        assert struct.unpack_from("!HH4xI", data, at) == (port, OWN, (5 << 16 | 7) + 1)
        assert data[7 if version == 6 else 8] == 63


def test_the_end_of_a_live_connection_repeats_its_acknowledgement(
    chain: Chain, prober: RawProber, version: int
) -> None:
    near = chain.near.actor()
    near.do(f"one = connect({FAR[version]!r}, {OPEN})")
    own = near.ask("one.getsockname()[1]")
    chain.process.do(f"there = held[{int(version == 6)}].accept()[0]")
    near.do("one.sendall(bytes(1000))")
    prober.expect([Peer(version, octets(FAR[version]), OPEN, own)])
    near.do("one.sendall(bytes(10))")
    data, _ = arrival(prober)  # tells where the connection stands
    at = HEADER[version]
    seq, ack = struct.unpack_from("!II", data, at + 4)
    live = flow(version, 6, OPEN)._replace(sport=own)
    prober.send(packet(Probe(live, 1, 1, ack - 1, seq, 500, ACK)))
    exceeded, _ = arrival(prober)
    assert (source(exceeded), *exceeded[at : at + 2]) == (ROUTER[version], *EXCEEDED[version])
    prober.send(packet(Probe(live, 64, 2, ack - 1, seq, 500, ACK)))
    answer, _ = arrival(prober)
    assert struct.unpack_from("!HHII", answer, at) == (OPEN, own, seq, ack)
    chain.process.do("there.sendall(b'still here')")
    assert near.ask("one.recv(100).decode()") == "still here"


def test_bulk_data_of_a_probed_connection_is_not_heard(chain: Chain, prober: RawProber, version: int) -> None:
    near = chain.near.actor()
    near.do(f"one = connect({FAR[version]!r}, {OPEN})")
    prober.expect([Peer(version, octets(FAR[version]), OPEN, near.ask("one.getsockname()[1]"))])
    chain.process.do(f"there = held[{int(version == 6)}].accept()[0]")
    chain.process.do("there.sendall(bytes(100000))")
    assert near.ask("sum(len(one.recv(1000, socket.MSG_WAITALL)) for _ in range(100))") == 100000
    assert [data for data, _ in prober.receive(0)] == []


def test_echo_and_port_unreachable_from_the_end(prober: RawProber, version: int) -> None:
    at = HEADER[version]
    prober.send(packet(Probe(flow(version, {4: 1, 6: 58}[version], 0xBEEF), 9, 3)))
    data, _ = arrival(prober)
    assert (source(data), data[at]) == (FAR[version], {4: 0, 6: 129}[version])
    assert struct.unpack_from("!HH", data, at + 4) == (IDENTIFIER, 3)
    prober.send(packet(Probe(flow(version, 17, 33434), 9, 3)))
    data, _ = arrival(prober)
    assert (source(data), *data[at : at + 2]) == (FAR[version], *UNREACHABLE[version])


def test_source_device_and_mtu(chain: Chain, version: int) -> None:
    with inside(chain.near):
        index = socket.if_nametoindex("veth0")
        for found in (
            source_for(octets(FAR[version])),
            source_for(octets(FAR[version]), b"", "veth0", 0x28, 6, OWN, OPEN),
        ):
            assert found == Egress(octets(NEAR[version]), index, 1500)
        assert source_for(octets(NEAR[version])).device == socket.if_nametoindex("lo")


def test_the_device_that_is_named_is_taken(short_world: World, version: int) -> None:
    """Two ways to the same place: the better one, and the one that is asked for."""
    chain = set_up(short_world)
    chain.near.configure(
        f"link add other type veth peer name veth3 netns {chain.router.name}",
        "address add 203.0.113.1/24 dev other",
        "address add 2001:db8:3::1/64 dev other nodad",
        "link set other mtu 1400 up",
        "route add 192.0.2.128/25 via 203.0.113.2 metric 100",
        "route add 2001:db8:2::/64 via 2001:db8:3::2 metric 2000",
        "route add 192.0.2.128/25 via 192.0.2.2 metric 50",
        "route add 2001:db8:2::/64 via 2001:db8:1::2 metric 100",
    )
    chain.router.configure(
        "address add 203.0.113.2/24 dev veth3", "address add 2001:db8:3::2/64 dev veth3 nodad", "link set veth3 up"
    )
    with inside(chain.near):
        assert source_for(octets(FAR[version])).device == socket.if_nametoindex("veth0")
        found = source_for(octets(FAR[version]), device="other")
        assert found.device == socket.if_nametoindex("other")
        assert found.mtu == 1400
        with RawProber("other") as prober:
            until(lambda: carries(chain.near, "other"), "the link is up")
            prober.send(packet(Probe(flow(version, 17, 33434)._replace(src=found.src), 1, 5)))
            data, _ = arrival(prober)
    assert source(data) == {4: "203.0.113.2", 6: "2001:db8:3::2"}[version]


def carries(host: Host, device: str) -> bool:
    [link] = json.loads(host.run("ip", "-json", "link", "show", "dev", device))
    return bool(link["operstate"] == "UP")


def test_link_local_addresses_with_their_device(chain: Chain) -> None:
    links = json.loads(chain.router.run("ip", "-json", "-6", "address", "show", "dev", "veth1", "scope", "link"))
    [far] = [octets(info["local"]) for link in links for info in link.get("addr_info", ()) if "local" in info]

    def own_address() -> bytes:
        """Own link-local address, as soon as it is known to be nobody else's."""
        found = source_for(far, device="veth0").src
        return found if found[:2] == b"\xfe\x80" else b""

    with inside(chain.near), RawProber("veth0") as prober:
        own = until(own_address, "a link-local address")
        prober.send(packet(Probe(Flow(6, own, far, 58, IDENTIFIER, 0xBEEF), 1, 5)))
        data, _ = arrival(prober)
        assert (data[8:24], data[24:40], data[40]) == (far, own, 129)
        with ErrorQueue(far, 33434, device="veth0") as queue:
            assert queue.own_end[0] == own
            queue.send(1, b"")
            [told] = queue.receive(DEADLINE)
            assert (told.offender, told.code) == (far, UNREACHABLE[6][1])


@pytest.mark.parametrize("policy", [0, 1])
def test_the_device_of_a_flow_where_there_are_several_next_hops(short_world: World, version: int, policy: int) -> None:
    """Each flow goes through the device that is told, and so do probes that are bound to it."""
    near, devices, many = forked(short_world, policy), [], 20  # far more than hosts say by themselves
    with inside(near):
        for number in range(24):
            far, own = f"{'2001:db8:50::' if version == 6 else '10.5.0.'}{number + 1}", 40000 + number
            told = source_for(octets(far), proto=17, sport=own, dport=5000)
            devices.append(socket.if_indextoname(told.device or 0))
            before = sent(near)
            with ErrorQueue(octets(far), 5000, own) as queue, RawProber(devices[-1]) as prober:
                assert queue.own_end == (told.src, own)
                probe = packet(Probe(Flow(version, told.src, octets(far), 17, own, 5000), 5, 1))
                assert {queue.send(5, b"").errno for _ in range(many)} == {0}
                between = sent(near)
                assert {prober.send(probe).errno for _ in range(many)} == {0}
            after = sent(near)
            for first, second in ((before, between), (between, after)):
                assert [name for name in first if second[name] - first[name] >= many] == [devices[-1]]
    assert set(devices) == {"veth1", "veth2"}


def forked(world: World, policy: int) -> Host:
    """A host with two next hops to 10.5/16 and 2001:db8:50::/64, whose link addresses it knows."""
    near = world.host()
    for version in (4, 6):
        near.run("sh", "-c", f"echo {policy} >/proc/sys/net/ipv{version}/fib_multipath_hash_policy")
    near.configure("address add 10.9.9.9/32 dev lo", "address add 2001:db8:99::9/128 dev lo nodad")
    for number in (1, 2):
        other = world.host()
        near.configure(
            f"link add veth{number} type veth peer name veth0 netns {other.name}",
            f"address add 10.0.{number}.1/24 dev veth{number}",
            f"address add 2001:db8:{number}::1/64 dev veth{number} nodad",
            f"link set veth{number} up",
            f"neighbour add 10.0.{number}.2 lladdr 02:00:00:00:00:02 dev veth{number} nud permanent",
            f"neighbour add 2001:db8:{number}::2 lladdr 02:00:00:00:00:02 dev veth{number} nud permanent",
        )
        other.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/veth0/disable_ipv6")
        other.configure("link set veth0 up")
    for first, hop in (
        ("10.5.0.0/16 src 10.9.9.9", "10.0.{}.2"),
        ("2001:db8:50::/64 src 2001:db8:99::9", "2001:db8:{}::2"),
    ):
        hops = " ".join(f"nexthop via {hop.format(number)}" for number in (1, 2))
        near.configure(f"route add {first} {hops}")
    return near


def sent(host: Host) -> dict[str, int]:
    """Packets sent by device."""
    links = json.loads(host.run("ip", "-json", "-statistics", "link", "show"))
    return {link["ifname"]: link["stats64"]["tx"]["packets"] for link in links}


# -- what keeps a probe here


def refusal(host: Host, version: int, device: str = "", far: str = "", size: int = 0) -> tuple[int, int]:
    """The errno of sending a probe, and that of looking for a source (0: there was none)."""
    with inside(host):
        with RawProber(device) as prober:
            probe = packet(Probe(flow(version, 17, 33434, far), 1, 5, payload=bytes(size)))
            said = prober.send(probe).errno
        try:
            source_for(octets(far or FAR[version]), device=device)
        except Unsendable as error:
            return said, error.errno
        return said, 0


def test_no_route_prohibited_and_blackhole(short_chain: Chain, version: int) -> None:
    near = short_chain.near
    near.configure(f"route del default via {ROUTER[version]}")
    assert refusal(near, version) == (errno.ENETUNREACH,) * 2
    for kind, number in (("unreachable", errno.EHOSTUNREACH), ("prohibit", errno.EACCES), ("blackhole", errno.EINVAL)):
        near.configure(f"route replace {kind} {NOWHERE[version]}")
        assert refusal(near, version, far=NOWHERE[version]) == (number,) * 2


def test_the_interface_is_down(short_chain: Chain, version: int) -> None:
    near = short_chain.near
    near.configure("link set veth0 down")
    assert refusal(near, version, "veth0") == (errno.ENETDOWN,) * 2
    assert refusal(near, version) == (errno.ENETUNREACH,) * 2


def test_the_interface_vanishes(short_chain: Chain, version: int) -> None:
    near = short_chain.near
    with inside(near), RawProber("veth0") as prober:
        near.configure("link delete veth0")
        said = prober.send(packet(Probe(flow(version, 17, 33434), 1, 5))).errno
    assert said == errno.ENODEV


@needs_nft
def test_a_firewall_refuses(short_chain: Chain, version: int) -> None:
    near = short_chain.near
    near.run("nft", "add table inet fln; add chain inet fln out { type filter hook output priority 0; }")
    near.run("nft", f"add rule inet fln out {'ip' if version == 4 else 'ip6'} daddr {FAR[version]} drop")
    assert refusal(near, version) == (errno.EPERM, 0)
    with inside(near), ErrorQueue(octets(FAR[version]), 33434) as queue:
        assert queue.send(1, b"x").errno == errno.EPERM


def test_a_queue_drops(short_chain: Chain, version: int) -> None:
    near = short_chain.near
    with inside(near), RawProber() as prober:
        probe = packet(Probe(flow(version, 17, 33434), 1, 5))
        assert prober.send(probe).errno == 0
        arrival(prober)  # the router's link address is known
        near.run("tc", "qdisc", "add", "dev", "veth0", "root", "bfifo", "limit", "1")
        assert prober.send(probe).errno == errno.ENOBUFS


def test_larger_than_the_link(chain: Chain, version: int) -> None:
    assert refusal(chain.near, version, size=1500) == (errno.EMSGSIZE, 0)


def test_a_host_without_ipv6(short_world: World) -> None:
    alone = short_world.host()
    alone.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
    alone.configure("link add veth0 type veth peer name veth1", "link set veth0 up")
    said, asked = refusal(alone, 6)
    assert said in (errno.ENETUNREACH, errno.EACCES)
    assert asked in (errno.ENETUNREACH, errno.EACCES, errno.EADDRNOTAVAIL)


# -- without privileges

TRACE = """
import json, os, socket, sys
from fleutan.linux.errorqueue import ErrorQueue
from fleutan.linux.capabilities import effective
assert not effective()
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with ErrorQueue(socket.inet_pton(family, sys.argv[1]), 33434, 45678) as queue:
    told = []
    for ttl in (1, 2, 3):
        sent = queue.send(ttl, b"probe %d" % ttl)
        [one] = queue.receive(10)
        assert sent.errno == 0 and sent.at_ns <= one.at_ns
        offender = socket.inet_ntop(family, one.offender)
        told.append([one.errno, one.type, one.code, offender, one.payload.decode(), one.ttl])
    print(json.dumps([queue.own_end[1], told]))
"""


def test_nobody_traces_by_the_error_queue(chain: Chain, version: int) -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--no-new-privs")
    said = chain.near.run(*nobody, sys.executable, "-c", TRACE, FAR[version])
    port, told = json.loads(said)
    assert port == 45678
    first, *others = told
    assert first == [errno.EHOSTUNREACH, *EXCEEDED[version], ROUTER[version], "probe 1", 64]
    for number, one in enumerate(others, 2):
        assert one == [errno.ECONNREFUSED, *UNREACHABLE[version], FAR[version], f"probe {number}", 63]


def test_what_a_link_on_the_way_has_no_room_for(short_chain: Chain, version: int) -> None:
    short_chain.router.configure("link set veth2 mtu 1300")
    with inside(short_chain.near), ErrorQueue(octets(FAR[version]), 33434) as queue:
        assert queue.send(9, bytes(1400)).errno == 0
        [told] = queue.receive(DEADLINE)
    assert told.errno == errno.EMSGSIZE
    assert (told.type, told.code) == TOO_BIG[version]
    assert told.offender == octets(ROUTER[version])
    assert told.mtu == 1300


# -- around

ECHO = """
import socket, sys
from fleutan.linux.probing import RawProber
with RawProber() as prober:
    sent = prober.send(bytes.fromhex(sys.argv[1]))
    [(data, at_ns)] = prober.receive(10)
    print(sent.errno, sent.at_ns <= at_ns, data.hex())
"""


def test_another_process_namespace_makes_no_difference(chain: Chain, version: int) -> None:
    probe = packet(Probe(flow(version, 17, 33434), 1, 5))
    said = chain.near.run("unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", ECHO, probe.hex())
    number, in_order, data = said.split()
    assert (number, in_order, source(bytes.fromhex(data))) == ("0", "True", ROUTER[version])


def test_sockets_stay_in_the_namespace_that_they_were_made_in(chain: Chain, prober: RawProber) -> None:
    with inside(chain.router):
        prober.send(packet(Probe(flow(4, 17, 33434), 1, 5)))
        data, _ = arrival(prober)
    assert source(data) == ROUTER[4]


def test_all_descriptors_are_released(chain: Chain) -> None:
    before = os.listdir("/proc/self/fd")
    with inside(chain.near):
        for _ in range(20):
            with RawProber("veth0") as prober, ErrorQueue(octets(FAR[4]), 33434) as queue:
                prober.expect([Peer(4, octets(FAR[4]), OPEN, OWN)])
                queue.send(1, b"")
    assert os.listdir("/proc/self/fd") == before
