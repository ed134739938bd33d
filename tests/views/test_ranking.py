# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.column import Column, text_column
from fleutan.table import Table
from fleutan.views.ranking import SEVERITY, ranked


def numbers(*values: int | None) -> Column:
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.array([value or 0 for value in values], np.int64), known)


def table(**columns: Column) -> Table:
    rows = len(next(iter(columns.values())))
    ties = {name: numbers(*range(rows)) for name in ("sport", "cookie")}
    return Table("flows", ties | columns)


def order(found: Table) -> list[int]:
    return [int(cookie) for cookie in found["cookie"]]


def test_most_bytes_in_both_directions_first() -> None:
    flows = table(bytes_sent=numbers(5, 0, None, 0), bytes_received=numbers(1, 9, None, 0))
    assert order(ranked(flows, "flows")) == [1, 0, 3, 2]
    assert order(ranked(flows, "volume", 2)) == [1, 0]


def test_the_highest_rate_where_there_are_rates() -> None:
    rates = {"tx_rate": numbers(1, None, 0), "rx_rate": numbers(2, None, 9)}
    assert order(ranked(table(bytes_sent=numbers(1, 9, 5), bytes_received=numbers(0, 0, 0), **rates), "flows")) == [
        2,
        0,
        1,
    ]


def test_the_widest_window_first() -> None:
    assert order(ranked(table(cwnd_bytes=numbers(1, None, 7)), "products")) == [2, 0, 1]


def test_the_quickest_first_and_of_some_the_slowest() -> None:
    flows = table(rtt=numbers(30, 10, 20, 40, 50))
    assert order(ranked(flows, "latency")) == [1, 2, 0, 3, 4]
    assert order(ranked(flows, "latency", 2)) == [3, 4]


def test_the_worst_verdict_first_and_in_it_the_fastest() -> None:
    verdicts = text_column(["idle", "loss", None, "loss", "app"])
    flows = table(limit=verdicts, delivery_rate=numbers(9, 1, 9, 2, None))
    assert order(ranked(flows, "limits")) == [3, 1, 4, 0, 2]
    assert order(ranked(table(limit=text_column([*reversed(SEVERITY)])), "limits")) == [*reversed(range(len(SEVERITY)))]


def test_flows_alike_are_in_the_order_of_their_ports() -> None:
    flows = table(bytes_sent=numbers(0, 0, 0), bytes_received=numbers(0, 0, 0), sport=numbers(9, 7, 7))
    assert order(ranked(flows, "flows")) == [1, 2, 0]


@pytest.mark.parametrize("view", ["flows", "volume", "products", "latency", "limits"])
def test_no_flows(view: str) -> None:
    flows = table(limit=text_column([]), rtt=numbers())
    assert len(ranked(flows, view, 5)) == 0


@given(st.lists(st.none() | st.integers(0, 9), max_size=40), st.integers(1, 50))
def test_the_first_are_the_same_as_those_of_all(values: list[int | None], top: int) -> None:
    flows = table(bytes_sent=numbers(*values), bytes_received=numbers(*values), rtt=numbers(*values))
    assert order(ranked(flows, "flows", top)) == order(ranked(flows, "flows"))[:top]
    slowest = [value for value in ranked(flows, "latency", top)["rtt"].tolist() if value is not None]
    known = sorted(value for value in values if value is not None)
    assert slowest == known[-top:][: len(slowest)] or len(values) < top or None in values


def test_the_most_packets_first() -> None:
    drops = table(packets=numbers(1, 5, None, 5), bytes=numbers(9, 1, 9, 2))
    assert order(ranked(drops, "drops")) == [3, 1, 0, 2]
