# SPDX-License-Identifier: Apache-2.0
"""Packets lost in known ways between hosts: each reason against the counter that the kernel keeps of it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tests.namespaces.conftest import Host, World, until

from fleutan.linux.drops import Counting
from fleutan.linux.reasons import reset_reasons
from fleutan.sources import drops
from fleutan.table import Table

Row = dict[str, Any]
NEAR, FAR = "192.0.2.1", "192.0.2.2"

pytestmark = pytest.mark.usefixtures("needs_bpf")
needs_nft = pytest.mark.skipif(not shutil.which("nft"), reason="needs nft of nftables")

#: Datagrams with a source port of their own; a raw one with a checksum that is wrong.
SEND = """
def send(host, port, times, size=100, ttl=64):
    one = socket.socket(family_of(host), DATAGRAM)
    one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    for _ in range(times):
        with suppress(ConnectionRefusedError):
            one.sendto(bytes(size), (host, port))
def damaged(host, port, times):
    one = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    for _ in range(times):
        one.sendto(b"\\x04\\x00" + port.to_bytes(2, "big") + b"\\x00\\x0c" + b"\\xde\\xad" + b"data", (host, 0))
"""


class Losses:
    """What was counted so far, row by row."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._rows: list[Row] = []

    def read(self, *flows: Table) -> None:
        self._rows += drops.table(self._counting.read(), flows=flows).rows()

    def of(self, host: Host, **wanted: Any) -> list[Row]:
        """The rows of a host with these values."""
        return self.anywhere(netns=host.name, **wanted)

    def anywhere(self, **wanted: Any) -> list[Row]:
        """The rows of any host with these values."""
        self.read()
        return [row for row in self._rows if wanted.items() <= row.items()]

    def packets(self, host: Host, **wanted: Any) -> int:
        return sum(row["packets"] for row in self.of(host, **wanted))

    def segments(self, host: Host, **wanted: Any) -> int:
        return sum(row["segments"] for row in self.of(host, **wanted))


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as world:
        yield world.pair()


@pytest.fixture
def losses() -> Iterator[Losses]:
    with Counting() as counting:
        yield Losses(counting)


def counted(host: Host) -> Counter[str]:
    """What nstat would say of a host: /proc/net/snmp, snmp6 and netstat, names as there."""
    found: Counter[str] = Counter()
    for file in ("snmp", "netstat"):
        lines = [line.split() for line in host.run("cat", f"/proc/net/{file}").splitlines()]
        for heads, values in zip(lines[::2], lines[1::2], strict=True):
            kind = heads[0].removesuffix(":")
            found.update({f"{kind}{head}": int(value) for head, value in zip(heads[1:], values[1:], strict=True)})
    found.update({name: int(value) for name, value in map(str.split, host.run("cat", "/proc/net/snmp6").splitlines())})
    return found


def more(host: Host, before: Counter[str], name: str) -> int:
    return counted(host)[name] - before[name]


# -- at the receiver


@pytest.mark.parametrize(("address", "name"), [(FAR, "UdpNoPorts"), ("2001:db8::2", "Udp6NoPorts")])
def test_a_port_where_nobody_is(hosts: tuple[Host, Host], losses: Losses, address: str, name: str) -> None:
    near, far = hosts
    before = counted(far)
    sender = near.actor()
    sender.do(SEND)
    sender.do(f"send('{address}', 7099, 9)")
    until(lambda: more(far, before, name) == 9, "all have arrived")
    assert losses.packets(far, reason="NO_SOCKET", proto="udp", sport=7099, direction="rx") == 9
    (row,) = losses.of(far, reason="NO_SOCKET", sport=7099)
    assert (row["src"], row["dev"], row["event"]) == (address, "veth0", "drop")
    assert row["bytes"] == 9 * 108
    assert row["meaning"].startswith("nothing listens")


def test_a_receiver_that_does_not_read(hosts: tuple[Host, Host], losses: Losses) -> None:
    near, far = hosts
    sender, receiver = near.actor(), far.actor()
    receiver.do(f"deaf = socket.socket(socket.AF_INET, DATAGRAM); deaf.bind(('{FAR}', 7010))")
    receiver.do("deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)")
    before = counted(far)
    sender.do(SEND)
    sender.do(f"send('{FAR}', 7010, 200, 500)")
    until(lambda: more(far, before, "UdpInDatagrams") + more(far, before, "UdpRcvbufErrors") >= 3, "they arrive")
    losses.read(far.flows(fields=["pids"]))
    rows = losses.of(far, reason="SOCKET_RCVBUFF", sport=7010)
    assert sum(row["packets"] for row in rows) == more(far, before, "UdpRcvbufErrors") > 100
    assert {(row["owner_by"], row["pid"]) for row in rows} <= {("listener", receiver.pid), ("holder", receiver.pid)}


