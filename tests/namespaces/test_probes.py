# SPDX-License-Identifier: Apache-2.0
"""Probes sent through a router to a host: their kernels must take them for good, and their answers be understood."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from tests.namespaces.conftest import Actor, Host, World, until

from fleutan.protocols.tracing.probes import ACK, SYN, Flow, Probe, packet
from fleutan.protocols.tracing.replies import Quote, Reply, parse

OPEN, CLOSED, MTU = 7000, 7001, 1300
NEAR = {4: "192.0.2.1", 6: "2001:db8:1::1"}
ROUTER = {4: "192.0.2.2", 6: "2001:db8:1::2"}
FAR = {4: "198.51.100.2", 6: "2001:db8:2::2"}
LABEL = 0x54321
ECHO = {4: 1, 6: 58}
#: Counters of what a kernel found wrong; InHdrErrors is none, it counts hop limits that ran out, too.
WRONG = (
    *("IcmpInCsumErrors", "TcpInCsumErrors", "UdpInCsumErrors", "Icmp6InCsumErrors", "Udp6InCsumErrors"),
    *("TcpInErrs", "IpExtInCsumErrors"),
)

NEAR_HOST = """
ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL, with the IP header
ear.settimeout(0.02)
senders = {4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
           6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)}

def send(version, to, octets):
    senders[version].sendto(bytes.fromhex(octets), (to, 0))

def heard():
    found = []
    with suppress(TimeoutError):
        while True:
            octets, place = ear.recvfrom(65536)
            if place[2] == socket.PACKET_HOST:
                found.append(octets.hex())
    return found

def own_port(one):
    return one.getsockname()[1]
