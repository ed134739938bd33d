# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.checksums import complement, folded, summed
from fleutan.protocols.spans import Spans, joined


def plainly(octets: bytes) -> int:
    """RFC 1071 section 4.1, one string at a time."""
    octets += bytes(len(octets) % 2)
    total = sum(int.from_bytes(octets[at : at + 2]) for at in range(0, len(octets), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_the_example_of_the_rfc() -> None:
    """RFC 1071 section 3: 00 01 f2 03 f4 f5 f6 f7 sum to ddf2."""
    sums = summed(joined([bytes.fromhex("0001f203f4f5f6f7")]))
    assert sums.tolist() == [0xDDF2]
    assert complement(sums).tolist() == [0x220D]


@given(st.lists(st.one_of(st.binary(max_size=9), st.integers(0, 700).map(lambda size: b"\xff" * size)), max_size=12))
def test_sums_of_strings_at_any_place(strings: list[bytes]) -> None:
    assert summed(joined(strings)).tolist() == [plainly(one) for one in strings]


@given(st.binary(max_size=60), st.data())
def test_sums_of_strings_that_overlap_in_any_order(octets: bytes, data: st.DataObject) -> None:
    bounds = st.tuples(st.integers(0, len(octets)), st.integers(0, len(octets))).map(sorted)
    chosen = data.draw(st.lists(bounds, max_size=8))
    starts = np.array([start for start, _ in chosen], np.int64)
    sizes = np.array([end - start for start, end in chosen], np.int64)
    found = summed(Spans(np.frombuffer(octets, np.uint8), starts, sizes))
    assert found.tolist() == [plainly(octets[start:end]) for start, end in chosen]


def test_carries_are_added_until_none_is_left() -> None:
    large = np.array([0, 0xFFFF, 0x10000, 0x1FFFE, 0x1FFFF, (1 << 62) - 1])
    assert folded(large).tolist() == [0, 0xFFFF, 1, 0xFFFF, 1, ((1 << 62) - 2) % 0xFFFF + 1]
