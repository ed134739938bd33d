# SPDX-License-Identifier: Apache-2.0
"""Recorded sockets with packets and lives made by hand."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.sources.test_lifecycle import ESTABLISHED, LAST_ACK, NETNS, NOTHING_LOST, end, lives, record
from tests.sources.test_traffic import PLACES, RECEIVED, THEM, US, counted
from tests.sources.test_users import noticed, used
from tests.test_live import capture

from fleutan.analysis.rates import Interval
from fleutan.analysis.traffic import FIELDS
from fleutan.column import Column
from fleutan.errors import UsageError
from fleutan.linux.lifecycle import BY_CONNECT, Lost
from fleutan.linux.namespaces import Namespace
from fleutan.linux.proc import Holders
from fleutan.linux.traffic import RX
from fleutan.linux.users import Noticed
from fleutan.live import Asked, Question
from fleutan.live.packets import Packets, compare
from fleutan.sources import flows
from fleutan.sources.capture import Capture, NamespaceDump
from fleutan.sources.counting import Counted
from fleutan.sources.traffic import Place
from fleutan.table import Table

Row = dict[str, Any]
OTHER = 4026532001
AROUND = {NETNS: Place("host", {1: "lo", 2: "eth0"}, PLACES[next(iter(PLACES))].addresses)}
#: A recorded connection of this host with itself, by the end that connected.
MINE: Row = {"netns": NETNS, "src": US, "dst": US, "sport": 44872, "dport": 60761, "cookie": 2308670}
#: What this process held when the sockets were recorded.
HELD = Holders([os.getpid()], [8245889], 0)
BEFORE, AFTER = (capture("tcp", "udp", seconds=seconds, holders=HELD) for seconds in (0, 2))


def seen(
    *packets: Mapping[str, Any],
    ends: tuple[bytes, ...] = (),
    lost: Lost = NOTHING_LOST,
    missed: int = 0,
    users: Noticed | None = None,
) -> Counted:
    """A reading with packets of 1, 2, 3 ..., what ended, and who used sockets."""
    rows = [{"netns": NETNS, **row} for row in packets]
    return Counted(counted(*rows, missed=missed), lives(*ends, lost=lost), AROUND, users)


def compared(
    counts: Counted, earlier: Capture = BEFORE, later: Capture = AFTER, wanted: Collection[str] = ("pids", "comm")
) -> tuple[Interval, Packets]:
    before, after = (flows.table(part, wanted, "mine") for part in (earlier, later))
    return compare(before, after, counts, later, wanted)[:2]


def moving(table: Table, *names: str) -> list[tuple[Any, ...]]:
    """Of the flows with packets what is asked."""
    rows = [row for row in table.rows() if row["tx_packets"] or row["rx_packets"]]
    return [tuple(row[name] for name in names) for row in rows]


# -- compared


def test_packets_are_of_the_flows_that_were_read() -> None:
    back = {**MINE, "sport": MINE["dport"], "dport": MINE["sport"], "cookie": 0, "direction": RX}
    interval, packets = compared(seen(MINE, {**MINE, "cpu": 1}, back))
    names = ("sport", "dport", "tx_packets", "rx_packets", "change", "pids", "state")
    assert moving(interval.flows, *names) == [(44872, 60761, 3, 3, None, (os.getpid(),), "established")]
    assert len(set(packets.flows.tolist())) == 1
    assert packets.table.column("pids").objects() == [(os.getpid(),)] * 3
    assert packets.table.column("owner_by").objects() == ["holder"] * 3
    assert interval.deltas.kind == "deltas"
    for name in FIELDS:
        assert interval.deltas.column(name).objects() == interval.flows.column(name).objects()


def test_a_connection_that_came_and_went_is_a_flow_with_its_packets_and_owner() -> None:
    packet = {"cookie": 1, "sport": 1000, "dport": 80}
    gone = end(LAST_ACK, by=BY_CONNECT, pid=os.getpid(), comm=b"curl", begun=1)
    interval, packets = compared(seen(packet, ends=(gone,)), wanted=("pids", "bytes_sent"))
    ((cookie, change, sent, state, pids, segments),) = moving(
        interval.flows, "cookie", "change", "bytes_sent", "state", "pids", "tx_segments"
    )
    assert (cookie, change, sent, state, segments) == (1, "brief", 100, "close", 1)
    assert pids == (os.getpid(),)
    assert packets.table.column("pids").objects() == [(os.getpid(),)], "packets know it from the life"
    assert packets.flows.tolist() == [len(flows.table(AFTER, ()))]


def test_a_connection_that_ended_without_a_call_is_of_who_held_it_before() -> None:
    gone = end(LAST_ACK, cookie=MINE["cookie"], src=US, dst=US, sport=MINE["sport"], dport=MINE["dport"])
    interval, packets = compared(seen(MINE, ends=(gone,)), later=capture("udp", seconds=2))
    names = ("cookie", "change", "state", "pids", "tx_packets")
    assert moving(interval.flows, *names) == [(MINE["cookie"], "vanished", "close", (os.getpid(),), 1)]
    assert packets.table.column("pids").objects() == [(os.getpid(),)]


#: A question and its answer by a socket that neither reading has.
ASKED: Row = {"proto": 17, "cookie": 7, "sport": 1024, "dport": 53}
ANSWERED: Row = {**RECEIVED, "proto": 17}


def test_a_socket_that_neither_reading_has_is_of_who_used_it_also_after_its_end() -> None:
    gone, alive = used(7, pid=1 << 22, comm=b"dig"), used(8, pid=os.getpid())
    other = {**ASKED, "cookie": 8, "sport": 1025}
    interval, packets = compared(seen(ASKED, ANSWERED, other, users=noticed(gone, alive)))
    found = moving(interval.flows, "sport", "pids", "comm", "tx_packets", "rx_packets")
    comm = Path("/proc/self/comm").read_text().strip()
    assert sorted(found) == [(1024, (1 << 22,), "dig", 1, 2), (1025, (os.getpid(),), comm, 3, 0)]
    assert packets.table.column("owner_by").objects() == ["holder"] * 3
    without, _ = compared(seen(ASKED, ANSWERED, other))
    assert moving(without.flows, "pids", "comm") == [(None, None)] * 2


def test_a_socket_that_a_reading_has_is_of_who_holds_it_whoever_used_it() -> None:
    interval, packets = compared(seen(MINE, users=noticed(used(MINE["cookie"], pid=1))))
    assert moving(interval.flows, "pids") == [((os.getpid(),),)]
    assert packets.table.column("pids").objects() == [(os.getpid(),)]


def test_a_connection_that_is_still_open_is_no_end() -> None:
    interval, _ = compared(seen(ends=(record(old=ESTABLISHED, begun=1),)))
    assert len(interval.flows) == len(flows.table(AFTER, ()))


def test_what_only_packets_tell_of_is_a_flow_too() -> None:
    interval, _ = compared(seen({"proto": 47}, {**RECEIVED, "proto": 17}))
    found = moving(interval.flows, "proto", "src", "dst", "state", "change", "tx_packets", "rx_packets")
    assert sorted(found) == [("gre", US, THEM, None, None, 1, 0), ("udp", US, THEM, None, None, 0, 2)]


def test_owners_keep_their_numbers_apart() -> None:
    gone = end(LAST_ACK, by=BY_CONNECT, pid=1, begun=1)
    interval, _ = compared(seen(MINE, ends=(gone,)))
    relation = list(interval.flows.related["owners"].rows())
    pids = {
        row["cookie"]: {each["pid"] for each in relation if each["owner"] == row["owner"]} for row in owned(interval)
    }
    assert pids == {MINE["cookie"]: {os.getpid()}, 1: {1}}


def owned(interval: Interval) -> list[Row]:
    return [row for row in interval.flows.rows() if row["owner"] is not None]


@pytest.mark.parametrize(("every", "found"), [(False, {NETNS}), (True, {NETNS, OTHER, None})])
def test_other_namespaces_are_left_out_unless_all_are_meant(every: bool, found: set[int | None]) -> None:
    counts = seen(MINE, {"netns": OTHER}, {"netns": 0, "kind": 3}, ends=(end(LAST_ACK),))
    later = replace(AFTER, every=every)
    interval, packets = compared(counts, later=later)
    assert set(packets.table.column("netns_inode").objects()) == found
    assert set(interval.flows.column("netns_inode").objects()) == found
    assert len(packets.flows) == len(packets.table) == len(found)
    elsewhere = replace(AFTER, namespaces=[NamespaceDump(Namespace(OTHER, "other", "/there"), {})])
    interval, packets = compared(counts, elsewhere, elsewhere)
    assert interval.flows.column("netns_inode").objects() == [OTHER], "what ended is left out as well"


def test_the_answer_says_what_was_read_and_what_is_lacking() -> None:
    earlier, later = replace(BEFORE, notes=["old"]), replace(AFTER, notes=["new"])
    interval, _ = compared(seen(missed=4, lost=Lost(0, 3, *bytes(7))), earlier, later)
    reading = interval.flows.reading
    assert interval.deltas.reading == reading
    assert reading.source == "a test; packets: net_dev_start_xmit, netif_receive_skb, inet_sock_set_state"
    new, missed, lost = reading.notes
    assert (new, missed.split()[0]) == ("new", "4")
    assert "3 ends" in lost
    with_users, _ = compared(seen(users=noticed(pushed_out=5)))
    assert with_users.flows.reading.source == f"{reading.source}, sock_send_length, sock_recv_length"
    (pushed_out,) = with_users.flows.reading.notes
    assert "5 sockets" in pushed_out
    assert (reading.host, reading.interval_ns) == ("mine", 2 * 10**9)


def test_names_are_those_of_the_time_of_the_reading() -> None:
    _, packets = compared(seen({"ifindex": 2}, {"ifindex": 9}))
    assert packets.table.column("dev").objects() == ["eth0", "if9"]


# -- the packets of some flows


def chosen(*rows: bool) -> Packets:
    table = Table("traffic", {"packets": Column(np.arange(5))})
    return Packets(table, np.array([2, 0, 2, 1, 3])).of(np.array(rows))


def test_the_packets_of_some_flows_refer_to_those() -> None:
    found = chosen(False, True, True, False)
    assert found.table.column("packets").objects() == [0, 2, 3]
    assert found.flows.tolist() == [1, 1, 0]
    assert len(chosen(False, False, False, False).table) == 0
    assert chosen(True, True, True, True).flows.tolist() == [2, 0, 2, 1, 3]


def test_packets_are_told_what_only_their_flow_knows() -> None:
    known = Table("flows", {"bdp": Column(np.array([70, 80]), np.array([True, False]))})
    assert chosen(False, True, True, False).told(known).column("bdp").objects() == [None, None, 70]
    assert "bdp" not in chosen(True, True, True, True).told(Table("flows", {}))


# -- asked


def asked(question: Question, counts: Counted | None, before: Capture = BEFORE, after: Capture = AFTER) -> Table:
    return Asked(question).answer(after, before, counts)


MOVED = Question(fields=("cookie", "tx_packets", "rx_bytes", "change"))


@pytest.mark.parametrize(
    ("question", "counts"),
    [
        (MOVED, True),
        (Question("tx_bytes > 0"), True),
        (Question(also=("rx_segments > 0",)), True),
        (Question("rtt > 0", fields=("bytes_sent", "tx_rate")), False),
    ],
)
def test_a_question_that_names_packets_has_them_counted(question: Question, counts: bool) -> None:
    assert Asked(question).counts is counts


@pytest.mark.parametrize("filter_", ["tx_bytes > 0", "tx_bytes > 0 and bdp > 0"])
def test_a_filter_by_packets_needs_an_interval(filter_: str) -> None:
    with pytest.raises(UsageError, match="tx_bytes is only known over an interval"):
        Asked(Question(filter_)).answer(AFTER)
    Asked(MOVED).require_interval()


def test_flows_that_are_not_connected_are_meant_where_they_moved() -> None:
    packet, quiet = {"cookie": 1, "sport": 1000, "dport": 80}, end(LAST_ACK, cookie=2, sport=5, begun=1)
    found = asked(MOVED, seen(packet, MINE, ends=(end(LAST_ACK, begun=1), quiet)))
    plain = Asked(MOVED).answer(AFTER)
    assert len(found) == len(plain) + 1
    assert moving(found, "cookie", "tx_packets", "change") == [(MINE["cookie"], 2, None), (1, 1, "brief")]
    every = asked(replace(MOVED, states="all"), seen(packet, ends=(end(LAST_ACK, begun=1), quiet)))
    assert every.column("change").objects().count("brief") == 2


def test_what_is_told_is_related_to_what_is_meant() -> None:
    """The flows by a filter, and of the packets theirs, with the flow's ``bdp``."""
    question = Question(f"sport = {MINE['sport']}", fields=("tx_packets", "bdp"))
    found = asked(question, seen({"sport": 7}, MINE, {**MINE, "cpu": 1}))
    assert (len(found), found.column("tx_packets").objects()) == (1, [5])
    told = found.related["traffic"]
    assert told.column("packets").objects() == [2, 3]
    assert told.column("bdp").objects() == found.column("bdp").objects() * 2
    assert "owners" in found.related


