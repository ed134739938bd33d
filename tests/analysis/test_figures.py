# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from fleutan.analysis.figures import COMPUTED, DELTAS, Figures, float_column, int_column, is_word, numbers, ratio
from fleutan.column import Column, text_column
from fleutan.fields import BY_NAME
from fleutan.table import Reading, Table


def table(fields: Mapping[str, int | None], kind: str = "flows", interval_ns: int = 0) -> Table:
    columns = {name: Column(np.array([value or 0]), np.array([value is not None])) for name, value in fields.items()}
    return Table(kind, columns, Reading(interval_ns=interval_ns))


def test_numbers_are_floats_with_nan_for_unknown() -> None:
    values = Table(
        "flows",
        {
            "rtt": Column(np.array([5, 7]), np.array([True, False])),
            "app_limited": Column(np.array([True, False])),
        },
    )
    np.testing.assert_array_equal(numbers(values, "rtt"), [5.0, np.nan])
    np.testing.assert_array_equal(numbers(values, "app_limited"), [1.0, 0.0])
    np.testing.assert_array_equal(numbers(values, "cwnd"), [np.nan, np.nan])
    assert values["rtt"].tolist() == [5, None], "the column itself is untouched"


def test_words() -> None:
    values = Table("flows", {"state": text_column(["listen", None, "established"])})
    assert is_word(values, "state", "established", "syn-sent").tolist() == [False, False, True]
    assert is_word(values, "proto", "tcp").tolist() == [False, False, False]


def test_dividing_by_zero_is_unknown() -> None:
    found = ratio(np.array([1.0, 0.0, 3.0]), np.array([0.0, 0.0, 2.0]))
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1.5])


def test_columns_of_floats_round_and_stay_within_their_type() -> None:
    column = int_column(np.array([1.5, 2.5, -0.4, np.nan, np.inf, 1e30, -1e30]))
    assert column.mask().tolist() == [True, True, True, False, False, True, True]
    assert column.values.dtype == np.int64
    assert column.values.tolist()[:3] == [2, 2, 0]
    assert column.values.tolist()[5:] == [(1 << 63) - 1024, -((1 << 63) - 1024)]
    assert float_column(np.array([0.12345, np.nan]), 3).objects() == [0.123, None]


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("cwnd_bytes", {"cwnd": 10, "mss": 1448}, 14_480),
        ("cwnd_rate", {"cwnd": 10, "mss": 1250, "rtt": 100_000}, 1_000_000),
        ("cwnd_rate", {"cwnd": 10, "mss": 1250, "rtt": 0}, None),
        ("bdp", {"delivery_rate": 8_000_000, "min_rtt": 20_000}, 20_000),
        ("retrans_share", {"bytes_retrans": 1, "bytes_sent": 4}, 0.25),
        ("retrans_share", {"bytes_retrans": 0, "bytes_sent": 0}, None),
        ("in_flight", {"unacked": 10, "sacked": 3, "lost": 2, "retrans_out": 1}, 6),
        ("unacked_bytes", {"unacked": 3, "mss": 1000}, 3000),
        ("quiet", {"last_data_sent": 30, "last_data_recv": 20}, 20),
        ("quiet", {"last_data_sent": 30, "last_data_recv": None}, None),
        ("unread_share", {"rqueue": 300, "rcv_wnd": 100}, 0.75),
        ("unread_share", {"rqueue": 0, "rcv_wnd": 0}, None),
        ("own_window_rate", {"rcv_wnd": 125_000, "rtt": 20_000, "rcv_rtt": 10_000}, 100_000_000),
        ("own_window_rate", {"rcv_wnd": 125_000, "rtt": None, "rcv_rtt": 10_000}, 100_000_000),
        ("own_window_rate", {"rcv_wnd": 125_000, "rtt": None, "rcv_rtt": None}, None),
        ("rwnd_share", {"rwnd_limited": 1, "busy": 2}, 0.5),
        ("sndbuf_share", {"sndbuf_limited": 1, "busy": 2}, 0.5),
        ("spurious_share", {"dsack_dups": 1, "retrans": 2}, 0.5),
        ("marked_share", {"delivered_ce": 1, "delivered": 2}, 0.5),
        ("interval", {"rtt": 1}, None),
        ("busy_share", {"busy": 2}, None),
        ("rate_acked", {"bytes_acked": 2}, None),
    ],
)
def test_computed_figures(name: str, fields: dict[str, int | None], expected: float | None) -> None:
    found = Figures(table(fields))[name]
    np.testing.assert_allclose(found, [np.nan if expected is None else expected])


def test_figures_of_an_interval() -> None:
    figures = Figures(table({"busy": 500_000, "bytes_acked": 250_000, "bytes_received": 25}, DELTAS, 2 * 10**9))
    assert [figures[name][0] for name in ("interval", "busy_share", "rate_acked", "rate_received")] == [
        *(2e6, 0.25, 1e6, 100)
    ]
    backwards = Figures(table({"busy": 1}, DELTAS, 0))
    assert np.isnan(backwards["busy_share"][0])
    assert np.isnan(Figures(table({"busy": 1}, "flows", 10**9))["busy_share"][0]), "counters since the beginning"


def test_known_and_says() -> None:
    figures = Figures(table({"cwnd": 1, "mss": None}).with_columns({"cong": text_column(["bbr"])}))
    assert figures.known(("cwnd",)).tolist() == [True]
    assert figures.known(("cwnd", "mss")).tolist() == [False]
    assert figures.says("cong", "bbr", "cubic").tolist() == [True]


def test_computed_figures_are_made_of_fields() -> None:
    assert {field for computed in COMPUTED.values() for field in computed.of} <= set(BY_NAME)
