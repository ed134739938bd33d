# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.analysis.scaling import scaled
from fleutan.column import Column
from fleutan.table import Table


def column(*values: int, known: list[bool] | None = None) -> Column:
    return Column(np.array(values, np.int64), None if known is None else np.array(known))


def test_counts_are_multiplied_where_a_rate_is_known() -> None:
    rate = column(10, 0, 5, known=[True, False, True])
    table = Table("records", {"sampling_rate": rate, "packets": column(1, 2, 3), "sport": column(7, 7, 7)})
    found = scaled(table)
    assert found.columns["packets"].values.tolist() == [10, 2, 15]
    assert found.columns["sport"].values.tolist() == [7, 7, 7]
    assert table.columns["packets"].values.tolist() == [1, 2, 3]


def test_what_is_unknown_stays_so() -> None:
    packets = column(1, 2, known=[False, True])
    found = scaled(Table("records", {"sampling_rate": column(3, 3), "packets": packets}))
    assert found.columns["packets"].mask().tolist() == [False, True]
    assert found.columns["packets"].values[1] == 6


def test_a_product_that_does_not_fit_is_the_largest_number() -> None:
    most = (1 << 63) - 1
    found = scaled(Table("records", {"sampling_rate": column(2, 1, 0), "bytes": column(most // 2 + 1, most, 5)}))
    assert found.columns["bytes"].values.tolist() == [most, most, 0]
