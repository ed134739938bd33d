# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.sflow.columns.numbers import firsts, rows_by_number

KNOWN = [1, 5, 1001, 4413 << 12 | 1, 5703 << 12 | 1]
TAGS = st.lists(st.sampled_from([*KNOWN, 2, 4095, 4096, 9 << 12, 2**32 - 1]), max_size=30)


@given(TAGS)
def test_known_numbers_have_rows_and_others_are_left(tags: list[int]) -> None:
    found = rows_by_number(np.array(tags, np.int64), KNOWN)
    assert {tag: rows.tolist() for tag, rows in found.rows.items()} == {
        tag: [row for row, other in enumerate(tags) if other == tag] for tag in KNOWN if tag in tags
    }
    assert found.unknown.tolist() == [tag for tag in tags if tag not in KNOWN]


@given(st.lists(st.integers(0, 5), max_size=12))
def test_each_owner_stands_first_once(owners: list[int]) -> None:
    assert firsts(np.array(owners, np.int64)).tolist() == [owners.index(owner) for owner in sorted(set(owners))]
