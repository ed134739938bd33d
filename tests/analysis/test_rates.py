# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.analysis.figures import DELTAS
from fleutan.analysis.rates import CHANGES, FIELDS, NEEDS, RATES, between, compare
from fleutan.column import Column, text_column
from fleutan.fields import BY_NAME
from fleutan.table import Reading, Table

Row = dict[str, Any]
SECOND = 10**9
NUMBERS = ("netns_inode", "cookie", "sport", "rtt", "bytes_sent", "bytes_acked", "segs_out", "retrans", "busy")


def flows(rows: list[Row], at_ns: int = 0) -> Table:
    """``peer`` is the last octet of the remote address; what a row leaves out is unknown."""
    columns = {"proto": text_column([row.get("proto", "tcp") for row in rows])}
    columns["state"] = text_column([row.get("state") for row in rows])
    peers = [[0, 0xFFFF << 32 | row.get("peer", 1)] for row in rows]
    columns["dst"] = Column(np.array(peers, np.int64).reshape(-1, 2))
    for name in NUMBERS:
        values = [row.get(name, 1 if name == "netns_inode" else None) for row in rows]
        columns[name] = Column(
            np.array([value or 0 for value in values], np.int64),
            np.array([value is not None for value in values], np.bool_),
        )
    return Table("flows", columns, Reading("host", "host", at_ns, notes=("a note",)))


def rates_of(before: Row, after: Row, seconds: float = 2) -> Row:
    found = between(flows([before]), flows([after], int(seconds * SECOND)))
    return {name: value for name, value in next(iter(found.rows())).items() if "rate" in name or name == "change"}


def test_rates_are_differences_a_second() -> None:
    before = {"cookie": 5, "bytes_sent": 1000, "bytes_acked": 900, "segs_out": 10, "retrans": 1}
    after = {"cookie": 5, "bytes_sent": 3000, "bytes_acked": 1900, "segs_out": 13, "retrans": 1}
    assert rates_of(before, after) == {
        "change": None,
        "tx_rate_bps": 8000,
        "acked_rate_bps": 4000,
        "rx_rate_bps": None,
        "segs_out_rate_pps": 1.5,
        "segs_in_rate_pps": None,
        "retrans_rate_pps": 0.0,
    }


def test_a_flow_that_appeared_counts_from_zero() -> None:
    found = between(flows([]), flows([{"cookie": 5, "bytes_sent": 1000, "segs_out": 3}], 2 * SECOND))
    assert found.column("change").objects() == ["appeared"]
    assert found.column("tx_rate").objects() == [4000]
    assert found.column("segs_out_rate").objects() == [1.5]
    assert found.column("acked_rate").objects() == [None]


def test_a_flow_that_vanished_is_shown_as_it_was_and_has_no_rates() -> None:
    found = compare(flows([{"cookie": 5, "bytes_sent": 1000, "proto": "sctp"}]), flows([{"cookie": 6}], SECOND))
    assert found.flows.column("cookie").objects() == [6, 5]
    assert found.flows.column("proto").objects() == ["tcp", "sctp"]
    assert found.flows.column("change").objects() == ["appeared", "vanished"]
    assert found.flows.column("bytes_sent").objects() == [None, 1000]
    assert found.flows.column("tx_rate").objects() == [None, None]
    assert found.deltas.column("bytes_sent").objects() == [None, None]


def test_deltas_stand_in_the_place_of_the_counters() -> None:
    before = flows([{"cookie": 5, "bytes_sent": 10, "busy": 100, "rtt": 7}], SECOND)
    found = compare(before, flows([{"cookie": 5, "bytes_sent": 15, "busy": 400, "rtt": 9}], 3 * SECOND))
    assert found.deltas.kind == DELTAS
    row = next(iter(found.deltas.rows()))
    assert (row["bytes_sent"], row["busy_us"], row["rtt_us"], row["tx_rate_bps"]) == (5, 300, 9, 20)
    assert found.flows.column("bytes_sent").objects() == [15]
    for table in (found.flows, found.deltas):
        assert (table.reading.interval_ns, table.reading.notes) == (2 * SECOND, ("a note",))


@pytest.mark.parametrize(
    ("name", "before", "after", "grown"),
    [
        ("segs_out", 2**32 - 10, 5, 15),
        ("retrans", 2**32 - 1, 0, 1),
        ("segs_out", 1000, 10, None),  # a step back, not a wrap
        ("segs_out", 0, 2**31, None),
        ("segs_out", 0, 2**31 - 1, 2**31 - 1),
        ("bytes_sent", 2**32 - 10, 2**32 + 5, 15),
        ("bytes_sent", 10, 9, None),
        ("bytes_sent", 2**62, 2**62 + 1, 1),
    ],
)
def test_counters_wrap_or_step_back(name: str, before: int, after: int, grown: int | None) -> None:
    found = compare(flows([{"cookie": 1, name: before}]), flows([{"cookie": 1, name: after}], SECOND))
    assert found.deltas.column(name).objects() == [grown]


