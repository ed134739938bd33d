# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.sflow.columns.chains import FEW, STEPS, Chains, follow
from fleutan.protocols.sflow.columns.words import words_of
from fleutan.protocols.spans import joined

Found = tuple[list[tuple[int, int, int, bool]], int]


def entry(body: bytes, size: int | None = None) -> bytes:
    return struct.pack("!II", 9, len(body) if size is None else size) + body + bytes(-len(body) & 3)


def chains(lists: list[bytes], counts: list[int], unit: int = 1) -> tuple[Chains, list[Found]]:
    """What is found, with places relative to each list."""
    words = words_of(joined(lists))
    found = follow(words, words.starts, words.ends, np.array(counts, np.int64), unit)
    ordered = found.in_order()
    split: list[Found] = []
    for row, start in enumerate((4 * words.starts).tolist()):
        mine = ordered.owner == row
        assert ordered.number[mine].tolist() == list(range(int(found.found[row])))
        columns = (
            4 * ordered.at[mine] - start,
            ordered.ends[mine] - start,
            ordered.number[mine],
            ordered.overrun[mine],
        )
        split.append(
            (list(zip(*(column.tolist() for column in columns), strict=True)), int(found.reached[row]) - start)
        )
    return found, split


def slow(octets: bytes, count: int, unit: int) -> Found:
    """One list, entry by entry."""
    entries: list[tuple[int, int, int, bool]] = []
    at = 0
    while len(entries) < count and at + 8 <= len(octets):
        size = int.from_bytes(octets[at + 4 : at + 8]) * unit
        begin = at + 8
        entries.append((begin, min(begin + size, len(octets)), len(entries), begin + size > len(octets)))
        at = begin + (size + 3 & ~3)
    return entries, min(at, len(octets))


def test_entries_of_many_lists() -> None:
    _, found = chains([entry(b"abcd") + entry(b""), b"", entry(b"12345")], [2, 3, 1])
    assert found[0] == ([(8, 12, 0, False), (20, 20, 1, False)], 20)
    assert found[1] == ([], 0)
    assert found[2] == ([(8, 13, 0, False)], 16)


def test_first_those_that_are_first() -> None:
    found, _ = chains([entry(b"") * 2, entry(b"")], [2, 1])
    assert found.owner.tolist() == [0, 1, 0]
    assert found.in_order().owner.tolist() == [0, 0, 1]
    assert found.take(found.number == 1).owner.tolist() == [0]


def test_no_more_than_promised_and_no_more_than_there_are() -> None:
    found, split = chains([entry(b"") * 5, entry(b"") * 2, entry(b"") + b"1234567"], [3, 2**32 - 1, 9])
    assert found.found.tolist() == [3, 2, 1]
    assert [reached for _, reached in split] == [24, 16, 8]


def test_what_is_longer_than_its_list_is_its_last_entry() -> None:
    _, found = chains([entry(b"abcd", 2**32 - 1) + entry(b""), entry(b"")], [2, 1])
    assert found[0] == ([(8, 20, 0, True)], 20)


def test_the_last_padding_may_be_missing() -> None:
    _, found = chains([entry(b"") + struct.pack("!II", 9, 5) + b"abcde"], [2])
    assert found[0] == ([(8, 8, 0, False), (16, 21, 1, False)], 21)


def test_lengths_may_count_words() -> None:
    _, found = chains([struct.pack("!6I", 2, 2, 7, 8, 1, 0)], [2], unit=4)
    assert found[0] == ([(8, 16, 0, False), (24, 24, 1, False)], 24)


def test_a_list_of_very_many_entries_beside_short_ones() -> None:
    long = entry(b"") * 8000 + b"end"
    found, split = chains([entry(b"abcd"), long, entry(b"") * STEPS, long], [1, 2**32 - 1, 100, 7000])
    assert found.found.tolist() == [1, 8000, STEPS, 7000]
    assert split[1] == slow(long, 2**32 - 1, 1)
    assert split[3] == slow(long, 7000, 1)


def test_many_lists_of_many_entries_go_step_by_step() -> None:
    whole = entry(b"") * (STEPS + 5)
    found, split = chains([whole] * (FEW + 1), [2**31] * (FEW + 1))
    assert found.found.tolist() == [STEPS + 5] * (FEW + 1)
    assert split == [slow(whole, 2**31, 1)] * (FEW + 1)


SIZES = st.sampled_from([0, 0, 0, 1, 4, 5, 8, 2**32 - 1])


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(SIZES, st.integers(0, 8)), max_size=STEPS * 3), st.integers(0, STEPS * 3)),
        max_size=4,
    ),
    st.sampled_from([1, 4]),
    st.integers(0, 3),
)
def test_as_entry_by_entry(lists: list[tuple[list[tuple[int, int]], int]], unit: int, cut: int) -> None:
    whole = [b"".join(entry(bytes(room), size) for size, room in entries) for entries, _ in lists]
    whole = [octets[: max(len(octets) - cut, 0)] for octets in whole]
    counts = [count for _, count in lists]
    _, found = chains(whole, counts, unit)
    assert found == [slow(octets, count, unit) for octets, count in zip(whole, counts, strict=True)]
