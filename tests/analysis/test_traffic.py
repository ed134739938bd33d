# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.analysis.traffic import COUNTERS, DIRECTIONS, FIELDS, FLOW, Joined, is_counted, join, moved
from fleutan.column import Column, text_column
from fleutan.fields import TRAFFIC
from fleutan.table import Reading, Table

Row = dict[str, Any]

ENDS: Row = {"netns_inode": 1, "proto": "tcp", "src": 1, "sport": 1000, "dst": 2, "dport": 80, "cookie": None}
PACKET: Row = ENDS | {"direction": "tx", "packets": 1, "bytes": 100, "segments": 1, "skb_bytes": 90, "cpu": 0}


def whole(values: Sequence[int | None]) -> Column:
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.array([value or 0 for value in values], np.int64), None if known.all() else known)


def columns(rows: Sequence[Row], standard: Row) -> dict[str, Column]:
    """``src`` and ``dst`` are the last octet of an address."""
    said = [standard | row for row in rows]
    found = {}
    for name, value in standard.items():
        values = [row[name] for row in said]
        if isinstance(value, str):
            found[name] = text_column(values)
        elif name in ("src", "dst"):
            halves = [[0, 0xFFFF << 32 | octet] for octet in values]
            found[name] = Column(np.array(halves, np.int64).reshape(-1, 2))
        else:
            found[name] = whole(values)
    return found


def flows(*rows: Row, **more: Any) -> Table:
    """Flows; ``more`` are fields of all of them and what they are where a row does not say it."""
    return Table("flows", columns(rows, ENDS | more), Reading("mine", interval_ns=5))


def traffic(*rows: Row, **more: Any) -> Table:
    above = np.array([row.get("counted_above", False) for row in rows], np.bool_)
    plain = [{name: value for name, value in row.items() if name != "counted_above"} for row in rows]
    return Table("traffic", {**columns(plain, PACKET | more), "counted_above": Column(above)}, Reading("theirs"))


def joined(known: Table, packets: Table) -> Joined:
    return join(known, known, packets)


def objects(table: Table, *names: str) -> list[Any]:
    found = [table.columns[name].objects() for name in names]
    return found[0] if len(found) == 1 else list(zip(*found, strict=True))


# -- whose packets they are


def test_packets_are_of_the_flow_with_their_ends_in_both_directions() -> None:
    packets = traffic(
        {"packets": 2, "bytes": 200, "segments": 4, "skb_bytes": 190},
        {"packets": 3, "bytes": 300, "segments": 5, "skb_bytes": 280, "cpu": 1},
        {"direction": "rx", "packets": 7, "bytes": 700, "segments": 8, "skb_bytes": 690},
    )
    found = joined(flows({"sport": 9}, {}), packets)
    assert found.rows.tolist() == [1, 1, 1]
    nothing, all_of_it = found.flows.rows()
    assert {nothing[name] for name in FIELDS} == {0}
    assert [all_of_it[name] for name in FIELDS] == [500, 700, 5, 7, 9, 8, 470, 690]


def test_the_fields_are_those_of_the_catalogue() -> None:
    assert set(FIELDS) == set(TRAFFIC)


def test_every_part_of_the_ends_tells_flows_apart() -> None:
    others: list[Row] = [{"netns_inode": 2}, {"proto": "udp"}, {"src": 9}, {"sport": 9}, {"dst": 9}, {"dport": 9}]
    assert [next(iter(other)) for other in others] == list(FLOW)
    found = joined(flows({}), traffic({}, *others))
    assert found.rows[0] == 0
    assert sorted(found.rows[1:].tolist()) == [1, 2, 3, 4, 5, 6]


def test_of_several_flows_with_these_ends_it_is_that_of_the_socket() -> None:
    known = flows({"cookie": 5}, {"cookie": 6}, {"cookie": 7})
    found = joined(known, traffic({"cookie": 6}, {"cookie": 7}, {}, {"cookie": 8}))
    assert found.rows.tolist() == [1, 2, 0, 0], "without a socket among them it is the first"