def test_a_socket_made_anew_under_the_same_cookie_has_no_differences() -> None:
    before = {"cookie": 1, "bytes_sent": 5000, "bytes_acked": 5, "segs_out": 5}
    after = {"cookie": 1, "bytes_sent": 40, "bytes_acked": 9, "segs_out": 9}
    assert set(rates_of(before, after).values()) == {None}


def test_the_same_cookie_in_another_namespace_is_another_flow() -> None:
    before = flows([{"cookie": 1, "netns_inode": 1, "bytes_sent": 1}, {"cookie": 1, "netns_inode": 2, "bytes_sent": 7}])
    after = flows(
        [{"cookie": 1, "netns_inode": 2, "bytes_sent": 8}, {"cookie": 1, "netns_inode": 3, "bytes_sent": 9}], SECOND
    )
    found = between(before, after)
    assert found.column("change").objects() == [None, "appeared", "vanished"]
    assert found.column("tx_rate").objects() == [8, 72, None]


def test_without_a_cookie_the_addresses_tell() -> None:
    before = flows(
        [{"sport": 1, "peer": 9, "bytes_sent": 1}, {"sport": 2, "peer": 9, "bytes_sent": 1}, {"cookie": 0, "peer": 7}]
    )
    after = flows(
        [
            {"sport": 2, "peer": 9, "bytes_sent": 2},
            {"sport": 2, "peer": 8, "bytes_sent": 3},
            {"sport": 2, "peer": 9, "bytes_sent": 4, "proto": "mptcp"},
            {"cookie": 0, "peer": 7},
        ],
        SECOND,
    )
    found = between(before, after)
    assert found.column("change").objects() == [None, "appeared", "appeared", None, "vanished"]
    assert found.column("tx_rate").objects() == [8, 24, 32, None, None]


def test_flows_that_look_alike_have_no_rates() -> None:
    alike = {"sport": 1, "bytes_sent": 1}
    found = between(flows([alike, alike]), flows([alike, {"sport": 2, "bytes_sent": 1}], SECOND))
    assert found.column("change").objects() == [None, "appeared"]
    assert found.column("tx_rate").objects() == [None, 8]
    later = between(flows([alike]), flows([alike, alike], SECOND))
    assert later.column("tx_rate").objects() == [None, None]


def test_tables_without_keys_or_counters() -> None:
    bare = Table("flows", {"rtt": Column(np.array([1]))}, Reading(at_ns=0))
    found = between(bare, Table("flows", {"rtt": Column(np.array([2]))}, Reading(at_ns=SECOND)))
    assert len(found) == 1
    assert [found.column(name).objects() for name in FIELDS] == [[None]] * len(FIELDS)


def test_a_counter_that_the_earlier_reading_lacks() -> None:
    before = flows([{"cookie": 1}]).select(["netns_inode", "cookie"])
    after = flows([{"cookie": 1, "bytes_sent": 5}, {"cookie": 2, "bytes_sent": 6}], SECOND)
    assert between(before, after).column("tx_rate").objects() == [None, 48]


@pytest.mark.parametrize("at_ns", [0, -5])
def test_a_clock_that_stepped_back(at_ns: int) -> None:
    found = compare(flows([{"cookie": 1, "bytes_sent": 1}]), flows([{"cookie": 1, "bytes_sent": 5}], at_ns))
    assert found.flows.column("tx_rate").objects() == [None]
    assert found.deltas.column("bytes_sent").objects() == [4]
    assert found.flows.reading.interval_ns == 0
    assert found.flows.reading.notes[-1].startswith("the clock stepped back")


COOKIES = st.lists(st.integers(1, 12), unique=True)


@given(COOKIES, COOKIES, st.data())
def test_against_a_dictionary(first: list[int], second: list[int], data: st.DataObject) -> None:
    sent = st.integers(0, 2**40)
    before = {cookie: data.draw(sent) for cookie in first}
    after = {cookie: before.get(cookie, 0) + data.draw(st.integers(-3, 2**40)) for cookie in second}
    found = between(
        flows([{"cookie": cookie, "bytes_sent": value} for cookie, value in before.items()]),
        flows([{"cookie": cookie, "bytes_sent": max(value, 0)} for cookie, value in after.items()], SECOND),
    )
    for row in found.rows():
        cookie = row["cookie"]
        if cookie not in after:
            assert (row["change"], row["tx_rate_bps"]) == ("vanished", None)
            continue
        grown = max(after[cookie], 0) - before.get(cookie, 0)
        assert row["change"] == (None if cookie in before else "appeared")
        assert row["tx_rate_bps"] == (grown * 8 if grown >= 0 else None)
    assert len(found) == len(set(first) | set(second))


def test_the_table_of_rates_is_of_the_catalogue() -> None:
    assert all(BY_NAME[name].kind == "counter" for name in NEEDS)
    assert [BY_NAME[rate.name].type for rate in RATES] == ["int" if rate.decimals == 0 else "float" for rate in RATES]


# -- flows that ended between the readings


