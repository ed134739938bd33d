# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fleutan.analysis.alike import Hash, among, groups, hashed, paired, parts, shared
from fleutan.column import Column, text_column

Ints = NDArray[np.int64]


def keys(*rows: tuple[int, ...]) -> list[Ints]:
    return [np.array(key, np.int64) for key in zip(*rows, strict=True)]


def one_for_all(found: Sequence[Ints]) -> NDArray[np.uint64]:
    return np.zeros(len(found[0]), np.uint64)


def two_for_all(found: Sequence[Ints]) -> NDArray[np.uint64]:
    return (found[0] % 2).astype(np.uint64)


@pytest.mark.parametrize("hash_of", [hashed, one_for_all, two_for_all])
@given(rows=st.lists(st.tuples(*[st.sampled_from([-(2**63), -1, 0, 1, 2, 2**63 - 1])] * 3), max_size=30))
def test_groups_are_those_of_equal_rows_whatever_the_hash(hash_of: Hash, rows: list[tuple[int, ...]]) -> None:
    found = keys(*rows) or [np.zeros(0, np.int64)] * 3
    group, first = groups(found, hash_of)
    assert len(group) == len(rows)
    assert sorted(set(group.tolist())) == list(range(len(first)))
    assert [rows[row] for row in first[group].tolist()] == rows
    assert len(first) == len(set(rows))


def test_what_is_the_same_in_every_row_makes_one_group() -> None:
    group, first = groups(keys((7, 8), (7, 8), (7, 8)))
    assert group.tolist() == [0, 0, 0]
    assert len(first) == 1


def test_rows_of_two_sets_have_their_numbers_in_common() -> None:
    ours, theirs = shared(keys((1, 2), (3, 4)), keys((3, 4), (3, 5), (1, 2)))
    assert (ours == theirs[[2, 0]]).all()
    assert theirs[1] not in ours
    assert [len(found) for found in shared(keys((1, 2)), [np.zeros(0, np.int64)] * 2)] == [1, 0]


def test_a_word_has_one_number_in_both_tables_and_unknown_is_a_value_of_its_own() -> None:
    ours = {"proto": text_column(["ethertype-0x0001", "tcp", None]), "port": Column(np.array([1, 2, 3]))}
    theirs = {"proto": text_column(["udp", None, "tcp", "ethertype-0x0002"]), "port": Column(np.arange(4))}
    (mine, port), (other, _) = paired(ours, theirs, ("proto", "port"))
    assert mine[1] == other[2]
    assert mine[2] == other[1]
    assert len({*mine.tolist(), *other.tolist()}) == 5
    assert port.tolist() == [1, 2, 3]


def test_addresses_have_two_halves_and_what_is_unknown_is_like_no_number() -> None:
    assert [half.tolist() for half in parts(Column(np.array([[1, 2], [3, 4]])))] == [[1, 3], [2, 4]]
    (key,) = parts(Column(np.array([0, 0]), np.array([True, False])))
    assert key[0] != key[1]


def test_rows_are_looked_for_among_others() -> None:
    assert among(keys((1, 2), (3, 4), (1, 4)), keys((1, 4), (1, 2))).tolist() == [True, False, True]
    assert among(keys((1, 2)), [np.zeros(0, np.int64)] * 2).tolist() == [False]
    assert among([np.zeros(0, np.int64)], keys((1,))).tolist() == []