def test_after_address_translation_it_is_the_flow_of_the_socket() -> None:
    known = flows({"cookie": 5}, {"cookie": 6, "sport": 2})
    translated = traffic({"cookie": 6, "dst": 77, "dport": 8080}, {"cookie": 6, "netns_inode": 2})
    found = joined(known, translated)
    assert found.rows.tolist() == [1, 2], "cookies are of a namespace"


def test_a_socket_without_a_peer_has_a_flow_for_each_peer() -> None:
    known = flows({"proto": "udp", "cookie": 5, "src": 0, "dst": 0, "dport": 0}, change="old")
    packets = traffic(
        {"proto": "udp", "cookie": 5, "dst": 9, "bytes": 1},
        {"proto": "udp", "cookie": 5, "dst": 8, "bytes": 2},
        {"proto": "udp", "cookie": 5, "dst": 9, "bytes": 4, "direction": "rx"},
    )
    found = joined(known, packets)
    assert found.rows.tolist() == [2, 1, 2]
    assert objects(found.flows, "tx_bytes", "rx_bytes") == [(0, 0), (2, 0), (1, 4)]
    assert objects(found.flows, "cookie", "change") == [(5, "old"), (5, None), (5, None)]


def test_a_flow_whose_socket_is_not_known_has_its_packets_by_the_ends_alone() -> None:
    assert joined(flows({"cookie": None}), traffic({"cookie": 4})).rows.tolist() == [0]
    assert joined(flows({"cookie": None, "sport": 9}), traffic({})).rows.tolist() == [1]


# -- what is summed


def test_a_packet_that_stands_at_two_devices_counts_once_but_keeps_its_rows() -> None:
    packets = traffic({"counted_above": True}, {"packets": 4}, {"sport": 5, "counted_above": True})
    found = joined(flows({}), packets)
    assert found.rows.tolist() == [0, 0, 1]
    assert objects(found.flows, "tx_packets") == [4, 0]


def test_differences_have_the_same_rows_and_figures() -> None:
    known, deltas = flows({}, bytes_sent=500), flows({}, bytes_sent=3)
    found = join(known, deltas, traffic({}, {"sport": 5}))
    assert objects(found.flows, "bytes_sent") == [500, None]
    assert objects(found.deltas, "bytes_sent") == [3, None]
    for name in FIELDS:
        assert objects(found.flows, name) == objects(found.deltas, name)
    assert {found.flows.reading, found.deltas.reading} == {known.reading}


def test_a_flow_that_only_packets_told_of_has_what_they_say_of_it() -> None:
    found = joined(flows({}, dev="lo", cpu=3), traffic({"proto": "icmp", "dport": 0}, dev="eth0"))
    assert objects(found.flows, "dev", "proto", "dport") == [("lo", "tcp", 80), ("eth0", "icmp", 0)]
    assert objects(found.flows, "cpu") == [3, None], "where packets were is not where a socket receives"


def test_frames_without_ends_are_a_flow_for_each_protocol() -> None:
    nowhere = {"src": None, "sport": None, "dst": None, "dport": None}
    frames = traffic({"proto": "arp"}, {"proto": "lldp"}, {"proto": "arp"}, {"proto": "other", "netns_inode": None})
    none = np.zeros(len(frames), np.bool_)
    unknown = {name: Column(frames.columns[name].values * 0, none) for name in nowhere}
    found = joined(flows({}), frames.with_columns(unknown))
    assert objects(found.flows, "proto", "tx_packets") == [("tcp", 0), ("other", 1), ("arp", 2), ("lldp", 1)]
    assert objects(found.flows, *nowhere)[1:] == [(None,) * 4] * 3


def test_owners_of_flows_that_only_packets_told_of_come_with_them() -> None:
    def owned(table: Table, pid: int) -> Table:
        relation = Table("owners", {"owner": whole([0]), "pid": whole([pid])})
        return Table(table.kind, {**table.columns, "owner": whole([0] * len(table))}, related={"owners": relation})

    found = joined(owned(flows({}), 7), owned(traffic({}, {"sport": 9}), 8)).flows
    assert objects(found, "owner") == [0, 1]
    assert objects(found.related["owners"], "owner", "pid") == [(0, 7), (1, 8)]


