# SPDX-License-Identifier: Apache-2.0
"""CPUs beside an answer, from looks made by hand."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.linux.cpus import Running, Thread, Times
from fleutan.linux.namespaces import Namespace
from fleutan.linux.queues import Device, Queue
from fleutan.live.cpus import Cpus, holders
from fleutan.sources import cpus, queues
from fleutan.sources.capture import Capture, Reader
from fleutan.sources.queues import Space
from fleutan.table import Table

MS = 1_000_000
NOTHING = Capture(0, 0, [], None, "sock_diag", [])
ETH0 = Device("eth0", 2, None, None, (Queue("rx", 0, "", 0), Queue("rx", 1, "", 0)))
QUEUES = queues.Snapshot(5, 6, (Space(Namespace(7, "host", "/here"), {}, (), (ETH0,), {}),), (), ())


class Host:
    """A process 7 on CPU 1 that runs 10 ms from look to look, each of which costs ``cost`` seconds of CPU."""

    def __init__(self, cost: float = 0.0) -> None:
        self.looks: list[frozenset[int]] = []
        self.cost = cost
        self.used = 0.0

    def take(self, pids: Collection[int]) -> cpus.Snapshot:
        self.looks.append(frozenset(pids))
        self.used += self.cost
        number = len(self.looks)
        thread = Thread(7, 1, number * 10 * MS, 0)
        running = [Running(7, "web", 0, number * 10 * MS, (thread,))] if 7 in pids else []
        times = {cpu: Times(number * cpu, *[0] * 7) for cpu in (0, 1)}
        return cpus.Snapshot(number, number * 10 * MS, 10**12, times, {}, [], {0: 0, 1: 0}, running)

    def clock(self) -> float:
        return self.used

    def beside(self, *holders: int) -> Cpus:
        return Cpus("web", self.take, self.queues, lambda _: frozenset(holders), self.clock)

    def queues(self, netns: str | None) -> queues.Snapshot:
        assert netns == "web"
        return QUEUES


def whole(values: Sequence[int]) -> Column:
    return Column(np.array(values, np.int64))


def traffic(*rows: tuple[str, int, int, bool]) -> Table:
    """Counted packets of process 7: direction, CPU, packets, and whether a device above counted them too."""
    direction, cpu, packets, above = zip(*rows, strict=True)
    alike = ("netns_inode", "cookie", "sport", "dport", "queue")
    columns = {
        **{name: text_column([word] * len(rows)) for name, word in (("netns", "host"), ("dev", "eth0"))},
        **{name: whole([0] * len(rows)) for name in alike},
        "direction": text_column(direction),
        "cpu": whole(cpu),
        "pids": Column(np.zeros(len(rows), np.int32), None, ((7,),)),
        "proc": text_column(["web(7)"] * len(rows)),
        "counted_above": Column(np.array(above, np.bool_)),
        **{name: whole(packets) for name in ("bytes", "packets", "segments", "bdp")},
    }
    return Table("traffic", columns)


def answer(counted: Table | None = None, pids: tuple[int, ...] = (7,)) -> Table:
    owners = {"pids": Column(np.zeros(1, np.int32), None, (pids,))}
    return Table("flows", owners, related={} if counted is None else {"traffic": counted})


def after(beside: Cpus, found: Table) -> Table:
    """What a round says."""
    beside.look(NOTHING)
    return beside.joined(found)


def rows(table: Table, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table.columns[name].objects() for name in names), strict=True))


def test_where_a_process_ran_received_and_sent() -> None:
    beside = Host().beside(7)
    beside.look(NOTHING)
    beside.wait(0.2, lambda _: None)
    found = after(beside, answer(traffic(("rx", 0, 4000, False), ("tx", 1, 9, False)))).related
    names = ("proc", "cpu", "run_time", "rx_packets", "tx_packets")
    assert rows(found["processes"], *names) == [("web(7)", 0, 0, 4000, 0), ("web(7)", 1, 20_000, 0, 9)]
    assert rows(found["crossings"], "proc", "cross_cpu") == [("web(7)", 1.0)]
    assert rows(found["cpus"], "cpu", "rx_packets", "tx_packets", "rx_bdp") == [(0, 4000, 0, 4000.0), (1, 0, 9, 0.0)]
    assert rows(found["queues"], "dev", "queue", "packets")[0] == ("eth0", 0, 4000)
    assert found["advice"].columns["remedy"].objects()[0] == "sysctl -w net.core.rps_sock_flow_entries=32768"


def test_what_stands_at_two_devices_counts_once_for_a_cpu_and_twice_for_queues() -> None:
    beside = Host().beside()
    beside.look(NOTHING)
    found = after(beside, answer(traffic(("rx", 0, 40, True), ("rx", 0, 40, False)))).related
    assert rows(found["cpus"], "rx_packets") == [(40,), (0,)]
    assert rows(found["queues"], "packets") == [(80,), (0,)]
    assert len(found["traffic"]) == 1


def test_without_counted_packets_it_says_where_the_owners_ran() -> None:
    beside = Host().beside(7)
    beside.look(NOTHING)
    found = after(beside, answer()).related
    assert set(found) == {"cpus", "processes", "queues"}
    assert rows(found["processes"], "proc", "cpu", "run_time") == [("web(7)", 1, 10_000)]
    assert len(after(beside, answer(pids=(8,))).related["processes"]) == 0
    assert len(after(beside, Table("flows", {})).related["processes"]) == 0


@pytest.mark.parametrize(
    ("cost", "seconds", "looks"),
    [(0.0, 1.0, 9), (0.001, 1.0, 9), (0.004, 1.0, 4), (1.0, 1.0, 0), (0.0, 0.05, 0)],
    ids=["free", "cheap", "dear", "too dear", "no time"],
)
def test_as_many_looks_as_cost_little(cost: float, seconds: float, looks: int) -> None:
    host, waited = Host(cost), list[float]()
    beside = host.beside()
    beside.look(NOTHING)
    beside.wait(seconds, waited.append)
    assert len(host.looks) == 1 + looks
    assert sum(waited) == pytest.approx(seconds)
    assert len(waited) == looks + 1


def test_whoever_holds_or_held_a_socket_is_looked_at() -> None:
    host, held = Host(), [{7}, {3, 4}, {3}]
    beside = Cpus("web", host.take, host.queues, lambda _: frozenset(held.pop(0)), host.clock)
    beside.look(NOTHING)
    after(beside, answer())
    after(beside, answer())
    assert host.looks == [{7}, {3, 4, 7}, {3, 4}]


def test_who_holds_sockets_is_told_by_a_capture() -> None:
    with socket.socket() as mine, Reader(source="netlink") as reader:
        mine.bind(("127.0.0.1", 0))
        mine.listen()
        assert os.getpid() in holders(reader.take())
