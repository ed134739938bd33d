# SPDX-License-Identifier: Apache-2.0
"""Queues beside an answer, from looks made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fleutan.column import Column, text_column
from fleutan.linux.cpus import Times
from fleutan.linux.namespaces import Namespace
from fleutan.linux.qdiscs import TC_H_ROOT, Qdisc
from fleutan.linux.queues import Device, Queue
from fleutan.live.queues import Queues, host_of, once
from fleutan.sources import cpus, queues
from fleutan.sources.capture import Capture
from fleutan.sources.queues import Space
from fleutan.table import Reading, Table

HOST = Namespace(7, "host", "/proc/1/ns/net")
ETH0 = Device("eth0", 2, None, None, (Queue("rx", 0, "", 0), *(Queue("tx", n, None, None, "", "") for n in (0, 1))))
CAPTURE = Capture(0, 0, [], None, "sock_diag", [])
CPUS = cpus.Snapshot(1, 1, 1, dict.fromkeys((0, 1), Times(*[0] * 8)), {}, [], {0: 0}, ())


def look(sent: int, steady_ns: int, *notes: str) -> queues.Snapshot:
    root = Qdisc(2, "qdisc", "fq_codel", 0x10000, TC_H_ROOT, sent, 1, 0, 0, 0, 0, 0, {})
    return queues.Snapshot(5, steady_ns, (Space(HOST, {2: "eth0"}, (root,), (ETH0,), {}),), (), notes)


def whole(*values: int) -> Column:
    return Column(np.array(values, np.int64))


def traffic(*packets: int) -> Table:
    """Flows of so many packets, sent by CPU 0 through queue 0."""
    rows = len(packets)
    columns = {
        **{
            name: text_column([word] * rows) for name, word in (("netns", "host"), ("dev", "eth0"), ("direction", "tx"))
        },
        **{name: whole(*[0] * rows) for name in ("queue", "cpu", "netns_inode", "cookie", "dport")},
        "proto": text_column(["tcp"] * rows),
        "sport": whole(*range(rows)),
        **{name: whole(*packets) for name in ("bytes", "packets", "segments")},
    }
    return Table("traffic", columns)


def answer(counted: Table | None = None) -> Table:
    related = {} if counted is None else {"traffic": counted}
    return Table("flows", {"sport": whole(1)}, Reading("mine", notes=("a note",)), related)


def asked(*looks: queues.Snapshot) -> Queues:
    left = list(looks)
    return Queues("web", lambda netns: left.pop(0) if netns == "web" else look(0, 0), lambda: CPUS)


def after(beside: Queues, found: Table) -> Table:
    """What a round says."""
    beside.look(CAPTURE)
    return beside.joined(found)


def objects(table: Table, name: str) -> list[Any]:
    return table.columns[name].objects()


def test_each_round_is_of_the_time_since_the_one_before() -> None:
    beside = asked(look(10, 0), look(30, 2), look(100, 5, "some of it changed"))
    beside.look(CAPTURE)
    first = after(beside, answer())
    second = after(beside, answer())
    assert objects(first.related["qdiscs"], "qdisc_bytes") == [20]
    assert objects(second.related["qdiscs"], "qdisc_bytes") == [70]
    assert [table.related["qdiscs"].reading.interval_ns for table in (first, second)] == [2, 3]
    assert second.reading.notes == ("a note", "some of it changed")
    assert (first.reading.host, objects(first, "sport")) == ("mine", [1])


def test_without_counted_packets_there_are_no_volumes() -> None:
    beside = asked(look(10, 0), look(30, 2))
    beside.look(CAPTURE)
    found = after(beside, answer()).related
    assert set(found) == {"queues", "qdiscs"}
    assert "bytes" not in found["queues"]


def test_counted_packets_give_loads_volumes_and_advice() -> None:
    beside = asked(look(10, 0), look(30, 2))
    beside.look(CAPTURE)
    found = after(beside, answer(traffic(3000, 2000))).related
    assert objects(found["queues"], "packets") == [0, 5000, 0]
    assert objects(found["volumes"], "packets") == [2000, 3000]
    assert objects(found["advice"], "remedy") == ["tc qdisc replace dev eth0 root mq"]
    assert objects(found["advice"], "advice") == ["all 2 tx queues of eth0 wait behind one fq_codel and its lock"]


def test_the_time_passes_as_it_is_told_to() -> None:
    waited: list[float] = []
    asked().wait(2.5, waited.append)
    assert waited == [2.5]


def test_a_host_is_its_online_cpus_and_their_nodes() -> None:
    host = host_of(replace(CPUS, rps_sock_flow_entries=64))
    assert (host.nodes, host.rps_sock_flow_entries) == ({0: 0, 1: None}, 64)


def test_a_packet_that_stands_at_two_devices_counts_once() -> None:
    both = traffic(5, 7).with_columns({"counted_above": Column(np.array([True, False]))})
    assert objects(once(both), "packets") == [7]


def test_this_host_has_queues() -> None:
    beside = Queues()
    beside.look(CAPTURE)
    found = after(beside, answer(traffic(1).with_columns({"dev": text_column(["lo"])}))).related
    assert "lo" in objects(found["queues"], "dev")