"""


class Way:
    """The near host, the router and the far host; the near one sends and hears."""

    def __init__(self, near: Host, router: Host, far: Host) -> None:
        self.near, self.router, self.far = near, router, far
        self.actor: Actor = near.actor()
        self.server: Actor = far.actor()
        self.actor.do(NEAR_HOST)

    def send(self, data: bytes, family: int) -> None:
        self.actor.do(f"send({family}, {FAR[family]!r}, {data.hex()!r})")

    def answers(self, probe: Probe) -> Reply:
        """What comes back to this probe, in which no kernel finds anything wrong."""
        before = wrong(self.router), wrong(self.far)
        self.actor.do("heard()")
        self.send(packet(probe), probe.flow.family)

        def answer() -> Reply | None:
            replies = [parse(bytes.fromhex(data)) for data in self.actor.ask("heard()")]
            return next((reply for reply in replies if reply and reply.flow.ends == probe.flow.ends), None)

        found: Reply = until(answer, f"an answer to {probe}")
        assert (wrong(self.router), wrong(self.far)) == before
        return found


def address(family: int, text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET if family == 4 else socket.AF_INET6, text)


def flow(family: int, proto: int, sport: int, dport: int) -> Flow:
    ends = address(family, NEAR[family]), address(family, FAR[family])
    return Flow(family, *ends, proto, sport, dport, LABEL if family == 6 else 0, 0x20)


def wrong(host: Host) -> dict[str, int]:
    """The counters of what was wrong, of all protocols."""
    found = {}
    for line in host.run("cat", "/proc/net/snmp6").splitlines():
        name, value = line.split()
        found[name] = int(value)
    for file in ("snmp", "netstat"):
        lines = host.run("cat", f"/proc/net/{file}").splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            head = names.split(":")[0]
            pairs = zip(names.split()[1:], values.split()[1:], strict=True)
            found.update({head + name: int(value) for name, value in pairs})
    return {name: found[name] for name in WRONG}


@pytest.fixture(scope="module")
def way() -> Iterator[Way]:
    with World() as world:
        near, router, far = world.host(), world.host(), world.host()
        for number, host in enumerate((near, far), 1):
            host.configure(f"link add veth0 type veth peer name veth{number} netns {router.name}")
            outer, inner = (NEAR, ROUTER) if host is near else (FAR, {4: "198.51.100.1", 6: "2001:db8:2::1"})
            router.configure(
                f"address add {inner[4]}/24 dev veth{number}",
                f"address add {inner[6]}/64 dev veth{number} nodad",
                f"link set veth{number} up",
            )
            host.configure(
                f"address add {outer[4]}/24 dev veth0",
                f"address add {outer[6]}/64 dev veth0 nodad",
                "link set veth0 up",
                f"route add default via {inner[4]}",
                f"route add default via {inner[6]}",
            )
        settings = "net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv4.tcp_invalid_ratelimit=0"
        for host in (router, far):
            set_all(host, settings)
        set_all(router, "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        router.configure(f"link set veth2 mtu {MTU}")
        made = Way(near, router, far)
        for family in (4, 6):
            made.server.do(f"beside(drain, listen({FAR[family]!r}, {OPEN}))")
        yield made


def set_all(host: Host, settings: str) -> None:
    for setting in settings.split():
        name, value = setting.split("=")
        host.run("sh", "-c", f"echo {value} >/proc/sys/{name.replace('.', '/')}")


def probes(family: int) -> dict[str, Probe]:
    """One of each method, all with two hops to go."""
    return {
        "syn": Probe(flow(family, 6, 33000, OPEN), 2, 0xFFF1, seq=0x7777_0000, window=64240, flags=SYN),
        "flow": Probe(flow(family, 6, 33001, CLOSED), 2, 3, seq=1, ack=0x1234, window=500, flags=ACK),
        "udp": Probe(flow(family, 17, 33002, CLOSED), 2, 0xFFF2, payload=b"odd"),
        "icmp": Probe(flow(family, ECHO[family], 77, 0xBEEF), 2, 0xFFF3, payload=bytes(range(30))),
    }


METHODS = pytest.mark.parametrize("method", ["syn", "flow", "udp", "icmp"])
FAMILIES = pytest.mark.parametrize("family", [4, 6])


@FAMILIES
@METHODS
def test_a_router_quotes_each_probe_as_it_was_sent(way: Way, family: int, method: str) -> None:
    probe = probes(family)[method]._replace(ttl=1)
    reply = way.answers(probe)
    assert (reply.source, reply.kind, reply.code) == (address(family, ROUTER[family]), "time-exceeded", 0)
    assert reply.flow == probe.flow
    assert (reply.number_as(probe), reply.ttl) == (probe.number, 64)
    mss = {4: 1460, 6: 1440}[family] if method == "syn" else None
    assert reply.quoted == Quote(1, 0x20, len(packet(probe)), True, mss)
    if not (family == 6 and method == "flow"):
        assert reply.number == probe.number


ANSWERED = {"syn": ("syn-ack", 0), "flow": ("reset", 0), "icmp": ("echo", 0)}


@FAMILIES
@METHODS
def test_the_destinations_kernel_answers_each_probe(way: Way, family: int, method: str) -> None:
    probe = probes(family)[method]
    reply = way.answers(probe)
    kind, code = ANSWERED.get(method, ("unreachable", {4: 3, 6: 4}[family]))
    assert (reply.source, reply.kind, reply.code, reply.ttl) == (address(family, FAR[family]), kind, code, 63)
    assert reply.number_as(probe) == (None if method == "flow" else probe.number)
    if method == "udp":
        assert reply.quoted == Quote(1, 0x20, len(packet(probe)), True, None)


@FAMILIES
def test_a_closed_port_resets_a_syn(way: Way, family: int) -> None:
    probe = probes(family)["syn"]
    probe = probe._replace(flow=probe.flow._replace(dport=CLOSED))
    reply = way.answers(probe)
    assert (reply.kind, reply.number, reply.number_as(probe)) == ("reset", probe.number, probe.number)


@FAMILIES
def test_a_live_connection_answers_a_probe_inside_it_and_lives_on(way: Way, family: int) -> None:
    way.actor.do(f"one = connect({FAR[family]!r}, {OPEN})")
    port = way.actor.ask("own_port(one)")
    una, nxt = after_sending(way, family, port, 1)
    probe = Probe(flow(family, 6, port, OPEN), 2, 5, seq=una - 1, ack=nxt, window=500, flags=ACK)
    answered = way.answers(probe)
    assert (answered.kind, answered.number_as(probe)) == ("ack", None)
    quoted = way.answers(probe._replace(ttl=1))
    assert (quoted.kind, quoted.number_as(probe)) == ("time-exceeded", 5)
    assert after_sending(way, family, port, 4) == (una + 4 & 0xFFFF_FFFF, nxt)


def after_sending(way: Way, family: int, port: int, size: int) -> tuple[int, int]:
    """What of the connection's own octets is acknowledged after sending some, and what is expected next."""
    way.actor.do(f"heard(); one.sendall(bytes({size}))")

    def acknowledgements() -> list[bytes]:
        found = [bytes.fromhex(data) for data in way.actor.ask("heard()")]
        replies = [(data, parse(data)) for data in found]
        return [data for data, reply in replies if reply and reply.kind == "ack" and reply.flow.sport == port]

    last = until(acknowledgements, "an acknowledgement")[-1]
    seq, ack = struct.unpack_from("!II", last, {4: 20, 6: 40}[family] + 4)
    return ack, seq


@FAMILIES
@pytest.mark.parametrize("method", ["syn", "udp", "icmp"])
def test_a_kernel_counts_a_probe_whose_checksum_is_wrong(way: Way, family: int, method: str) -> None:
    """That nothing was counted elsewhere would say nothing if this were not."""
    counter = {"syn": "TcpInCsumErrors", "udp": "UdpInCsumErrors", "icmp": "IcmpInCsumErrors"}[method]
    if family == 6:
        counter = counter.replace("Udp", "Udp6").replace("Icmp", "Icmp6")
    data = bytearray(packet(probes(family)[method]))
    data[-1] ^= 1
    before = wrong(way.far)[counter]
    way.send(bytes(data), family)
    until(lambda: wrong(way.far)[counter] == before + 1, counter)


@FAMILIES
def test_a_narrow_link_tells_its_mtu(way: Way, family: int) -> None:
    probe = Probe(flow(family, ECHO[family], 78, 0xBEEF), 9, 5, payload=bytes(MTU))
    reply = way.answers(probe)
    assert (reply.kind, reply.mtu, reply.number) == ("too-big", MTU, 5)
    assert reply.quoted
    assert (reply.quoted.length, reply.quoted.intact) == (len(packet(probe)), None)