def test_flows_can_be_filtered_by_their_packets_and_owners() -> None:
    counts = seen(MINE, {"sport": 7})
    assert asked(Question("tx_packets > 1"), counts).column("sport").objects() == [7]
    owner = Question(f"pid {os.getpid()} and tx_packets > 0")
    assert asked(owner, counts).column("sport").objects() == [MINE["sport"]]


def test_rates_are_of_the_same_interval() -> None:
    gone = end(LAST_ACK, begun=1)  # it sent 100 bytes in the two seconds
    question = Question(fields=("tx_rate", "tx_packets"), states="all")
    assert asked(question, seen(ends=(gone,)), capture(), capture(seconds=2)).column("tx_rate").objects() == [400]


def test_what_was_not_counted_is_unknown() -> None:
    found = asked(MOVED, None)
    assert set(found.column("tx_packets").objects()) == {None}
    assert "traffic" not in found.related
    assert len(found) == len(Asked(MOVED).answer(AFTER))
    alone = Asked(replace(MOVED, fields=FIELDS)).answer(AFTER)
    assert {value for name in FIELDS for value in alone.column(name).objects()} == {None}


def test_owners_that_may_not_be_read_are_said_of_what_is_meant() -> None:
    blind = replace(AFTER, holders=Holders([], [], 3), unreadable="3 processes")
    found = asked(MOVED, seen(MINE), after=blind)
    assert "no known owner" in found.reading.notes[-1]
