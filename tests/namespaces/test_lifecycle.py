# SPDX-License-Identifier: Apache-2.0
"""Connections that begin and end between two hosts, told by both ends' kernels and by the processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tests.namespaces.conftest import PLAIN, Host, World, until

from fleutan.linux.lifecycle import Watching
from fleutan.sources import lifecycle
from fleutan.table import Table

Row = dict[str, Any]
FAR = "192.0.2.2"
#: A server that answers with ten times what it got and closes after the client did; and its client.
CONVERSATION = """
def serve(listener):
    while True:
        with listener.accept()[0] as one:
            while piece := one.recv(65536):
                one.sendall(piece * 10)
def exchange(host, port, size):
    with connect(host, port) as one:
        one.sendall(bytes(size))
        one.shutdown(socket.SHUT_WR)
        return sum(iter(lambda: len(one.recv(65536)), 0))
"""

pytestmark = pytest.mark.usefixtures("needs_bpf")


class Story:
    """What was told so far: the last row of each connection."""

    def __init__(self, watching: Watching, *flows: Table) -> None:
        self._watching = watching
        self._flows = flows
        self._rows: dict[tuple[int, int | None], Row] = {}

    def of(self, host: Host, count: int, **wanted: Any) -> list[Row]:
        """So many rows of a host with these values, as soon as they are there; in order of bytes sent."""
        until(lambda: len(self._found(host, wanted)) >= count, f"{count} connections of {host.name} with {wanted}")
        return sorted(self._found(host, wanted), key=lambda row: int(row["bytes_sent"]))

    def _found(self, host: Host, wanted: Row) -> list[Row]:
        self._watching.wait(0.01)
        for row in lifecycle.table(self._watching.read(), flows=self._flows).rows():
            self._rows[row["cookie"], row["began_ns"]] = row
        wanted = {"netns": host.name, **wanted}
        return [row for row in self._rows.values() if wanted.items() <= row.items()]


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as world:
        yield world.pair()


@pytest.fixture
def story() -> Iterator[Story]:
    with Watching() as watching:
        yield Story(watching)


def counted(host: Host) -> Counter[str]:
    """The TCP counters of a host: /proc/net/snmp."""
    lines = host.run("cat", "/proc/net/snmp").splitlines()
    heads, values = (line.split()[1:] for line in lines if line.startswith("Tcp:"))
    return Counter(dict(zip(heads, map(int, values), strict=True)))


@pytest.mark.parametrize(("address", "family"), [(FAR, "ipv4"), ("2001:db8::2", "ipv6")])
def test_both_ends_tell_the_same_of_each_connection(
    hosts: tuple[Host, Host], story: Story, address: str, family: str
) -> None:
    near, far = hosts
    server, client = far.actor(), near.actor()
    before = counted(near), counted(far)
    for actor in (server, client):
        actor.do(CONVERSATION)
    server.do(f"listener = listen('{address}', 7000); beside(serve, listener)")
    sizes = [1, 100, 100_000]
    assert [client.ask(f"exchange('{address}', 7000, {size})") for size in sizes] == [size * 10 for size in sizes]
    theirs, ours = (story.of(near, 3, role="client", state="close"), story.of(far, 3, role="server", state="close"))
    after = counted(near), counted(far)
    for size, mine, other in zip(sizes, theirs, ours, strict=True):
        assert [row["bytes_sent"] - row["bytes_retrans"] for row in (mine, other)] == [size, size * 10]
        assert (mine["bytes_received"], other["bytes_received"]) == (size * 10 + 1, size + 1)  # with the FIN
        assert (mine["src"], mine["sport"], mine["dport"]) == (other["dst"], other["dport"], 7000)
        assert (mine["outcome"], mine["closed_by"]) == ("closed", "local")
        assert (other["outcome"], other["closed_by"]) == ("closed", "remote")
        assert (mine["pid"], mine["owner_by"]) == (client.pid, "connect")
        assert (other["pid"], other["owner_by"]) == (server.pid, "close")
        assert (mine["family"], mine["dev"]) == (family, "veth0")
        assert 0 < mine["connect_time_us"] <= mine["duration_us"]
        assert mine["rtt_us"] >= mine["min_rtt_us"] > 0
    assert after[0]["ActiveOpens"] - before[0]["ActiveOpens"] == len(theirs)
    assert after[1]["PassiveOpens"] - before[1]["PassiveOpens"] == len(ours)
    (listener,) = story.of(far, 1, role="listener", src=address)
    assert (listener["outcome"], listener["pid"], listener["owner_by"]) == ("open", server.pid, "listen")


def test_segments_add_up_to_what_the_hosts_count(hosts: tuple[Host, Host], story: Story) -> None:
    near, far = hosts
    server, client = far.actor(), near.actor()
    for actor in (server, client):
        actor.do(CONVERSATION)
    server.do(f"listener = listen('{FAR}', 7001); beside(serve, listener)")
    before = counted(near)
    for _ in range(5):
        client.ask(f"exchange('{FAR}', 7001, 50_000)")
    rows = story.of(near, 5, role="client", state="close", dport=7001)
    after = counted(near)
    # A FIN is acknowledged once more after the socket has become one in TIME-WAIT.
    assert after["OutSegs"] - before["OutSegs"] == pytest.approx(sum(row["segs_out"] for row in rows), abs=5)


def test_a_refused_connection(hosts: tuple[Host, Host], story: Story) -> None:
    near, far = hosts
    client = near.actor()
    before = counted(near), counted(far)
    client.do(f"one = socket.socket(); failed = one.connect_ex(('{FAR}', 7099))")
    (row,) = story.of(near, 1, state="close", dport=7099)
    after = counted(near), counted(far)
    assert (row["outcome"], row["error"], row["closed_by"]) == ("refused", "ECONNREFUSED", "remote")
    assert (row["pid"], row["established_ns"], row["bytes_sent"]) == (client.pid, None, 0)
    assert after[0]["AttemptFails"] - before[0]["AttemptFails"] == 1
    assert after[1]["OutRsts"] - before[1]["OutRsts"] == 1


def test_an_address_where_nobody_is(hosts: tuple[Host, Host], story: Story) -> None:
    near, _ = hosts
    client = near.actor()
    client.do("one = socket.socket(); failed = one.connect_ex(('192.0.2.77', 7000))")
    (row,) = story.of(near, 1, state="close", dst="192.0.2.77")
    assert (row["outcome"], row["error"]) == ("unreachable", "EHOSTUNREACH")
    assert row["duration_us"] > 0


def test_a_process_that_gives_up(hosts: tuple[Host, Host], story: Story) -> None:
    near, _ = hosts
    client = near.actor()
    client.do("one = socket.socket(); one.setblocking(False); one.connect_ex(('192.0.2.78', 7000)); one.close()")
    (row,) = story.of(near, 1, state="close", dst="192.0.2.78")
    assert (row["outcome"], row["closed_by"], row["pid"]) == ("given up", "local", client.pid)


def test_a_reset_is_told_at_both_ends(hosts: tuple[Host, Host], story: Story) -> None:
    near, far = hosts
    server, client = far.actor(), near.actor()
    server.do(f"listener = listen('{FAR}', 7002)")
    client.do(f"one = connect('{FAR}', 7002)")
    server.do("accepted = listener.accept()[0]")
    client.do("one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\\1\\0\\0\\0\\0\\0\\0\\0'); one.close()")
    (mine,) = story.of(near, 1, state="close", dport=7002)
    (other,) = story.of(far, 1, state="close", sport=7002)
    assert (mine["outcome"], mine["closed_by"], mine["owner_by"]) == ("aborted", "local", "connect")
    assert (other["outcome"], other["closed_by"], other["error"]) == ("reset", "remote", "ECONNRESET")
    # Nobody called anything at this end: it is whose listener accepted it.
    assert (other["pid"], other["owner_by"]) == (server.pid, "listener")


def test_a_process_that_has_ended_is_known_by_name(hosts: tuple[Host, Host], story: Story) -> None:
    near, far = hosts
    server = far.actor()
    server.do(CONVERSATION)
    server.do(f"listener = listen('{FAR}', 7003); beside(serve, listener)")
    code = f"import socket; socket.create_connection(('{FAR}', 7003)).sendall(b'x')"
    near.run(sys.executable, "-c", code)
    (row,) = story.of(near, 1, state="close", dport=7003)
    (comm,) = {row["comm"]} - {None}
    assert comm.startswith("python")
    assert row["proc"] == f"{comm}({row['pid']})"
    assert row["exe"] is None


def test_owners_of_what_is_open_are_found_among_the_flows(hosts: tuple[Host, Host]) -> None:
    near, far = hosts
    server, client = far.actor(), near.actor()
    server.do(f"listener = listen('{FAR}', 7004)")
    worker = server.ask("fork()")
    with Watching() as watching:
        client.do(f"one = connect('{FAR}', 7004)")
        waiting = far.flows(fields=["pids"])
        (row,) = Story(watching, waiting).of(far, 1, role="server")
        assert (row["owner_by"], row["pids"]) == ("listener", (server.pid, worker))
        server.do("accepted = listener.accept()[0]")
        client.do(f"two = connect('{FAR}', 7004)")
        server.do("second = listener.accept()[0]")
        held = far.flows(fields=["pids"])
        (row,) = Story(watching, held).of(far, 1, role="server")
        assert (row["owner_by"], row["pids"], row["outcome"]) == ("holder", (server.pid,), "open")


#: Waits with the programs loaded, until it is killed.
WATCH = """
import sys
from fleutan.linux.lifecycle import Watching
from fleutan.linux.drops import Counting
with Watching(), Counting():
    print("ready", flush=True)
    sys.stdin.read()
"""


def programs() -> set[int]:
    """The ids of the programs that see connections and drops, by bpftool."""
    listed = subprocess.run(["bpftool", "--json", "prog", "show"], check=True, capture_output=True, text=True)
    names = {"inet_sock_set_state", "kfree_skb", "tcp_retransmit_skb", "tcp_send_reset", "tcp_receive_reset"}
    return {
        program["id"]
        for program in json.loads(listed.stdout)
        if program.get("name", "")[:15] in {n[:15] for n in names}
    }


@pytest.mark.skipif(not shutil.which("bpftool"), reason="needs bpftool")
def test_programs_are_gone_when_their_process_is_killed() -> None:
    before = programs()
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", WATCH], env=PLAIN, **pipes) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        loaded = programs() - before
        child.kill()
        child.wait()
    assert len(loaded) >= 5
    until(lambda: not programs() & loaded, "the programs are gone")
