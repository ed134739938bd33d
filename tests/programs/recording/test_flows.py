# SPDX-License-Identifier: Apache-2.0
"""Recorded sockets with packets and lives made by hand, as they are kept."""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from typing import Any

from tests.live.test_packets import AROUND, HELD, MINE, seen
from tests.sources.test_lifecycle import LAST_ACK, NETNS, end
from tests.sources.test_traffic import RECEIVED, THEM, US
from tests.test_live import capture

from fleutan.lake.kinds_host import HOST
from fleutan.linux.lifecycle import BY_CONNECT
from fleutan.linux.traffic import RX
from fleutan.programs.recording.flows import Flows
from fleutan.sources.capture import Capture
from fleutan.sources.counting import Counted
from fleutan.sources.traffic import Place
from fleutan.table import Table

SECOND = 10**9
Row = dict[str, Any]


def sockets(seconds: int) -> Capture:
    return capture("tcp", "udp", seconds=seconds, holders=HELD)


def kept(counted: Counted | None, before: Capture | None = None, after: Capture | None = None) -> Table:
    """What is kept of two seconds."""
    before, after = before or sockets(0), after or sockets(2)
    question = Flows()
    question.look(before)
    return question.answer(after, before, counted)


def rows(counted: Counted | None) -> list[Row]:
    return [
        {field.name: row[field.key] for field in table.fields()} for table in [kept(counted)] for row in table.rows()
    ]


def test_a_flow_with_packets_is_kept_with_its_owner_and_time_and_idle_ones_are_not() -> None:
    back = {**MINE, "sport": MINE["dport"], "dport": MINE["sport"], "cookie": 0, "direction": RX}
    (row,) = rows(seen(MINE, {**MINE, "cpu": 1}, back))
    assert (row["time"], row["interval"]) == (10**18, 2_000_000)
    assert (row["sport"], row["dport"], row["tx_packets"], row["rx_packets"]) == (44872, 60761, 3, 3)
    assert (row["pid"], row["state"], row["netns"], row["change"]) == (os.getpid(), "established", "host", None)
    assert row["comm"]
    assert row["forwarded"] is False
    assert (row["bytes_sent"], row["retrans"]) == (0, 0), "counters are what the interval added"
    assert row["rtt"] > 0
    assert row["limit"] == "idle"


def test_the_table_has_the_fields_of_its_kind() -> None:
    for counted in (seen(MINE), seen(), None):
        table = kept(counted)
        assert (table.kind, tuple(table.columns)) == ("flows", HOST["flows"])
        assert len(table) == (counted is not None and counted.counts.rows)


def test_a_row_says_when_its_first_packet_came_and_its_last() -> None:
    first = seen(MINE)
    later = seen({**MINE, "cpu": 1})
    counts = first.counts._replace(
        keys=bytes(first.counts.keys) + bytes(later.counts.keys),
        # struct counts: packets, bytes, wire_bytes, segments, first_ns, first_tick, last_tick
        values=struct.pack("=5q2I", 1, 1, 1, 1, 5_000, 3, 3) + struct.pack("=5q2I", 1, 1, 1, 1, 9_000, 3, 3),
    )
    (row,) = rows(first._replace(counts=counts))
    assert (row["first_seen"], row["last_seen"]) == (counts.wall_ns + 5_000, counts.wall_ns + 9_000)


def test_a_flow_is_of_the_device_that_most_of_its_packets_went_by() -> None:
    (row,) = rows(seen({**MINE, "ifindex": 1}, {**MINE, "ifindex": 2}))
    assert row["dev"] == "eth0"


def test_a_packet_that_is_counted_at_a_device_above_is_that_ones() -> None:
    above = Place("host", {1: "lo", 2: "eth0", 3: "bond0"}, AROUND[NETNS].addresses, {2: frozenset({3})})
    counted = seen({**MINE, "ifindex": 3}, {**MINE, "ifindex": 2})._replace(places={NETNS: above})
    (row,) = list(kept(counted).rows())
    assert (row["dev"], row["tx_packets"]) == ("bond0", 1)


def test_a_connection_that_came_and_went_is_kept_with_whose_it_was() -> None:
    gone = end(LAST_ACK, by=BY_CONNECT, pid=1 << 22, comm=b"curl", begun=1)
    table = kept(seen({"cookie": 1, "sport": 1000, "dport": 80}, ends=(gone,)))
    (row,) = table.rows()
    assert (row["cookie"], row["change"], row["state"], row["bytes_sent"]) == (1, "brief", "close", 100)
    assert (row["pid"], row["comm"]) == (1 << 22, "curl")
    assert row["limit"] is None
    assert table.related["lifecycle"].column("cookie").objects() == [1]
    assert len(table.related["traffic"]) == 1


def test_what_only_packets_tell_of_is_kept_too() -> None:
    found = [(row["proto"], row["src"], row["dst"], row["state"]) for row in rows(seen({**RECEIVED, "proto": 17}))]
    assert found == [("udp", US, THEM, None)]


def test_what_is_forwarded_is_marked() -> None:
    strangers = {"src": "203.0.113.1", "dst": "203.0.113.2", "sport": 1, "dport": 2, "proto": 17}
    assert [row["forwarded"] for row in rows(seen(strangers))] == [True]


def test_where_nothing_is_counted_flows_that_came_or_went_or_moved_are_kept() -> None:
    came = kept(None, before=capture("udp", holders=HELD))
    assert set(came.column("change").objects()) == {"appeared"}
    assert 0 not in came.column("dport").objects(), "who listens is no flow"
    assert set(came.column("tx_bytes").objects()) == {None}
    went = kept(None, after=capture("udp", seconds=2, holders=HELD))
    assert set(went.column("change").objects()) == {"vanished"}


def test_what_was_read_is_let_go() -> None:
    question, before = Flows(), sockets(0)
    question.look(before)
    assert before.namespaces[0].dumps == []
    assert before.holders is None
    for seconds in (2, 4):
        question.look(sockets(seconds))
    assert [table.reading.at_ns - 10**18 for table in question.between] == [2 * SECOND, 4 * SECOND]


def test_the_interval_is_of_a_clock_that_nobody_sets() -> None:
    set_back = replace(sockets(2), at_ns=10**18 - 5 * SECOND)
    (row,) = kept(seen(MINE), after=set_back).rows()
    assert (row["time_ns"], row["interval_us"]) == (10**18 - 7 * SECOND, 2_000_000)