def test_nothing_joins_with_nothing() -> None:
    for known, packets, rows in ((flows(), traffic(), []), (flows({}), traffic(), []), (flows(), traffic({}), [0])):
        found = joined(known, packets)
        assert found.rows.tolist() == rows
        assert len(found.flows) == max(len(known), len(packets))
        assert set(found.flows.columns) == {*ENDS, *FIELDS}


# -- which flows moved


def test_what_was_counted_and_what_moved() -> None:
    found = joined(flows({}, {"sport": 9}, {"sport": 8}), traffic({}, {"sport": 8, "direction": "rx"})).flows
    assert is_counted(found)
    assert moved(found).tolist() == [True, False, True]


def test_what_is_unknown_was_not_counted_and_did_not_move() -> None:
    unknown = Column(np.zeros(2, np.int64), np.zeros(2, np.bool_))
    found = flows({}, {}).with_columns(dict.fromkeys(FIELDS, unknown))
    assert not is_counted(found)
    assert not is_counted(flows({}))
    assert moved(found).tolist() == moved(flows({}, {})).tolist() == [False, False]


# -- any flows, any packets

_COOKIES = st.one_of(st.none(), st.integers(1, 3))
_ENDS = {
    "netns_inode": st.integers(1, 2),
    "proto": st.sampled_from(["tcp", "udp"]),
    "src": st.integers(1, 2),
    "sport": st.integers(1, 2),
    "dst": st.integers(1, 2),
    "dport": st.integers(0, 2),
    "cookie": _COOKIES,
}
_COUNTED = _ENDS | {
    "direction": st.sampled_from(DIRECTIONS),
    "counted_above": st.booleans(),
    **{name: st.integers(0, 2**40) for name in ("bytes", "packets", "segments", "skb_bytes")},
}


@given(st.lists(st.fixed_dictionaries(_ENDS), max_size=12), st.lists(st.fixed_dictionaries(_COUNTED), max_size=20))
def test_nothing_is_lost_and_nothing_counts_twice(known: list[Row], counted: list[Row]) -> None:
    before, packets = flows(*known), traffic(*counted)
    found = joined(before, packets)
    assert list(found.flows.rows())[: len(known)] == [
        row | {name: found.flows.columns[name].objects()[at] for name in FIELDS} for at, row in enumerate(before.rows())
    ]
    assert len(found.rows) == len(counted)
    assert all(0 <= row < len(found.flows) for row in found.rows.tolist())
    assert set(range(len(known), len(found.flows))) <= set(found.rows.tolist()), "no flow without a reason"
    for direction in DIRECTIONS:
        once = [row for row in counted if row["direction"] == direction and not row["counted_above"]]
        for counter in COUNTERS:
            sums = objects(found.flows, f"{direction}_{counter}")
            assert sum(sums) == sum(row[counter] for row in once)


@given(st.lists(st.fixed_dictionaries(_ENDS), max_size=12), st.lists(st.fixed_dictionaries(_COUNTED), max_size=20))
def test_against_a_search_for_each_packet(known: list[Row], counted: list[Row]) -> None:
    found = joined(flows(*known), traffic(*counted))
    places: dict[tuple[Any, ...], int] = {}
    for row, packet in zip(found.rows.tolist(), counted, strict=True):
        place = _place(known, packet)
        if place is None:
            ends = tuple(packet[name] for name in FLOW)
            assert places.setdefault(ends, row) == row
        else:
            assert row == place
    assert len(set(places.values())) == len(places) == len(found.flows) - len(known)


def _place(known: list[Row], packet: Row) -> int | None:
    """The flow of a packet by one look at each."""
    same = [at for at, flow in enumerate(known) if all(flow[name] == packet[name] for name in FLOW)]
    of_socket = [
        at
        for at, flow in enumerate(known)
        if packet["cookie"] is not None
        and all(flow[name] == packet[name] for name in ("netns_inode", "proto", "cookie"))
    ]
    choices = [[at for at in same if at in of_socket], same, [at for at in of_socket if known[at]["dport"]]]
    return next((found[0] for found in choices if found), None)
