# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.spans import joined
from fleutan.sources.packets.kernel_samples import Account, Kept, cut, notes, running


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def keep(account: Account, sequence: list[int], ifindex: int = 3, rate: int = 100, group: int = 1) -> Kept:
    one = np.ones(len(sequence), np.int64)
    return account.keep(ifindex * one, group * one, np.array(sequence, np.int64), rate * one)


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)))))
def test_sums_go_on_key_by_key(batches: list[list[tuple[int, int]]]) -> None:
    totals: dict[int, int] = {}
    plain: dict[int, int] = {}
    for batch in batches:
        keys, amounts = (np.array([row[place] for row in batch], np.int64) for place in (0, 1))
        expected = []
        for key, amount in batch:
            plain[key] = plain.get(key, 0) + amount
            expected.append(plain[key])
        assert running(keys, amounts, totals).tolist() == expected
        assert totals == plain


def test_each_sample_stands_for_the_packets_of_its_rate() -> None:
    account = Account()
    first, second = keep(account, [0, 1, 2]), keep(account, [3])
    assert (first.rows.tolist(), first.rate.tolist()) == ([0, 1, 2], [100] * 3)
    assert (first.pool.tolist(), second.pool.tolist()) == ([100, 200, 300], [400])
    assert first.drops.tolist() == [0, 0, 0]
    assert keep(account, []).rows.tolist() == []


def test_what_numbers_lack_is_lost_and_stood_for_packets_too() -> None:
    account = Account()
    keep(account, [(1 << 32) - 2])
    kept = keep(account, [(1 << 32) - 1, 2, 3])  # 0 and 1 are missing
    assert kept.drops.tolist() == [0, 2, 2]
    assert kept.pool.tolist() == [200, 500, 600]


def test_what_comes_late_is_not_lost() -> None:
    account = Account()
    assert keep(account, [5, 7, 6, 8]).drops.tolist() == [0, 0, 0, 0]
    assert keep(account, [10]).drops.tolist() == [1]
    assert keep(account, [9]).drops.tolist() == [1]  # what was told is not taken back
    assert keep(account, [12]).drops.tolist() == [1]  # but makes up for the next one


def test_a_group_that_begins_anew_has_lost_nothing() -> None:
    account = Account()
    keep(account, [1_000_000])
    assert keep(account, [0, 1]).drops.tolist() == [0, 0]


def test_groups_are_numbered_each_for_itself() -> None:
    account = Account()
    kept = account.keep(ints(3, 3, 3, 4), ints(1, 2, 1, 2), ints(0, 70, 1, 73), ints(10, 10, 10, 10))
    assert kept.drops.tolist() == [0, 0, 0, 2]
    assert kept.pool.tolist() == [10, 20, 30, 30]


def test_fewer_are_told_where_fewer_are_wanted_and_the_rate_says_so() -> None:
    account = Account(lambda ifindex: 1000 if ifindex == 3 else 99)
    kept = keep(account, list(range(15)), rate=400)
    assert (kept.rate.tolist(), kept.rows.tolist()) == ([800] * 7, [1, 3, 5, 7, 9, 11, 13])
    again = keep(account, [15, 16], rate=400)
    assert (again.rows.tolist(), again.pool.tolist()) == ([0], [16 * 400])
    assert keep(account, [17], ifindex=4, rate=400).rate.tolist() == [400]


def test_headers_are_cut_and_copied() -> None:
    whole = joined([b"abcdef", b"gh", b""])
    short = cut(whole, 4)
    assert short.strings() == [b"abcd", b"gh", b""]
    assert not np.shares_memory(short.octets, whole.octets)


def test_what_was_missed_is_noted() -> None:
    assert notes("samples", 0, 0) == []
    assert [note.partition(": ")[2][:7] for note in notes("samples", 3, 2)] == ["3 times", "2 messa"]