def test_a_wrong_checksum(hosts: tuple[Host, Host], losses: Losses) -> None:
    near, far = hosts
    receiver, sender = far.actor(), near.actor()
    receiver.do(f"one = socket.socket(socket.AF_INET, DATAGRAM); one.bind(('{FAR}', 7011)); one.settimeout(0.1)")
    before = counted(far)
    sender.do(SEND)
    sender.do(f"damaged('{FAR}', 7011, 5)")
    receiver.do("try:\n    one.recv(100)\nexcept TimeoutError:\n    pass")  # small ones are checked on reading
    until(lambda: more(far, before, "UdpInCsumErrors") == 5, "all were checked")
    assert losses.packets(far, reason="UDP_CSUM", sport=7011) == 5


# -- policy, queues and routers


@needs_nft
def test_a_firewall(hosts: tuple[Host, Host], losses: Losses) -> None:
    near, far = hosts
    far.run("nft", "add table inet lost; add chain inet lost in { type filter hook input priority 0; }")
    far.run("nft", "add rule inet lost in udp dport 7020 counter drop")
    sender = near.actor()
    sender.do(SEND)
    sender.do(f"send('{FAR}', 7020, 11)")
    until(lambda: "packets 11 " in far.run("nft", "list table inet lost"), "the rule has counted all")
    assert losses.packets(far, reason="NETFILTER_DROP", sport=7020) == 11
    (row,) = losses.of(far, sport=7020)
    assert row["function"] is None or row["function"].startswith(("nf_", "nft_"))
    far.run("nft", "delete table inet lost")


def test_a_token_bucket(losses: Losses, short_world: World) -> None:
    near, _ = short_world.pair("tbf", "rate", "200kbit", "burst", "2kb", "limit", "5kb")
    sender = near.actor()
    sender.do(SEND)
    sender.do(f"send('{FAR}', 7030, 100, 1000)")
    (qdisc,) = json.loads(near.run("tc", "-json", "-statistics", "qdisc", "show", "dev", "veth0"))
    rows = losses.of(near, event="drop", direction="tx", dport=7030)
    assert {row["reason"] for row in rows} <= {"QDISC_DROP", "QDISC_OVERLIMIT"}
    assert sum(row["packets"] for row in rows) == qdisc["drops"] > 50
    assert {(row["src"], row["dev"], row["proto"]) for row in rows} == {(NEAR, "veth0", "udp")}


def test_a_time_to_live_that_ends(losses: Losses, short_world: World) -> None:
    near, far = short_world.routed("pfifo_fast")
    sender = near.actor()
    sender.do(SEND)
    sender.do("send('192.0.2.129', 7040, 6, ttl=1)")
    found = until(lambda: losses.anywhere(reason="IP_INHDR", sport=7040), "the router drops them")
    assert sum(row["packets"] for row in found) == 6
    (row,) = found
    assert (row["src"], row["dst"], row["direction"], row["dev"]) == ("192.0.2.129", NEAR, "rx", "veth0")
    assert row["netns"] not in (near.name, far.name)


def test_a_device_that_goes_while_it_is_counted(losses: Losses, short_world: World) -> None:
    near, far = short_world.pair()
    sender = near.actor()
    sender.do(SEND)
    sender.do(f"send('{FAR}', 7050, 3)")
    near.configure("link delete veth0")
    assert losses.packets(far, reason="NO_SOCKET", sport=7050, dev="veth0") == 3


# -- TCP


@needs_nft
def test_retransmissions_are_all_counted_and_told_apart(losses: Losses, short_world: World) -> None:
    near, far = short_world.pair()
    far.run("nft", "add table inet lost; add chain inet lost in { type filter hook input priority 0; }")
    far.run("nft", "add rule inet lost in tcp dport 7060 tcp flags & syn == 0 numgen inc mod 12 == 0 counter drop")
    before = counted(near)
    server, client = far.actor(), near.actor()
    server.do(f"listener = listen('{FAR}', 7060)")
    client.do(f"one = connect('{FAR}', 7060); one.settimeout(30)")
    server.do("accepted = listener.accept()[0]; beside(read, accepted)")
    client.do("one.sendall(bytes(6_000_000))")
    until(lambda: client.ask("one.getsockopt(6, 11, 240)[24]") == 0, "all was acknowledged")  # tcpi_unacked
    rows = losses.of(near, event="retransmit", dport=7060)
    assert sum(row["segments"] for row in rows) == more(near, before, "TcpRetransSegs") > 0
    assert {row["reason"] for row in rows} <= {"FAST", "TIMEOUT", "TLP", "OTHER"}
    fast = sum(row["segments"] for row in rows if row["reason"] == "FAST")
    assert fast == more(near, before, "TcpExtTCPFastRetrans")
    assert losses.packets(far, reason="NETFILTER_DROP", sport=7060) > 0
    assert {(row["dev"], row["direction"], row["src"]) for row in rows} == {("veth0", "tx", NEAR)}


