# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.analysis.scaling import COUNTS, product, scaled
from fleutan.column import Column
from fleutan.table import Table

MOST = 2**63 - 1


def numbers(*those: int | None) -> Column:
    known = np.array([one is not None for one in those])
    return Column(np.array([one or 0 for one in those], np.int64), None if known.all() else known)


def values(table: Table, name: str) -> list[int | None]:
    column = table.columns[name]
    return [one if known else None for one, known in zip(column.values.tolist(), column.mask().tolist(), strict=True)]


def test_counts_are_multiplied_where_the_rate_is_known() -> None:
    columns = {name: numbers(3, 4, None) for name in COUNTS}
    table = Table("records", {**columns, "sampling_rate": numbers(400, None, 7), "sport": numbers(80, 81, 82)})
    found = scaled(table)
    for name in COUNTS:
        assert values(found, name) == [1200, 4, None]
    assert values(found, "sampling_rate") == [400, None, 7]
    assert values(found, "sport") == [80, 81, 82]
    assert values(table, "packets") == [3, 4, None]


def test_counts_that_are_not_there_are_not_made_up() -> None:
    found = scaled(Table("records", {"sampling_rate": numbers(2), "bytes": numbers(5)}))
    assert list(found.columns) == ["sampling_rate", "bytes"]


def test_what_64_bits_do_not_hold_is_the_largest_number() -> None:
    counts = np.array([MOST, 2**40, 2**31, 2**32, 0, 5], np.int64)
    factors = np.array([2, 2**23, 2**32, 2**31, MOST, 0], np.int64)
    assert product(counts, factors).tolist() == [MOST, MOST, MOST, MOST, 0, 0]
    assert product(np.array([2**31 - 1, MOST]), np.array([2**32, 1])).tolist() == [(2**31 - 1) << 32, MOST]


def test_no_rows_are_no_trouble() -> None:
    assert len(scaled(Table("records", {"sampling_rate": numbers(), "bytes": numbers()}))) == 0
