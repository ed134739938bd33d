# SPDX-License-Identifier: Apache-2.0
"""Packets and lives counted side by side, on this host's loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.bpf import agrees, needs_bpf
from tests.linux.test_users import datagram, needs_tracepoints, without
from tests.namespaces.conftest import PLAIN, World

from fleutan.linux import capabilities, namespaces
from fleutan.linux.users import Noticing
from fleutan.sources import lifecycle, traffic, users
from fleutan.sources.counting import Counted, Meters
from fleutan.table import Table

Row = dict[str, Any]
HERE = os.stat("/proc/self/ns/net").st_ino
PACKETS, SIZE = 20, 1000
#: Ethernet, as loopback pretends to, IPv4 and UDP.
HEADERS = 14 + 20 + 8


def packets(counted: Counted) -> Table:
    return traffic.table(counted.counts, (), around=traffic.HOST._replace(places=lambda: counted.places))


def udp(port: int, counted: Counted) -> list[tuple[str, int, int]]:
    """By direction what a port was sent: packets and bytes."""
    rows = [row for row in packets(counted).rows() if row["netns_inode"] == HERE and row["proto"] == "udp"]
    there = {"tx": "dport", "rx": "sport"}  # our end is the receiver's where it is received
    found = [row for row in rows if row[there[row["direction"]]] == port]
    return [(way, sum(row["packets"] for row in found if row["direction"] == way), sum_of(found, way)) for way in there]


def sum_of(rows: list[Row], direction: str) -> int:
    return sum(row["bytes"] for row in rows if row["direction"] == direction)


def loaded() -> set[str]:
    """The BPF programs that this process has descriptors of."""
    said = [path.read_text() for path in Path("/proc/self/fdinfo").iterdir() if path.exists()]
    return {line for text in said for line in text.splitlines() if line.startswith("prog_id:")}


@needs_bpf
def test_packets_are_of_the_reading_in_which_they_came_and_of_no_other() -> None:
    def look() -> None:
        with Meters() as meters, socket.socket(type=socket.SOCK_DGRAM) as here, socket.socket(type=2) as there:
            there.bind(("127.0.0.1", 0))
            port = there.getsockname()[1]
            first = meters.read()
            for _ in range(PACKETS):
                here.sendto(bytes(SIZE), ("127.0.0.1", port))
                there.recv(SIZE)
            second, third = meters.read(), meters.read()
        assert udp(port, first) == udp(port, third) == [("tx", 0, 0), ("rx", 0, 0)]
        every = PACKETS * (SIZE + HEADERS)
        assert udp(port, second) == [("tx", PACKETS, every), ("rx", PACKETS, every)]
        assert second.counts.began_ns == first.counts.ended_ns
        assert second.lives.began_ns == first.lives.ended_ns

    agrees(look)


@needs_bpf
def test_a_connection_that_came_and_went_while_it_waits_is_seen_with_its_packets() -> None:
    def look() -> None:
        with Meters() as meters, socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            client = socket.create_connection(("127.0.0.1", port))
            accepted = server.accept()[0]
            with closing(client), closing(accepted):
                client.sendall(bytes(SIZE))
                accepted.recv(SIZE)
            meters.wait(0.02)
            counted = meters.read()
        rows = lifecycle.ended(lifecycle.table(counted.lives, ())).rows()
        (mine,) = [row for row in rows if row["dport"] == port and row["role"] == "client"]
        moved = [row for row in packets(counted).rows() if (row["cookie"], row["direction"]) == (mine["cookie"], "tx")]
        assert sum_of(moved, "tx") > SIZE
        assert mine["bytes_sent"] >= SIZE

    agrees(look)


@needs_tracepoints
def test_sockets_that_came_and_went_are_told_with_who_used_them() -> None:
    def look() -> None:
        with Meters() as meters:
            cookies = {datagram() for _ in range(PACKETS)}
            counted = meters.read()
        assert counted.users
        pids = {row["cookie"]: row["pids"] for row in users.table(counted.users).rows()}
        assert {pids.get(cookie) for cookie in cookies} == {(os.getpid(),)}
        sent = {row["cookie"] for row in packets(counted).rows() if row["direction"] == "tx"}
        assert cookies <= sent

    agrees(look)


@needs_bpf
def test_without_the_tracepoints_the_rest_is_counted(tmp_path: Path) -> None:
    absent = without("sock_send_length", tmp_path)

    def look() -> None:
        with Meters(costs=True, noticing=lambda: Noticing(path=absent)) as meters:
            cookie = datagram()
            counted = meters.read()
            assert meters.cost()
        assert counted.users is None
        assert cookie in packets(counted).column("cookie").objects()

    agrees(look)


@needs_tracepoints
def test_the_cost_is_of_all_programs() -> None:
    with Meters(costs=True) as meters:
        datagram()
        assert meters.cost()
    with Meters() as meters:
        assert meters.cost() is None


@needs_bpf
def test_what_is_taken_while_it_waits_is_of_the_same_reading() -> None:
    def look() -> None:
        with Meters(first=0) as meters, socket.socket(type=socket.SOCK_DGRAM) as here, socket.socket(type=2) as there:
            there.bind(("127.0.0.1", 0))
            port = there.getsockname()[1]
            meters.read()
            for _ in range(2):
                here.sendto(bytes(SIZE), ("127.0.0.1", port))
                there.recv(SIZE)
                meters.wait(0.01)
            counted = meters.read()
        assert udp(port, counted) == [(way, 2, 2 * (SIZE + HEADERS)) for way in ("tx", "rx")]

    agrees(look)


@needs_bpf
def test_waiting_takes_as_long_as_it_is_told_to() -> None:
    with Meters() as meters:
        began = time.monotonic()
        meters.wait(0.05)
        assert 0.05 <= time.monotonic() - began < 5
        meters.wait(0)


@needs_bpf
def test_nothing_stays_when_it_is_left() -> None:
    before = loaded()
    with Meters():
        assert len(loaded() - before) >= 3, "one for lives, two for packets"
    assert loaded() == before


@needs_bpf
@pytest.mark.skipif(not shutil.which("ip"), reason="needs ip of iproute2")
@pytest.mark.skipif(bool(capabilities.missing(("CAP_SYS_ADMIN",))), reason="needs CAP_SYS_ADMIN, to make namespaces")
def test_a_namespace_that_is_gone_at_the_end_has_its_name_in_the_reading() -> None:
    with Meters() as meters:
        with World() as world:
            name = world.host().name
            inode = os.stat(f"/run/netns/{name}").st_ino
            came = meters.read()
        went, later = meters.read(), meters.read()
    assert came.places[inode].name == went.places[inode].name == name
    assert inode not in later.places
    assert "lo" in later.places[HERE].devices.values()


@needs_bpf
def test_places_are_of_the_namespaces_that_are_named() -> None:
    with Meters() as meters:
        meters.read([])
        assert [*meters.read([namespaces.current()]).places] == [HERE]
        assert meters.read([]).places[HERE].devices


_REFUSED = """
import os
from fleutan.errors import NotSupported
from fleutan.sources.counting import Meters
if not os.getuid():
    os.setuid(65534)
try:
    with Meters():
        print("counted")
except NotSupported as error:
    print(error)
"""


def test_without_privileges_it_is_refused_and_said_why() -> None:
    said = subprocess.run([sys.executable, "-c", _REFUSED], check=True, capture_output=True, text=True, env=PLAIN)
    assert said.stdout.startswith("BPF"), said.stdout
