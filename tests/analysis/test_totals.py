# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.analysis.totals import places, totals
from fleutan.column import Column, text_column
from fleutan.table import Table


def whole(*values: int | None) -> Column:
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.array([value or 0 for value in values], np.int64), known)


TRAFFIC = Table(
    "traffic",
    {
        "dev": text_column(["eth1", "eth0", "eth1", None, "eth0"]),
        "src": Column(np.array([[0, 2], [0, 1], [0, 2], [0, 1], [1, 0]], np.int64)),
        "queue": whole(1, None, 1, 3, 0),
        "bytes": whole(10, 20, None, 40, 50),
    },
)


def test_rows_that_are_alike_are_summed_in_order() -> None:
    found = totals(TRAFFIC, ("dev", "queue"), ("bytes", "packets"))
    assert found.columns["dev"].objects() == [None, "eth0", "eth0", "eth1"]
    assert found.columns["queue"].objects() == [3, None, 0, 1]
    assert found.columns["bytes"].objects() == [40, 20, 50, 10]
    assert "packets" not in found


def test_addresses_are_compared_in_both_halves() -> None:
    assert totals(TRAFFIC, ("src", "missing"), ("bytes",)).columns["bytes"].objects() == [60, 10, 50]


def test_lists_are_keys_too() -> None:
    held = Column(np.array([1, 0, -1], np.int32), None, ((7, 8), (7,)))
    table = Table("traffic", {"pids": held, "bytes": whole(1, 2, 4)})
    found = totals(table, ("pids",), ("bytes",))
    assert found.columns["pids"].objects() == [None, (7,), (7, 8)]
    assert found.columns["bytes"].objects() == [4, 1, 2]


def test_without_keys_or_rows() -> None:
    assert totals(TRAFFIC, (), ("bytes",)).columns["bytes"].objects() == [120]
    assert len(totals(TRAFFIC.take(np.zeros(0, np.int64)), ("dev",), ("bytes",))) == 0
    assert len(totals(TRAFFIC.take(np.zeros(0, np.int64)), (), ("bytes",))) == 0


def test_places_number_the_combinations() -> None:
    assert places(TRAFFIC, ("dev", "nothing")).tolist() == [2, 1, 2, 0, 1]
