# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleutan.analysis.groups import MEASURES, Grouped, Heading, group, key
from fleutan.column import Column, text_column
from fleutan.errors import UsageError
from fleutan.table import Table

Row = tuple[
    str | None, int, int | None, int | None, int | None
]  # proc, last octet of dst, rtt, bytes_sent, retransmitted


def numbers(values: tuple[int | None, ...]) -> Column:
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.array([value or 0 for value in values], np.int64), known)


def flows(*rows: Row) -> Table:
    procs, peers, rtts, sent, again = zip(*rows, strict=True) if rows else ((),) * 5
    halves = np.array([[0, 0xFFFF << 32 | 0xC0000200 | peer] for peer in peers], np.int64).reshape(-1, 2)
    return Table(
        "flows",
        {
            "proc": text_column(procs),
            "dst": Column(halves),
            "service": numbers(tuple(443 if peer % 2 else 80 for peer in peers)),
            "rtt": numbers(rtts),
            "bytes_sent": numbers(sent),
            "bytes_retrans": numbers(again),
        },
    )


SAMPLE = flows(
    ("web(1)", 1, 100, 1000, 10),
    ("web(1)", 1, 300, 3000, 10),
    ("web(1)", 2, None, None, None),
    ("db(2)", 3, 200, 500, 0),
    (None, 3, 50, 0, 0),
)
MEASURED = [
    "flows",
    "bytes_sent",
    "bytes_retrans",
    "retrans_share",
    "rtt_us_min",
    "rtt_us_p50",
    "rtt_us_p90",
    "rtt_us_max",
]


def test_groups_by_process() -> None:
    found = group(SAMPLE, ["proc"])
    assert found.names == ["proc", *MEASURED]
    assert found.by == ("proc",)
    assert found.rows == [
        ("web(1)", 3, 4000, 20, 0.005, 100, 100, 300, 300),
        ("db(2)", 1, 500, 0, 0.0, 200, 200, 200, 200),
        (None, 1, 0, 0, None, 50, 50, 50, 50),
    ]
    assert found.dicts()[1]["rtt_us_p50"] == 200
    assert (found.others, found.folded, found.others_dict()) == (None, 0, None)


def test_groups_by_peer_and_port_in_the_order_of_a_measure() -> None:
    found = group(SAMPLE, ["peer", "port"], order="bytes_sent")
    assert [row[:4] for row in found.rows] == [
        ("192.0.2.1", 443, 2, 4000),
        ("192.0.2.3", 443, 2, 500),
        ("192.0.2.2", 80, 1, None),
    ]


def test_what_is_beyond_the_top_is_folded_but_not_lost() -> None:
    found = group(SAMPLE, ["proc"], order="rtt", top=1)
    assert [row[0] for row in found.rows] == ["db(2)"]
    assert found.folded == 2
    assert found.others == (None, 4, 4000, 20, 0.005, 50, 100, 300, 300)
    assert found.others_dict() == {"groups": 2, **dict(zip(MEASURED, found.others[1:], strict=True))}


def test_an_unknown_key_can_be_on_top_and_is_then_not_among_the_others() -> None:
    found = group(flows((None, 1, 5, 9, 0), (None, 1, 6, 9, 0), ("a", 1, 7, 1, 0)), ["proc"], top=1)
    assert [row[:2] for row in found.rows] == [(None, 2)]
    assert found.others is not None
    assert found.others[:3] == (None, 1, 1)


def test_a_top_that_is_large_enough_folds_nothing() -> None:
    assert group(SAMPLE, ["proc"], top=3).others is None


def test_other_kinds_of_keys() -> None:
    table = SAMPLE.with_columns(
        {
            "pids": Column(np.array([0, 0, 1, -1, 2], np.int32), None, ((4, 5), (6,), ())),
            "app_limited": Column(np.array([True, False, True, True, True]), np.array([True, True, True, False, True])),
        }
    )
    assert [row[:2] for row in group(table, ["pids"]).rows] == [("4 5", 2), ("", 1), ("6", 1), (None, 1)]
    assert [row[:2] for row in group(table, ["app_limited"]).rows] == [(True, 3), (False, 1), (None, 1)]
    assert group(table, ["pids"]).headings[0].type == "text"


def test_rates_are_summed_and_rounded() -> None:
    rates = {"segs_in_rate": Column(np.array([0.1, 0.2, 0.7, 0.0, 0.0])), "tx_rate": numbers((8, 8, 8, None, 2))}
    found = group(SAMPLE.with_columns(rates), ["proc"], order="tx_rate")
    assert [(row["tx_rate_bps"], row["segs_in_rate_pps"]) for row in found.dicts()] == [
        (24, 1.0),
        (2, 0.0),
        (None, 0.0),
    ]


