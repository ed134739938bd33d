# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.exporting import flows

from fleutan.programs.agent.outputs.flowtable import ACTIVE, FORCED, IDLE, NO_ROOM, FlowTable
from fleutan.records import Records, concatenate

HOSTS = ["10.0.0.1", "10.0.0.2", "2001:db8::1"]
#: Flow (its port), packets, octets, TCP flags, and when.
PACKET = st.tuples(
    st.integers(0, 9), st.integers(1, 1000), st.integers(0, 10**6), st.integers(0, 63), st.integers(1, 99)
)


def packets(*rows: tuple[int, int, int, int, int], **more: Any) -> Records:
    port, many, octets, flags, end = (list(column) for column in zip(*rows, strict=True))
    columns: dict[str, Any] = {"src": [HOSTS[one % 3] for one in port], "dst": ["10.0.0.9"] * len(rows)}
    columns |= {"proto": [6] * len(rows), "sport": port, "packets": many, "bytes": octets}
    return flows(**columns, tcp_flags=flags, end=end, **more)


def summed(found: list[Records]) -> dict[int, tuple[int, ...]]:
    """What of each flow was told, all its records together."""
    sums: dict[int, tuple[int, ...]] = defaultdict(lambda: (0, 0, 0, 1 << 62, 0))
    for one in found:
        names = ("sport", "packets", "bytes", "tcp_flags", "start", "end")
        for port, many, octets, flags, start, end in zip(*(one.values[n].tolist() for n in names), strict=True):
            before = sums[port]
            times = min(before[3], start), max(before[4], end)
            sums[port] = (before[0] + many, before[1] + octets, before[2] | flags, *times)
    return dict(sums)


@given(st.lists(st.lists(PACKET, min_size=1, max_size=12), max_size=6), st.integers(1, 12))
def test_nothing_is_lost_or_told_twice_however_little_room_there_is(
    batches: list[list[tuple[int, int, int, int, int]]], most: int
) -> None:
    table, told, expected = FlowTable(active=3.0, idle=2.0, most=most), list[Records](), list[Records]()
    for now, rows in enumerate(batches):
        one = packets(*rows)
        early = table.add(one, float(now))
        assert all(set(part.values["end_reason"].tolist()) == {NO_ROOM} for part in early)
        assert len(table) <= most
        told += [*early, table.due(float(now))]
        one.values["start"] = one.values["end"]
        expected.append(one)
    told.append(table.rest())
    assert len(table) == 0
    assert summed(told) == summed(expected)
    if most >= 10:
        assert all(NO_ROOM not in part.values["end_reason"] for part in told)


def test_flows_are_told_when_they_are_idle_and_when_they_go_on_for_long() -> None:
    table = FlowTable(active=10.0, idle=4.0)
    table.add(packets((1, 1, 100, 2, 50), (2, 1, 100, 2, 50)), 0.0)
    for now in range(1, 10):
        table.add(packets((2, 1, 100, 16, 50 + now)), float(now))
        due = table.due(float(now))
        assert due.values["sport"].tolist() == ([1] if now == 4 else [])
        assert due.values["end_reason"].tolist() == ([IDLE] if now == 4 else [])
    due = table.due(10.0)
    told = [due.values[name].tolist() for name in ("sport", "packets", "tcp_flags", "start", "end", "end_reason")]
    assert told == [[2], [10], [18], [50], [59], [ACTIVE]]
    table.add(packets((2, 7, 700, 1, 70)), 11.0)
    assert table.due(12.0).rows == 0
    assert table.rest().values["end_reason"].tolist() == [FORCED]


def test_what_was_seen_longest_ago_makes_room() -> None:
    table = FlowTable(most=4)
    for now in range(4):
        assert table.add(packets((now, 1, 1, 0, 1)), float(now)) == []
    table.add(packets((0, 1, 1, 0, 1)), 4.0)
    (early,) = table.add(packets((8, 1, 1, 0, 1)), 5.0)
    assert early.values["sport"].tolist() == [1]
    assert sorted(table.rest().values["sport"].tolist()) == [0, 2, 3, 8]


def test_what_is_not_known_tells_flows_apart_and_stays_unknown() -> None:
    table = FlowTable()
    rows = [(5, 1, 10, 0, 1)] * 4
    table.add(packets(*rows, in_if=[None, 0, 7, 7], direction=[0, 0, 0, 1], icmp=[None, 3, None, None]), 0.0)
    found = table.rest()
    assert found.rows == 4
    assert sorted(zip(found.values["in_if"][found.known["in_if"]].tolist(), strict=True)) == [(0,), (7,), (7,)]
    assert int(found.known["icmp"].sum()) == 1
    assert not found.known["vlan"].any()


def test_a_flow_has_the_owner_that_its_last_packet_knows_and_flags_are_of_tcp() -> None:
    table = FlowTable()
    one = packets(*[(5, 1, 10, 2, 1)] * 3, pid=[70, 71, None], rtt=[None, None, None])
    one.values["comm"], one.known["comm"] = np.array([b"old", b"curl", b""]), one.known["pid"]
    two = packets((6, 1, 10, 2, 1))
    two.values["proto"][:] = 17
    table.add(concatenate([one, two]), 0.0)
    found = table.rest()
    (at,), (other,) = (np.flatnonzero(found.values["sport"] == port) for port in (5, 6))
    assert (found.values["pid"][at], found.values["comm"][at]) == (71, b"curl")
    assert [bool(found.known[name][at]) for name in ("pid", "comm", "unit", "rtt", "tcp_flags")] == [1, 1, 1, 0, 1]
    assert [bool(found.known[name][other]) for name in ("pid", "comm", "tcp_flags")] == [0, 0, 0]
    # Where a flow stood another one begins, which knows nothing of it.
    table.add(packets((5, 1, 10, 2, 9)), 1.0)
    again = table.rest()
    assert (again.values["packets"].tolist(), again.values["start"].tolist()) == ([1], [9])
    assert not again.known["pid"].any()
    assert again.values["comm"].tolist() == [b""]
