# SPDX-License-Identifier: Apache-2.0
"""Packets counted by flow, against iperf3, the interfaces' counters and tc's, over veth."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.bpf import agrees, needs_bpf
from tests.namespaces.conftest import PLAIN, Host, World, until

from fleutan.analysis.totals import totals
from fleutan.linux.traffic import Counting
from fleutan.sources import flows, traffic
from fleutan.sources.capture import Reader
from fleutan.table import Table

Row = dict[str, Any]

#: The share by which figures may differ.
NEAR = 0.001
#: Ethernet, IPv4 or IPv6, and TCP with timestamps or UDP.
HEADERS = {("4", "tcp"): 14 + 20 + 32, ("6", "tcp"): 14 + 40 + 32, ("4", "udp"): 14 + 20 + 8, ("6", "udp"): 14 + 40 + 8}
ADDRESSES = {"4": "192.0.2.2", "6": "2001:db8::2"}

pytestmark = [needs_bpf, pytest.mark.skipif(not shutil.which("iperf3"), reason="needs iperf3")]


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as world:
        yield world.queued()


def iperf(one: Host, two: Host, *words: str) -> Row:
    """What iperf3 says of a test from the first host to the second."""
    command = ["ip", "netns", "exec", two.name, "iperf3", "--server", "--one-off", "--forceflush"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=PLAIN) as server:
        said_by_server = server.stdout or io.StringIO()
        until(lambda: "listening" in said_by_server.readline(), "iperf3 listens")
        said: Row = json.loads(one.run("iperf3", "--json", *words))
        said_by_server.read()
    return said


def counters(host: Host) -> Row:
    (link,) = json.loads(host.run("ip", "-json", "-statistics", "link", "show", "veth0"))
    found: Row = link["stats64"]
    return found


def inode(host: Host) -> int:
    return os.stat(f"/run/netns/{host.name}").st_ino


def of_host(table: Table, host: Host, direction: str) -> list[Row]:
    return [row for row in table.rows() if (row["netns_inode"], row["direction"]) == (inode(host), direction)]


def total(rows: list[Row], name: str) -> int:
    return sum(row[name] for row in rows)


def near(found: int, wanted: int) -> None:
    assert abs(found - wanted) <= NEAR * wanted, (found, wanted)


def between(found: int, least: int, most: int) -> None:
    """What was counted, by what a counter moved while all was counted, and from before that to after it."""
    assert least * (1 - NEAR) <= found <= most * (1 + NEAR), (found, least, most)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("proto", ["tcp", "udp"])
@pytest.mark.parametrize("version", ["4", "6"])
def test_bytes_of_a_flow_are_those_of_iperf3_with_headers_and_of_the_interface(
    hosts: tuple[Host, Host], version: str, proto: str, streams: int, reverse: bool
) -> None:
    """At a rate below what the machine can do, so that nothing is left in a buffer at the end."""
    one, two = hosts
    sender, receiver = (two, one) if reverse else (one, two)
    words = ["-c", ADDRESSES[version], f"-{version}", "-t", "1", "-b", "60M", "-P", str(streams)]
    words += ["-R"] * reverse + ["-u", "-l", "1200"] * (proto == "udp")

    def look() -> None:
        ends = (sender, "tx"), (receiver, "rx")
        moved = [[counters(host)[direction] for host, direction in ends]]
        with Counting() as counting:
            moved += [[counters(host)[direction] for host, direction in ends]]
            said = iperf(one, two, *words)
            moved += [[counters(host)[direction] for host, direction in ends]]
            table = traffic.table(counting.read())
        moved += [[counters(host)[direction] for host, direction in ends]]
        for (host, direction), (first, begun, ended, last) in zip(ends, zip(*moved, strict=True), strict=True):
            rows = of_host(table, host, direction)
            for name, counter in (("skb_bytes", "bytes"), ("packets", "packets")):
                between(total(rows, name), ended[counter] - begun[counter], last[counter] - first[counter])
        for stream, connected in zip(said["end"]["streams"], said["start"]["connected"], strict=True):
            sent = stream["udp"]["bytes"] if proto == "udp" else stream["sender"]["bytes"]
            ports = {connected["local_port"], connected["remote_port"]}
            for host, direction in ((sender, "tx"), (receiver, "rx")):
                rows = [row for row in of_host(table, host, direction) if {row["sport"], row["dport"]} == ports]
                flow = [row for row in rows if row["proto"] == proto]
                near(total(flow, "bytes") - total(flow, "segments") * HEADERS[version, proto], sent)

    agrees(look)


def test_each_queue_is_that_of_tc_and_the_cpus_add_up(hosts: tuple[Host, Host]) -> None:
    one, two = hosts

    def queues() -> dict[int, Row]:
        said = json.loads(one.run("tc", "-s", "-j", "qdisc", "show", "dev", "veth0"))
        return {int(row["parent"].split(":")[1], 16) - 1: row for row in said if "parent" in row}

    def look() -> None:
        moved = [queues()]
        with Counting() as counting:
            moved += [queues()]
            iperf(one, two, "-c", ADDRESSES["4"], "-t", "1", "-P", "8")
            moved += [queues()]
            table = traffic.table(counting.read())
        moved += [queues()]
        sent = of_host(table, one, "tx")
        for queue in moved[0]:
            rows = [row for row in sent if row["queue"] == queue]
            for name, counter in (("bytes", "bytes"), ("segments", "packets")):
                first, begun, ended, last = (said[queue][counter] for said in moved)
                between(total(rows, name), ended - begun, last - first)
        assert sum(total([row for row in sent if row["queue"] == queue], "bytes") > 0 for queue in range(4)) >= 2
        by_cpu = list(totals(table, ("netns_inode", "direction", "cpu"), ("packets",)).rows())
        assert total(of_host(table, one, "tx"), "packets") == sum(
            row["packets"] for row in by_cpu if (row["netns_inode"], row["direction"]) == (inode(one), "tx")
        )
        assert {row["queue"] for row in of_host(table, two, "rx")} == {None}

    agrees(look)


def test_a_flow_that_ended_has_its_owner_and_its_device_a_name(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    server, client = two.actor(), one.actor()
    server.do("l = socket.create_server(('192.0.2.2', 7000))")
    client.do("c = socket.create_connection(('192.0.2.2', 7000))")
    server.do("s = l.accept()[0]")
    with Reader(netns="all") as reader, Counting() as counting:
        before = reader.take()
        client.do("c.sendall(b'x' * 10000)")
        client.do("c.close()")
        server.do("s.close()")
        after = reader.take()
        known = [flows.table(capture, ("pids",)) for capture in (before, after)]
        table = traffic.table(counting.read(), flows=known)
    for host, actor, port, direction in ((one, client, "dport", "tx"), (two, server, "sport", "rx")):
        rows = [row for row in of_host(table, host, direction) if row[port] == 7000]
        assert total(rows, "bytes") > 10_000
        assert {(row["pid"], row["owner_by"]) for row in rows} == {(actor.pid, "holder")}
        assert {(row["dev"], row["netns"], row["forwarded"]) for row in rows} == {("veth0", host.name, False)}


def test_a_bridge_and_a_router_count_what_passes_and_own_nothing_of_it() -> None:
    with World() as world:
        near_end, far = world.routed("tbf", "rate", "100mbit", "burst", "64kb", "latency", "50ms")
        with Counting() as counting:
            near_end.run("python3", "-c", _SEND)
            until(lambda: _unwanted(far) == 5, "all have come")
            table = traffic.table(counting.read())
    rows = [row for row in table.rows() if 7001 in (row["sport"], row["dport"])]
    assert {row["netns_inode"] for row in rows if not row["forwarded"]} == {*map(_of(table), (near_end, far))}
    passed = [row for row in rows if row["forwarded"]]
    assert {(row["direction"], row["dev"]) for row in passed} == {("rx", "veth0"), ("tx", "veth1")}
    assert {(row["src"], row["dst"]) for row in passed} == {("192.0.2.1", "192.0.2.129")}
    assert [total([row for row in passed if row["direction"] == way], "packets") for way in ("rx", "tx")] == [5, 5]
    assert all(row["pids"] is None for row in passed)


def _unwanted(host: Host) -> int:
    """Datagrams for which nobody waited."""
    names, values = (line.split() for line in host.run("cat", "/proc/net/snmp").splitlines() if line.startswith("Udp:"))
    return int(values[names.index("NoPorts")])


_SEND = (
    "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
    "[s.sendto(b'x' * 100, ('192.0.2.129', 7001)) for _ in range(5)]"
)


def _of(table: Table) -> Callable[[Host], int]:
    names = dict(zip(table.column("netns").objects(), table.column("netns_inode").objects(), strict=True))
    return lambda host: names[host.name]


@pytest.mark.parametrize("tags", [(), (5,), (5, 6)])
def test_tags_extension_headers_and_fragments_are_seen_through(hosts: tuple[Host, Host], tags: tuple[int, ...]) -> None:
    """Frames that no socket made, from a packet socket: UDP below what the cases say."""
    frames = [
        _tagged(tags, 0x86DD, _six(0, b"\x3c" + bytes(7) + b"\x11" + bytes(7) + _UDP)),
        _tagged(tags, 0x86DD, _six(44, b"\x11\0\0\x01" + b"abcd" + _UDP)),
        _tagged(tags, 0x86DD, _six(44, b"\x11\0\0\x09" + b"abcd" + bytes(16))),
        _tagged(tags, 0x0800, _four(b"\x46", _UDP, options=bytes(4))),
        _tagged(tags, 0x0800, _four(b"\x45", bytes(12), offset=3)),
        _tagged(tags, 0x88CC, bytes(40)),
    ]
    actor = hosts[0].actor()
    actor.do("p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); p.bind(('veth0', 0))")
    with Counting() as counting:
        for frame in frames:
            actor.do(f"p.send(bytes.fromhex('{frame.hex()}'))")
        table = traffic.table(counting.read())
    for host, direction in ((hosts[0], "tx"), (hosts[1], "rx")):
        found = [row for row in of_host(table, host, direction) if row["proto"] in ("udp", "lldp")]
        port = "dport" if direction == "tx" else "sport"
        ports = [(row["family"] or "", row["proto"], row[port] or 0, row["packets"]) for row in found]
        six, four = "ipv6", "ipv4"
        assert sorted(_spread(ports)) == [
            ("", "lldp", 0),
            (four, "udp", 0),
            (four, "udp", 53),
            (six, "udp", 0),
            (six, "udp", 53),
            (six, "udp", 53),
        ]


_UDP = (1000).to_bytes(2, "big") + (53).to_bytes(2, "big") + (8).to_bytes(2, "big") + bytes(2)


def _spread(rows: list[tuple[str, str, int, int]]) -> list[tuple[str, str, int]]:
    return [(family, proto, port) for family, proto, port, packets in rows for _ in range(packets)]


def _tagged(tags: tuple[int, ...], ethertype: int, body: bytes) -> bytes:
    between = b"".join(b"\x81\0" + tag.to_bytes(2, "big") for tag in tags)
    return b"\xff" * 6 + b"\x02" + bytes(5) + between + ethertype.to_bytes(2, "big") + body


def _six(header: int, body: bytes) -> bytes:
    ends = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(socket.AF_INET6, "2001:db8::2")
    return b"\x60\0\0\0" + len(body).to_bytes(2, "big") + bytes([header, 64]) + ends + body


def _four(version: bytes, body: bytes, options: bytes = b"", offset: int = 0) -> bytes:
    length = (20 + len(options) + len(body)).to_bytes(2, "big")
    ends = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2")
    return version + b"\0" + length + b"\0\x01" + offset.to_bytes(2, "big") + b"\x40\x11\0\0" + ends + options + body


def test_an_echo_and_its_answer_are_one_flow(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    actor = one.actor()
    actor.do("r = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); r.settimeout(5)")
    request = bytes([8, 0]) + (0xFFFF - 0x0800 - 0x1234 - 1).to_bytes(2, "big") + b"\x12\x34\x00\x01"
    with Counting() as counting:
        actor.do(f"r.sendto(bytes.fromhex('{request.hex()}'), ('192.0.2.2', 0)); r.recv(100)")
        table = traffic.table(counting.read())
    for host, sport, dport in ((one, 0x1234, 0), (two, 0, 0x1234)):
        rows = [row for way in ("tx", "rx") for row in of_host(table, host, way) if row["proto"] == "icmp"]
        assert {(row["sport"], row["dport"]) for row in rows} == {(sport, dport)}
        asked, answered = ("tx", "rx") if host is one else ("rx", "tx")
        assert {(row["direction"], row["icmp_type"], row["packets"]) for row in rows} == {
            (asked, 8, 1),
            (answered, 0, 1),
        }


_COUNT = """
import os, signal
from fleutan.linux.traffic import Counting
with Counting():
    print(os.getpid(), flush=True)
    signal.pause()
"""


def program_ids(pid: int) -> set[int]:
    """The BPF programs that a process has descriptors of."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{name}") as said:
            found |= {int(line.split()[1]) for line in said if line.startswith("prog_id:")}
    return found


@pytest.mark.skipif(not shutil.which("bpftool"), reason="needs bpftool")
def test_nothing_stays_in_the_kernel_when_the_process_is_killed() -> None:
    def loaded() -> set[int]:
        said = subprocess.run(["bpftool", "-j", "prog", "list"], check=True, capture_output=True, text=True).stdout
        return {program["id"] for program in json.loads(said)}

    with subprocess.Popen([sys.executable, "-c", _COUNT], stdout=subprocess.PIPE, text=True, env=PLAIN) as child:
        assert child.stdout
        child.stdout.readline()
        programs = program_ids(child.pid)
        assert len(programs) >= 2
        assert programs <= loaded()
        child.kill()
    until(lambda: not programs & loaded(), "the programs are gone")