def test_without_keys_there_is_one_group() -> None:
    assert group(SAMPLE, []).rows == [(5, 4500, 20, 0.004444, 50, 100, 300, 300)]


def test_without_flows_there_is_no_group() -> None:
    assert group(flows(), ["proc"]) == Grouped(("proc",), group(SAMPLE, ["proc"]).headings, [])


def test_without_figures_flows_are_counted() -> None:
    assert group(SAMPLE.select(["proc"]), ["proc"]).names == ["proc", "flows"]


def test_sums_do_not_overflow() -> None:
    most = (1 << 63) - 1
    assert group(flows(("a", 1, 1, most, 0), ("a", 1, 1, most, 0)), ["proc"]).rows[0][2] == 2 * most


def test_the_same_key_twice_is_one() -> None:
    assert group(SAMPLE, ["peer", "dst"]).by == ("dst",)


def test_headings_say_what_a_column_is() -> None:
    headings = {heading.key: heading for heading in group(SAMPLE, ["peer"]).headings}
    assert headings["dst"] == Heading("dst", "address", "", "remote address")
    assert headings["rtt_us_p90"] == Heading("rtt_us_p90", "int", "us", "90th percentile: smoothed round-trip time")
    assert len({measure.heading.key for measure in MEASURES}) == len(MEASURES)


@pytest.mark.parametrize(
    ("by", "order", "message"),
    [
        (["rtt"], "flows", "cannot group by rtt, which is a figure"),
        (["quux"], "flows", "no field is called 'quux'"),
        (["comm"], "flows", "this table has no column 'comm'"),
        (["proc"], "byte_sent", "called 'byte_sent'; did you mean bytes_sent"),
        (["proc"], "cwnd", "there are flows, bytes_sent, "),
    ],
)
def test_what_cannot_be_grouped(by: list[str], order: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        group(SAMPLE, by, order)


def test_keys_are_spelled_as_people_do() -> None:
    assert [key(name).name for name in ("peer", "Port", "process", "dev", "limit")] == [
        *("dst", "service", "proc", "dev", "limit")
    ]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", None]),
        st.integers(1, 3),
        st.one_of(st.none(), st.integers(0, 50)),
        st.one_of(st.none(), st.integers(0, 10**6)),
        st.one_of(st.none(), st.integers(0, 5)),
    )
)


@settings(max_examples=40)
@given(ROWS, st.integers(0, 4))
def test_against_a_loop(rows: list[Row], top: int) -> None:
    found = group(flows(*rows), ["proc", "dst"], top=top)

    def identity(row: Row) -> tuple[str, str]:
        return (row[0] or "~", f"192.0.2.{row[1]}")

    groups: dict[Any, list[Row]] = {
        name: list(members) for name, members in groupby(sorted(rows, key=identity), key=identity)
    }
    order = sorted(groups, key=lambda name: (-len(groups[name]), name))
    shown = order[:top] if top else order
    assert [(row[0] or "~", row[1]) for row in found.rows] == shown
    for name, row in zip(shown, found.dicts(), strict=True):
        check(groups[name], row)
    assert found.folded == len(order) - len(shown)
    if found.folded:
        check([row for name in order[len(shown) :] for row in groups[name]], found.others_dict() or {})


def check(members: list[Row], row: dict[str, Any]) -> None:
    rtts = sorted(rtt for _, _, rtt, _, _ in members if rtt is not None)
    sent = [value for *_, value, _ in members if value is not None]
    assert row["flows"] == len(members)
    assert row["bytes_sent"] == (sum(sent) if sent else None)
    assert row["rtt_us_p50"] == (rtts[(len(rtts) + 1) // 2 - 1] if rtts else None)
    assert row["rtt_us_p90"] == (rtts[-(-len(rtts) * 9 // 10) - 1] if rtts else None)
    assert (row["rtt_us_min"], row["rtt_us_max"]) == ((rtts[0], rtts[-1]) if rtts else (None, None))


def test_rows_of_drops_are_not_counted_as_flows() -> None:
    rows = Table("drops", {"event": text_column(["drop", "drop"]), "packets": Column(np.array([2, 3]))})
    found = group(rows, ["event"], "packets")
    assert (found.names, found.rows) == (["event", "packets"], [("drop", 5)])
