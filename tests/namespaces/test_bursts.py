# SPDX-License-Identifier: Apache-2.0
"""Very many short connections, and more flows at once than there is room for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest
from tests.bpf import agrees, needs_bpf
from tests.namespaces.conftest import Host, World

from fleutan.analysis.figures import is_word, numbers
from fleutan.linux.traffic import Counting
from fleutan.live import Question
from fleutan.live.events import KINDS, Events
from fleutan.sources import traffic
from fleutan.sources.capture import Reader

pytestmark = needs_bpf

#: So many connections, in so many seconds at most.
CONNECTIONS, SECONDS = 10_000, 5.0
SERVER = """
import socket, threading
s = socket.create_server(('192.0.2.2', 7100), backlog=4096)
def serve():
    while True:
        s.accept()[0].close()
threading.Thread(target=serve, daemon=True).start()
"""
CLIENT = f"""
import socket
for _ in range({CONNECTIONS}):
    c = socket.create_connection(('192.0.2.2', 7100))
    c.recv(1)
    c.close()
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as world:
        yield world.pair()


def test_every_one_of_many_short_connections_is_seen_with_its_owner(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    server, client = two.actor(), one.actor()
    server.do(SERVER)
    question = Question("port 7100 and outcome != open and role != listener")

    def look() -> None:
        with Reader("all", "netlink") as reader, Events(question, reader, KINDS["lifecycle"], every=True) as counted:
            began = time.monotonic()
            client.do(CLIENT)
            took = time.monotonic() - began
            table = counted.after(0.2)
        assert took < SECONDS, "the connections were not as fast as they had to be"
        assert int(is_word(table, "role", "client").sum()) == int(is_word(table, "role", "server").sum()) == CONNECTIONS
        assert table.column("pids").mask().all()
        mine = numbers(table, "pid")[is_word(table, "role", "client")]
        assert set(np.unique(mine)) == {client.pid}
        assert table.reading.notes == ()

    agrees(look)


@pytest.mark.parametrize("flows", [4000])
def test_what_finds_no_room_is_in_the_rest_to_the_packet(hosts: tuple[Host, Host], flows: int) -> None:
    """One socket that sends a packet to each of many ports, from a namespace of its own."""
    sender = hosts[0].actor()
    sender.do("import socket; u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('192.0.2.1', 7200))")

    def look() -> None:
        with Counting(1024) as counting:
            sender.do(f"for port in range(10000, {10_000 + flows}): u.sendto(b'x' * 58, ('192.0.2.2', port))")
            table = traffic.table(counting.read())
        here = is_word(table, "direction", "tx") & is_word(table, "netns", hosts[0].name)
        sent = table.take(here & (is_word(table, "proto", "udp", "other")))
        rest = is_word(sent, "proto", "other")
        assert 0 < rest.sum() < flows
        assert numbers(sent, "packets").sum() == flows
        assert numbers(sent, "bytes").sum() == flows * 100
        assert any(f"{int(numbers(sent, 'packets')[rest].sum())} packets" in note for note in table.reading.notes) or (
            "packets of flows that found no row" in " ".join(table.reading.notes)
        )

    agrees(look)


def test_an_address_family_of_its_own_is_left_alone(hosts: tuple[Host, Host]) -> None:
    """A socket of another family moves nothing that a device sees."""
    with Counting() as counting, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM):
        assert "unix" not in traffic.table(counting.read()).column("proto").objects()
