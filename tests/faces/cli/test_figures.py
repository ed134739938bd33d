# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.faces.cli import figures
from fleutan.table import Table

MAPPED = 0xFFFF << 32


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0us"),
        (85, "85us"),
        (999, "999us"),
        (1000, "1ms"),
        (28843, "28.8ms"),
        (126470, "126ms"),
        (2_500_000, "2.50s"),
    ],
)
def test_times(value: int, text: str) -> None:
    assert figures.time_us(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (999, "999"), (1500, "1.50k"), (20_000_000, "20M"), (3.2e9, "3.20G"), (7e12, "7T")]
)
def test_counts(value: float, text: str) -> None:
    assert figures.count(value) == text


def test_units() -> None:
    assert figures.size(1500) == "1.50kB"
    assert figures.rate(1e6) == "1Mbps"
    assert figures.share(0.125) == "12.5%"
    assert figures.time_ms(1500) == "1.50s"


def test_clock() -> None:
    assert figures.clock(0, utc=True) == "1970-01-01 00:00:00 UTC"
    assert figures.clock(0).startswith("19")


def test_cells_of_every_type() -> None:
    table = Table(
        "flows",
        {
            "src": Column(np.array([[0, MAPPED | 0x0A000001], [0, 1]])),
            "sport": Column(np.array([443, 0])),
            "rtt": Column(np.array([1500, 0]), np.array([True, False])),
            "comm": text_column(["evil\x1b[31m\n", None]),
            "pids": Column(np.array([0, -1], np.int32), None, ((1, 2),)),
            "retrans_share": Column(np.array([0.5, 0.0])),
            "bbr_cwnd_gain": Column(np.array([2.0, 0.5])),
            "pid": Column(np.array([12345, 1])),
        },
    )
    assert figures.cells(table, "local") == ["10.0.0.1#443", "::1#*"]
    assert figures.cells(table, "rtt") == ["1.50ms", "-"]
    assert figures.cells(table, "comm") == ["evil\\x1b[31m\\n", "-"]
    assert figures.cells(table, "pids") == ["1,2", "-"]
    assert figures.cells(table, "retrans_share") == ["50%", "0%"]
    assert figures.cells(table, "bbr_cwnd_gain") == ["2", "0.50"]
    assert figures.cells(table, "pid") == ["12345", "1"]