def ended_between(before: list[Row], after: list[Row], ended: list[Row]) -> tuple[list[Row], list[Row]]:
    found = compare(flows(before), flows(after, 2 * SECOND), flows(ended, SECOND))
    assert found.flows.reading.at_ns == 2 * SECOND, "it is a reading at the end of the interval"
    return list(found.flows.rows()), list(found.deltas.rows())


def test_a_flow_that_neither_reading_saw_is_brief_and_counts_from_zero() -> None:
    (row,), (delta,) = ended_between([], [], [{"cookie": 5, "bytes_sent": 1000, "segs_out": 3}])
    assert (row["change"], row["bytes_sent"], row["tx_rate_bps"], row["segs_out_rate_pps"]) == (
        "brief",
        1000,
        4000,
        1.5,
    )
    assert (delta["bytes_sent"], delta["bytes_acked"]) == (1000, None)


def test_a_flow_that_ended_vanished_with_its_last_figures() -> None:
    before = [{"cookie": 5, "bytes_sent": 400, "sport": 7}]
    (row,), (delta,) = ended_between(before, [], [{"cookie": 5, "bytes_sent": 1000, "sport": 7}])
    assert (row["change"], row["bytes_sent"], row["tx_rate_bps"]) == ("vanished", 1000, 2400)
    assert delta["bytes_sent"] == 600


def test_a_flow_that_the_later_reading_saw_is_as_it_was_there() -> None:
    """It ended after it was read, before what ended was."""
    before, after = [{"cookie": 5, "bytes_sent": 1}], [{"cookie": 5, "bytes_sent": 2}, {"cookie": 6, "bytes_sent": 2}]
    rows, _ = ended_between(before, after, [{"cookie": 5, "bytes_sent": 9}, {"cookie": 6, "bytes_sent": 9}])
    assert [(row["cookie"], row["change"], row["bytes_sent"]) for row in rows] == [(5, None, 2), (6, "appeared", 2)]


def test_what_waits_is_told_by_what_ended() -> None:
    """The kernel knows neither owner nor figures of a connection that this end closed first."""
    waiting = [{"cookie": cookie, "state": "time-wait"} for cookie in (5, 6, 7)]
    over = [{"cookie": 5, "state": "close", "bytes_sent": 9}, {"cookie": 6, "state": "close", "bytes_sent": 8}]
    rows, deltas = ended_between([{"cookie": 5, "state": "established", "bytes_sent": 4}], waiting, over)
    assert [(row["cookie"], row["state"], row["change"], row["bytes_sent"]) for row in rows] == [
        (7, "time-wait", "appeared", None),
        (5, "close", "vanished", 9),
        (6, "close", "brief", 8),
    ]
    assert [delta["bytes_sent"] for delta in deltas] == [None, 5, 8]


def test_those_that_ended_stand_between_those_that_are_and_those_that_are_gone() -> None:
    before = [{"cookie": 1}, {"cookie": 2}, {"cookie": 3, "bytes_sent": 7}]
    rows, deltas = ended_between(before, [{"cookie": 1}, {"cookie": 4}], [{"cookie": 9}, {"cookie": 2}])
    assert [(row["cookie"], row["change"]) for row in rows] == [
        (1, None),
        (4, "appeared"),
        (9, "brief"),
        (2, "vanished"),
        (3, "vanished"),
    ]
    assert [row["bytes_sent"] for row in rows][-1] == 7
    assert [delta["bytes_sent"] for delta in deltas][-1] is None


def test_a_socket_that_ended_twice_is_two_flows() -> None:
    twice = [{"cookie": 5, "sport": 1, "bytes_sent": 10}, {"cookie": 5, "sport": 2, "bytes_sent": 20}]
    rows, _ = ended_between([], [], twice)
    assert [(row["change"], row["sport"], row["tx_rate_bps"]) for row in rows] == [("brief", 1, 40), ("brief", 2, 80)]
    rows, _ = ended_between([{"cookie": 5, "sport": 1, "bytes_sent": 4}], [], twice)
    assert [(row["change"], row["tx_rate_bps"]) for row in rows] == [("vanished", None)] * 2, (
        "which of them is not known"
    )


def test_where_nothing_ended_it_is_as_without() -> None:
    before, after = flows([{"cookie": 1}]), flows([{"cookie": 2}], SECOND)
    plain, found = compare(before, after), compare(before, after, flows([]))
    assert list(found.flows.rows()) == list(plain.flows.rows())
    assert found.flows.column("change").words == CHANGES


@given(COOKIES, COOKIES, COOKIES)
def test_every_flow_is_there_once(first: list[int], second: list[int], over: list[int]) -> None:
    found = compare(
        *(flows([{"cookie": cookie} for cookie in part], at) for at, part in enumerate((first, second, over)))
    )
    rows = {row["cookie"]: row["change"] for row in found.flows.rows()}
    assert len(rows) == len(found.flows) == len({*first, *second, *over})
    for cookie, change in rows.items():
        if cookie in second:
            assert change == (None if cookie in first else "appeared")
        else:
            assert change == ("vanished" if cookie in first else "brief")
