# SPDX-License-Identifier: Apache-2.0
"""Packets dropped in known ways: told one by one with header, reason and place, as many as ``drops`` counts."""

from __future__ import annotations

import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.bpf import agrees
from tests.namespaces.conftest import Host, World, until

from fleutan.linux.discards import Discarding
from fleutan.linux.drops import Counting
from fleutan.linux.libbpf import counting_runs
from fleutan.linux.namespaces import entered, find
from fleutan.sources import drops
from fleutan.sources.discarded import INTERNAL, Discards
from fleutan.sources.discards import Bounds, DiscardedPackets

Row = dict[str, Any]
NEAR, FAR = "192.0.2.1", "192.0.2.2"
NEAR6, FAR6 = "2001:db8::1", "2001:db8::2"

pytestmark = pytest.mark.usefixtures("needs_bpf")
needs_nft = pytest.mark.skipif(not shutil.which("nft"), reason="needs nft of nftables")
NAMED = Path("/run/netns")
ALL = Bounds(limit=10_000, only_own=True)

SEND = """
def send(host, port, times, size=100, ttl=64):
    one = socket.socket(family_of(host), DATAGRAM)
    one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl) if ":" in host else None
    for _ in range(times):
        with suppress(OSError):
            one.sendto(bytes(size), (host, port))
def damaged(host, port, times):
    one = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    for _ in range(times):
        one.sendto(b"\\x04\\x00" + port.to_bytes(2, "big") + b"\\x00\\x0c" + b"\\xde\\xad" + b"data", (host, 0))
"""


class Lost:
    """What is dropped in a host while it is looked at, told and counted."""

    def __init__(self, told: DiscardedPackets, counting: Counting, host: Host) -> None:
        self.told, self._counting, self._host = told, counting, host
        self._rows: list[Row] = []
        self._counted: Counter[str] = Counter()

    def rows(self, port: int) -> list[Row]:
        """Datagrams to this port, so far."""
        self._rows += rows_of(self.told.read())
        return [row for row in self._rows if row["dport"] == port]

    def counted(self, port: int) -> Counter[str]:
        """The same as ``fleutan drops`` counts it, by reason."""
        for row in drops.table(self._counting.read()).rows():
            if row["netns"] == self._host.name and row["event"] == "drop" and port in (row["sport"], row["dport"]):
                self._counted[row["reason"]] += row["packets"]
        return self._counted

    def agreed(self, port: int) -> list[Row]:
        rows = self.rows(port)
        assert Counter(row["linux_reason"] for row in rows) == self.counted(port)
        return rows


@contextmanager
def looked_at(host: Host, bounds: Bounds = ALL) -> Iterator[Lost]:
    with ExitStack() as held:
        with entered(find(host.name)):
            told = held.enter_context(DiscardedPackets(bounds))
        yield Lost(told, held.enter_context(Counting()), host)


def rows_of(found: Discards) -> list[Row]:
    """Datagrams as rows: their columns, and what their headers say."""
    names = ["at_ns", "ifindex", "input", "output", "reason", "protocol", "length", "stripped", "drops", "netns"]
    rows = []
    for place, header in enumerate(found.header.strings()):
        row = {name: int(getattr(found, name)[place]) for name in names}
        row |= {name: getattr(found, name).objects()[place] for name in ("linux_reason", "symbol")}
        rows.append(row | ends(header[14:] if row["protocol"] == 1 else header))
    return rows


def ends(packet: bytes) -> Row:
    if not packet or packet[0] >> 4 not in (4, 6):
        return {"src": "", "dst": "", "dport": 0}
    size, at, end = (20, 12, 16) if packet[0] >> 4 == 4 else (40, 8, 24)
    src, dst = packet[at:end], packet[end : end + end - at]
    return {
        "src": str(ip_address(src)),
        "dst": str(ip_address(dst)),
        "dport": int.from_bytes(packet[size + 2 : size + 4], "big"),
    }


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as world:
        yield world.pair()


def ifindex(host: Host, name: str = "veth0") -> int:
    with entered(find(host.name)):
        return socket.if_nametoindex(name)


def sent(host: Host, *words: str) -> None:
    sender = host.actor()
    sender.do(SEND)
    for code in words:
        sender.do(code)


# -- at the receiver