@needs_nft
def test_requests_without_an_answer_and_tails_without_an_acknowledgement(losses: Losses, short_world: World) -> None:
    near, far = short_world.pair()
    server, client = far.actor(), near.actor()
    server.do(f"listener = listen('{FAR}', 7061)")
    client.do(f"one = connect('{FAR}', 7061)")
    server.do("accepted = listener.accept()[0]")
    far.run("nft", "add table inet lost; add chain inet lost in { type filter hook input priority 0; }")
    far.run("nft", "add rule inet lost in tcp dport 7061 drop")
    before = counted(near)
    client.do(f"two = socket.socket(); two.setblocking(False); two.connect_ex(('{FAR}', 7061))")
    client.do("one.sendall(b'lost')")
    until(lambda: more(near, before, "TcpRetransSegs") >= 4, "segments are sent again")
    client.do("two.close(); one.close()")
    far.run("nft", "delete table inet lost")
    rows = losses.of(near, event="retransmit", dport=7061)
    by_reason = Counter({row["reason"]: 0 for row in rows})
    for row in rows:
        by_reason[row["reason"]] += row["segments"]
    assert by_reason.total() == pytest.approx(more(near, before, "TcpRetransSegs"), abs=1)
    assert by_reason["SYN"] == more(near, before, "TcpExtTCPSynRetrans") >= 1
    assert by_reason["TLP"] == more(near, before, "TcpExtTCPLossProbes") >= 1
    assert by_reason["TIMEOUT"] >= 1


@needs_nft
def test_acceptances_without_an_answer(losses: Losses, short_world: World) -> None:
    near, far = short_world.pair()
    server, client = far.actor(), near.actor()
    server.do(f"listener = listen('{FAR}', 7062)")
    near.run("nft", "add table inet lost; add chain inet lost in { type filter hook input priority 0; }")
    near.run("nft", "add rule inet lost in tcp sport 7062 drop")
    before = counted(far)
    client.do(f"two = socket.socket(); two.setblocking(False); two.connect_ex(('{FAR}', 7062))")
    until(lambda: more(far, before, "TcpRetransSegs") >= 1, "the acceptance is sent again")
    client.do("two.close()")
    told = losses.segments(far, event="retransmit", reason="SYNACK", sport=7062)
    assert told == pytest.approx(more(far, before, "TcpRetransSegs"), abs=1)


def test_resets_sent_and_received(hosts: tuple[Host, Host], losses: Losses) -> None:
    near, far = hosts
    server, client = far.actor(), near.actor()
    before = counted(near), counted(far)
    server.do(f"listener = listen('{FAR}', 7070)")
    client.do(f"one = connect('{FAR}', 7070)")
    server.do("accepted = listener.accept()[0]")
    client.do("one.sendall(b'unread')")
    server.do("accepted.close()")  # with data unread
    until(lambda: more(near, before[0], "TcpEstabResets") == 1, "the reset has come")
    client.do(f"failed = socket.socket().connect_ex(('{FAR}', 7099))")
    assert losses.packets(near, event="reset-received") == 2
    assert more(far, before[1], "TcpOutRsts") == 2
    reasons = {row["sport"]: row["reason"] for row in losses.of(far, event="reset-sent", packets=1)}
    # Kernels whose resets have no reasons do not tell those of ports without a socket.
    assert reasons == ({7070: "TCP_ABORT_ON_CLOSE", 7099: "NO_SOCKET"} if reset_reasons() else {7070: None})
    (received,) = losses.of(near, event="reset-received", dport=7070)
    assert (received["src"], received["dst"]) == (NEAR, FAR)


def test_a_packet_that_came_in_fragments_is_one(hosts: tuple[Host, Host], losses: Losses) -> None:
    near, far = hosts
    sender = near.actor()
    sender.do(SEND)
    sender.do(f"send('{FAR}', 7098, 1, 4000)")
    until(lambda: losses.packets(far, reason="NO_SOCKET", sport=7098), "it was put together and dropped")
    (row,) = losses.of(far, sport=7098)
    assert (row["packets"], row["bytes"]) == (1, 4008)
