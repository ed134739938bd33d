# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.programs.agent.pools import Pools


def each(pools: Pools, sources: list[int], ends: dict[int, int]) -> list[int]:
    given = np.array(sources, np.int64)
    found: list[int] = pools.each(given, np.array([ends[one] for one in sources], np.int64)).tolist()
    return found


def test_it_grows_evenly_from_batch_to_batch_and_each_source_by_itself() -> None:
    pools = Pools()
    assert each(pools, [2, 2, 3, 2, 3], {2: 30, 3: 9}) == [10, 20, 4, 30, 9]
    assert each(pools, [3, 2, 2], {2: 33, 3: 1009}) == [1009, 31, 33]
    assert each(pools, [], {}) == []


def test_a_count_that_begins_anew_does_not_go_back_below_nothing() -> None:
    pools = Pools()
    each(pools, [2], {2: 1000})
    assert each(pools, [2, 2], {2: 10}) == [5, 10]


def test_what_is_gone_is_forgotten() -> None:
    pools = Pools()
    each(pools, [2, 3], {2: 100, 3: 100})
    pools.forget(frozenset({3}))
    assert each(pools, [2, 3], {2: 200, 3: 200}) == [200, 200]
    assert each(pools, [2, 2], {2: 300}) == [250, 300]
    assert pools._before.keys() == {2, 3}


@given(st.lists(st.tuples(st.lists(st.integers(0, 3), max_size=20), st.integers(0, 10**12)), max_size=5))
def test_what_samples_stand_for_adds_up_to_the_pool(batches: list[tuple[list[int], int]]) -> None:
    pools, total = Pools(), dict.fromkeys(range(4), 0)
    last = dict(total)
    for sources, grown in batches:
        for one in set(sources):
            total[one] += grown
        for source, pool in zip(sources, each(pools, sources, total), strict=True):
            assert last[source] <= pool <= total[source]
            last[source] = pool
        assert all(last[one] == total[one] for one in set(sources))