@pytest.mark.parametrize(("src", "dst", "header"), [(NEAR, FAR, 28), (NEAR6, FAR6, 48)])
def test_a_port_where_nobody_is(hosts: tuple[Host, Host], src: str, dst: str, header: int) -> None:
    near, far = hosts

    def look() -> None:
        with looked_at(far) as lost:
            sent(near, f"send('{dst}', 7099, 9)")
            until(lambda: len(lost.rows(7099)) >= 9, "all are told")
            rows = lost.agreed(7099)
        index = ifindex(far)
        assert {(row["src"], row["dst"], row["reason"], row["linux_reason"]) for row in rows} == {
            (src, dst, 3, "NO_SOCKET")
        }
        assert len(rows) == 9
        assert {(row["ifindex"], row["input"], row["output"]) for row in rows} == {(index, index, 0)}
        assert {(row["length"], row["stripped"]) for row in rows} == {(14 + header + 100 + 4, 4)}
        assert {row["netns"] for row in rows} == {(NAMED / far.name).stat().st_ino}

    agrees(look)


def test_a_receiver_that_does_not_read(hosts: tuple[Host, Host]) -> None:
    near, far = hosts
    receiver = far.actor()
    receiver.do(f"deaf = socket.socket(socket.AF_INET, DATAGRAM); deaf.bind(('{FAR}', 7010))")
    receiver.do("deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)")

    def look() -> None:
        with looked_at(far) as lost:
            sent(near, f"send('{FAR}', 7010, 200, 500)")
            until(lambda: len(lost.rows(7010)) > 100, "they are told")
            rows = lost.agreed(7010)
        assert {(row["reason"], row["linux_reason"]) for row in rows} == {(259, "SOCKET_RCVBUFF")}
        assert {row["ifindex"] for row in rows} == {ifindex(far)}
        assert {row["length"] for row in rows} == {14 + 28 + 500 + 4}

    agrees(look)


def test_a_wrong_checksum(hosts: tuple[Host, Host]) -> None:
    near, far = hosts
    receiver = far.actor()
    receiver.do(f"one = socket.socket(socket.AF_INET, DATAGRAM); one.bind(('{FAR}', 7011)); one.settimeout(0.1)")

    def look() -> None:
        with looked_at(far) as lost:
            sent(near, f"damaged('{FAR}', 7011, 5)")
            receiver.do("try:\n    one.recv(100)\nexcept TimeoutError:\n    pass")  # small ones are checked on reading
            rows = lost.agreed(7011)
        assert [(row["reason"], row["linux_reason"], row["src"]) for row in rows] == [(329, "UDP_CSUM", NEAR)] * 5

    agrees(look)


# -- policy, queues and neighbours


@needs_nft
def test_a_firewall(hosts: tuple[Host, Host]) -> None:
    near, far = hosts
    far.run("nft", "add table inet lost; add chain inet lost in { type filter hook input priority 0; }")
    far.run("nft", "add rule inet lost in udp dport 7020 counter drop")

    def look() -> None:
        with looked_at(far) as lost:
            sent(near, f"send('{FAR}', 7020, 11)")
            until(lambda: len(lost.rows(7020)) >= 11, "all are told")
            rows = lost.agreed(7020)
        assert [(row["reason"], row["linux_reason"]) for row in rows] == [(258, "NETFILTER_DROP")] * 11
        assert {row["symbol"] for row in rows} <= {"nft_do_chain", "nf_hook_slow", None}

    agrees(look)
    far.run("nft", "delete table inet lost")


def test_a_token_bucket(short_world: World) -> None:
    near, _ = short_world.pair("tbf", "rate", "200kbit", "burst", "2kb", "limit", "5kb")

    def look() -> None:
        with looked_at(near) as lost:
            sent(near, f"send('{FAR}', 7030, 100, 1000)")
            rows = lost.agreed(7030)
        assert len(rows) > 50
        assert {row["reason"] for row in rows} <= {259, 261}
        index = ifindex(near)
        assert {(row["ifindex"], row["input"], row["output"]) for row in rows} == {(index, INTERNAL, index)}
        assert {(row["src"], row["dst"], row["length"]) for row in rows} == {(NEAR, FAR, 14 + 28 + 1000 + 4)}

    agrees(look)


def test_a_neighbour_that_does_not_answer(hosts: tuple[Host, Host]) -> None:
    near, _ = hosts
    near.run("sh", "-c", "echo 0 >/proc/sys/net/ipv4/neigh/veth0/mcast_solicit")

    def look() -> None:
        with looked_at(near) as lost:
            sent(near, "send('192.0.2.77', 7035, 3)")
            rows = lost.agreed(7035)
        index = ifindex(near)
        assert [(row["reason"], row["linux_reason"]) for row in rows] == [(279, "NEIGH_FAILED")] * 3
        # No frame was made of it yet.
        assert {(row["protocol"], row["length"], row["stripped"]) for row in rows} == {(11, 128, 0)}
        assert {(row["ifindex"], row["input"], row["output"]) for row in rows} == {(index, INTERNAL, index)}

    agrees(look)
    near.run("sh", "-c", "echo 3 >/proc/sys/net/ipv4/neigh/veth0/mcast_solicit")


