# SPDX-License-Identifier: Apache-2.0
"""``flows --vol``, ``-q`` and ``--cpu`` over an interval, against iperf3, tc and /proc."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.bpf import agrees, needs_bpf
from tests.linux.test_users import needs_tracepoints
from tests.namespaces.conftest import PLAIN, Host, Running, World, until

Row = dict[str, Any]
#: The share by which figures may differ.
NEAR = 0.001

pytestmark = [needs_bpf, pytest.mark.skipif(not shutil.which("iperf3"), reason="needs iperf3")]


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as world:
        yield world.queued()


class Asked(Running):
    """A question of so many seconds to a host; made as its interval begins, answered after that."""

    def __init__(self, host: Host, *words: str) -> None:
        super().__init__(host, "flows", *words, "--count", "2", "--json")
        self.document()  # what was before is of the first

    def answer(self) -> Row:
        found = self.document()
        assert self.ended() == (0, "", "")
        return found


def iperf(one: Host, two: Host, words: str, *before: str) -> int:
    """Sends from the first host to the second; gives the process that sent."""
    inside = ["ip", "netns", "exec"]
    server = [*inside, two.name, "iperf3", "--server", "--one-off"]
    with subprocess.Popen(server, stdout=subprocess.DEVNULL, env=PLAIN):
        until(lambda: two.rows("sport = 5201", source="netlink"), "iperf3 listens")
        command = [*inside, one.name, *before, "iperf3", "-c", "192.0.2.2", *words.split()]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=PLAIN) as client:
            return client.pid


def total(rows: list[Row], name: str, **wanted: Any) -> int:
    return sum(row[name] for row in rows if all(row[key] == value for key, value in wanted.items()))


def near(found: float, wanted: float) -> None:
    assert abs(found - wanted) <= NEAR * wanted, (found, wanted)


def test_queues_carry_what_their_disciplines_let_out(hosts: tuple[Host, Host]) -> None:
    one, two = hosts

    def look() -> None:
        asked = Asked(one, "-q", "-i", "3")
        iperf(one, two, "-n 8M -P 4")
        found = asked.answer()
        sent = [row for row in found["queues"] if (row["dev"], row["direction"]) == ("veth0", "tx")]
        assert [row["queue"] for row in sent] == [0, 1, 2, 3]
        for row in sent:
            near(row["bytes"], row["qdisc_bytes"])
            assert total(found["volumes"], "bytes", direction="tx", queue=row["queue"]) == row["bytes"]
        assert total(sent, "bytes") > 8 << 20
        flows = [row for row in found["volumes"] if row["direction"] == "tx" and row["dport"] == 5201]
        assert {row["comm"] for row in flows} == {"iperf3"}
        by_queue = [(row["queue"], row["bytes"]) for row in flows]
        assert by_queue == sorted(by_queue)
        assert total(found["flows"], "tx_bytes") == total(sent, "bytes")

    agrees(look)


def test_cpus_of_a_flow_add_up_and_its_packets_are_where_it_sends(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    cpu = max(os.sched_getaffinity(0))

    def look() -> None:
        asked = Asked(one, "--cpu", "-i", "3", "dport", "5201")
        pid = iperf(one, two, "-t 1 -b 100M", "taskset", "-c", str(cpu))
        found = asked.answer()
        mine = [row for row in found["processes"] if row["pid"] == pid]
        for direction in ("tx", "rx"):
            of_flows = total(found["flows"], f"{direction}_bytes")
            assert total(mine, f"{direction}_bytes") == total(found["cpus"], f"{direction}_bytes") == of_flows
        assert total(mine, "tx_bytes", cpu=cpu) > 0.99 * total(mine, "tx_bytes")
        assert [row["pid"] for row in found["crossings"]] == [pid]

    agrees(look)


def test_where_a_process_runs_while_it_is_looked_at(hosts: tuple[Host, Host]) -> None:
    here, cpu = hosts[0].actor(), min(os.sched_getaffinity(0))
    here.do(f"import os, socket, time; os.sched_setaffinity(0, [{cpu}])")
    here.do("u = socket.socket(type=socket.SOCK_DGRAM); u.connect(('127.0.0.1', 9))")
    asked = Asked(hosts[0], "--cpu", "-i", "4", "dport", "9")
    here.do("until = time.process_time() + 0.3\nwhile time.process_time() < until: hash(until)\nu.send(b'x')")
    mine = [row for row in asked.answer()["processes"] if row["pid"] == here.pid]
    assert {row["cpu"] for row in mine if row["run_time_us"]} == {cpu}
    assert total(mine, "run_time_us") > 200_000
    assert total(mine, "tx_packets") == 1


def test_a_connection_inside_the_interval_and_a_datagram_without_one(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    there, here = two.actor(), one.actor()
    there.do("import socket; s = socket.create_server(('192.0.2.2', 7000))")
    code = "import socket; u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('192.0.2.1', 7001))"
    here.do(code)

    def look() -> None:
        asked = Asked(one, "--vol", "-i", "2")
        for _ in range(5):
            here.do("u.sendto(b'x' * 100, ('192.0.2.2', 7002))")
        here.do("c = socket.create_connection(('192.0.2.2', 7000)); c.sendall(b'y' * 1000)")
        there.do("d, _ = s.accept(); d.recv(2000); d.close()")
        here.do("c.recv(1); c.close()")
        flows = asked.answer()["flows"]
        (brief,) = (row for row in flows if row["dport"] == 7000)
        assert (brief["change"], brief["pid"]) == ("brief", here.pid)
        assert brief["tx_bytes"] > 1000 + 3 * 66
        (datagrams,) = (row for row in flows if row["dport"] == 7002)
        assert (datagrams["proto"], datagrams["sport"], datagrams["pid"]) == ("udp", 7001, here.pid)
        assert (datagrams["tx_bytes"], datagrams["tx_packets"]) == (5 * (100 + 42), 5)

    agrees(look)


#: Questions from sockets that each live for a moment, with the answers of the one at the other end.
_QUESTIONS = """
import socket
for _ in range(100):
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendto(b'x' * 30, ('192.0.2.2', 7003))
        one.recv(100)
"""


@needs_tracepoints
def test_sockets_that_live_for_a_moment_are_of_who_used_them(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    there = two.actor()
    there.do("import socket; a = socket.socket(type=socket.SOCK_DGRAM); a.bind(('192.0.2.2', 7003))")
    there.do("def answer():\n while True: a.sendto(b'y' * 60, a.recvfrom(100)[1])")
    there.do("beside(answer)")

    def look(ends: bool) -> None:
        here = one.actor()
        comm = here.ask("open('/proc/self/comm').read().strip()")
        asked = Asked(one, "--vol", "-i", "2")
        here.do(_QUESTIONS)
        if ends:
            here.end()
        flows = [row for row in asked.answer()["flows"] if row["dport"] == 7003]
        assert sum(row["tx_packets"] for row in flows) == 100
        assert {(row["pid"], row["comm"]) for row in flows} == {(here.pid, comm)}
        assert sum(row["rx_bytes"] for row in flows) == 100 * (60 + 42)

    agrees(lambda: look(ends=False))
    agrees(lambda: look(ends=True))
