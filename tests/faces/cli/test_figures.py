# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fleutan.analysis.groups import Heading
from fleutan.column import Column, text_column
from fleutan.faces.cli import figures
from fleutan.fields import require
from fleutan.table import Table

MAPPED = 0xFFFF << 32


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (85, "85us"),
        (999, "999us"),
        (999.6, "1.00ms"),
        (1000, "1ms"),
        (9_996, "10.0ms"),
        (28843, "28.8ms"),
        (99_960, "100ms"),
        (126470, "126ms"),
        (999_600, "1.00s"),
        (2_500_000, "2.50s"),
        (90_000_000, "1.50min"),
        (7_200_000_000, "2h"),
        (864_000_000_000, "10d"),
    ],
)
def test_times(value: float, text: str) -> None:
    assert figures.time_us(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.5, "0.50"),
        (999, "999"),
        (1500, "1.50k"),
        (999_999, "1.00M"),
        (20_000_000, "20M"),
        (3.2e9, "3.20G"),
        (7e12, "7T"),
    ],
)
def test_counts(value: float, text: str) -> None:
    assert figures.count(value) == text


def test_units() -> None:
    assert figures.size(1500) == "1.50kB"
    assert figures.size(0) == "0"
    assert figures.rate(1e6) == "1Mbps"
    assert figures.share(0.125) == "12.5%"
    assert figures.share(0.000001) == "<0.01%"
    assert figures.time_ms(1500) == "1.50s"
    assert figures.truth(True) == "yes"


def test_clock() -> None:
    assert figures.clock(0, utc=True) == "1970-01-01 00:00:00 UTC"
    assert figures.clock(0).startswith("19")


def test_cells_of_every_type() -> None:
    table = Table(
        "flows",
        {
            "src": Column(np.array([[0, MAPPED | 0x0A000001], [0, 1]]), np.array([True, False])),
            "dst": Column(np.array([[0, MAPPED | 0x0A000001], [0, 1]])),
            "dport": Column(np.array([443, 0])),
            "rtt": Column(np.array([1500, 0]), np.array([True, False])),
            "comm": text_column(["evil\x1b[31m\n", None]),
            "state": text_column(["established", "listen"]),
            "change": text_column(["appeared", "vanished"]),
            "pids": Column(np.array([0, -1], np.int32), None, ((1, 2),)),
            "retrans_share": Column(np.array([0.5, 0.0])),
            "bbr_cwnd_gain": Column(np.array([2.0, 0.5])),
            "app_limited": Column(np.array([True, False])),
            "pid": Column(np.array([12345, 1])),
        },
    )
    expected = {
        "remote": ["10.0.0.1#443", "::1#*"],
        "src": ["10.0.0.1", "-"],
        "rtt": ["1.50ms", "-"],
        "comm": ["evil\\x1b[31m\\n", "-"],
        "state": ["estab", "listen"],
        "change": ["new", "gone"],
        "pids": ["1,2", "-"],
        "retrans_share": ["50%", "0"],
        "bbr_cwnd_gain": ["2", "0.50"],
        "app_limited": ["yes", "no"],
        "pid": ["12345", "1"],
    }
    assert {name: figures.cells(table, name) for name in expected} == expected


def test_names_of_ends() -> None:
    table = Table(
        "flows",
        {
            "proto": text_column(["tcp", "tcp", "udp"]),
            "dst": Column(np.array([[0, MAPPED | 0x0A000001], [0, 1], [0, 1]])),
            "dport": Column(np.array([443, 0, 7])),
        },
    )
    waited: list[bool] = []
    names = figures.Names(
        {"10.0.0.1": "bad\x07.example"}.get, lambda port, _: {443: "https"}.get(port), lambda: waited.append(True)
    )
    assert figures.cells(table, "remote", names) == ["bad\\x07.example#https", "::1#*", "::1#7"]
    assert waited == [True]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("flows", 12_345, "12,345"),
        ("rtt_us_p50", 1500, "1.50ms"),
        ("retrans_share", 0.5, "50%"),
        ("app_limited", False, "no"),
        ("state", "established", "estab"),
        ("uid", 1000, "1000"),
        ("comm", "a\n", "a\\n"),
    ],
)
def test_figures_of_groups(key: str, value: object, text: str) -> None:
    field = require(key.removesuffix("_p50")) if key != "flows" else require("cwnd")
    write: Callable[[object], str] = figures.of_group(Heading(key, field.type, field.unit, ""))
    assert write(value) == text


def test_an_end_that_is_not_known_is_no_address() -> None:
    halves = Column(np.array([[0, 1], [0, 0]]), np.array([True, False]))
    found = Table("drops", {"src": halves, "sport": Column(np.array([7, 0]))})
    assert figures.cells(found, "local") == ["::1#7", figures.UNKNOWN]


def test_times_in_documents() -> None:
    assert figures.utc(1_700_000_000_500_000_000) == "2023-11-14T22:13:20.500000Z"
    assert figures.utc(0) == "1970-01-01T00:00:00Z"