# -- routers

SHORT = ("tbf", "rate", "100kbit", "burst", "2kb", "limit", "3kb")


def routed(world: World, *shaping: str) -> tuple[Host, Host]:
    """A host, 192.0.2.1, and the router beside it, whose veth1 leads to 192.0.2.129."""
    before = {path.name for path in NAMED.iterdir()}
    near, far = world.routed(*shaping or ("pfifo_fast",))
    mine = f"fln{os.getpid()}-"
    made = {path.name for path in NAMED.iterdir()} - before - {near.name, far.name}
    (between,) = (name for name in made if name.startswith(mine))
    return near, Host(between, world)


def test_a_time_to_live_that_ends(short_world: World) -> None:
    near, between = routed(short_world)

    def look() -> None:
        with looked_at(between) as lost:
            sent(near, "send('192.0.2.129', 7040, 6, ttl=1)")
            until(lambda: len(lost.rows(7040)) >= 6, "the router drops them")
            rows = lost.agreed(7040)
        index = ifindex(between)
        assert [(row["reason"], row["linux_reason"], row["src"]) for row in rows] == [(257, "IP_INHDR", NEAR)] * 6
        assert {row["symbol"] for row in rows} <= {"ip_forward", None}
        assert {(row["ifindex"], row["input"]) for row in rows} == {(index, index)}

    agrees(look)


def test_no_route(short_world: World) -> None:
    near, between = routed(short_world)

    def look() -> None:
        with looked_at(between) as lost:
            sent(near, "send('198.51.100.9', 7041, 4)")
            until(lambda: len(lost.rows(7041)) >= 4, "the router drops them")
            rows = lost.agreed(7041)
        assert [row["reason"] for row in rows] == [0] * 4
        assert {row["linux_reason"] for row in rows} <= {"IP_OUTNOROUTES", "IP_INNOROUTES"}

    agrees(look)


def test_what_a_router_cannot_send_on_has_both_interfaces(short_world: World) -> None:
    near, between = routed(short_world, *SHORT)

    def look() -> None:
        with looked_at(between) as lost:
            sent(near, "send('192.0.2.129', 7042, 50, 1000)")
            until(lambda: len(lost.rows(7042)) > 30, "the router drops them")
            rows = lost.agreed(7042)
        came, goes = ifindex(between, "veth0"), ifindex(between, "veth1")
        assert {(row["ifindex"], row["input"], row["output"]) for row in rows} == {(came, came, goes)}

    agrees(look)


# -- what goes, and what comes in floods


def test_a_device_that_goes_while_it_is_looked_at() -> None:
    def look() -> None:
        with World() as world:
            near, far = world.pair()
            index = ifindex(far)
            with looked_at(far) as lost:
                sent(near, f"send('{FAR}', 7050, 3)")
                near.configure("link delete veth0")
                rows = lost.rows(7050)
        assert [(row["ifindex"], row["linux_reason"]) for row in rows] == [(index, "NO_SOCKET")] * 3

    agrees(look)


def test_other_namespaces_are_told_without_their_interfaces(hosts: tuple[Host, Host]) -> None:
    near, far = hosts

    def look() -> None:
        with DiscardedPackets(Bounds(limit=10_000)) as told:
            sent(near, f"send('{FAR}', 7055, 3)")
            rows = [row for row in rows_of(told.read()) if row["dport"] == 7055]
        assert [(row["ifindex"], row["input"], row["reason"]) for row in rows] == [(0, 0, 3)] * 3
        assert {row["netns"] for row in rows} == {(NAMED / far.name).stat().st_ino}

    agrees(look)


FLOOD = 100_000


def test_a_flood_is_counted_to_the_packet_and_costs_little(hosts: tuple[Host, Host]) -> None:
    near, far = hosts

    def look() -> None:
        with looked_at(far, Bounds(limit=100, most=1 << 40, only_own=True)) as lost, counting_runs():
            kernel: Discarding = lost.told._kernel
            before = kernel.runs()
            sent(near, f"send('{FAR}', 7060, {FLOOD})")
            rows = lost.rows(7060)
            ran = kernel.runs()
            told, suppressed = len(rows), sum(lost.told.suppressed().values())
            assert told + suppressed == FLOOD
            assert lost.counted(7060)["NO_SOCKET"] == FLOOD
        assert 100 <= told < 2000
        assert ran.recursion_misses == before.recursion_misses
        each = (ran.run_time_ns - before.run_time_ns) / (ran.run_cnt - before.run_cnt)
        assert each < 5000, f"{each:.0f} ns for each"  # 50 times what it takes on a host of its own

    agrees(look)
