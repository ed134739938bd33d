# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.protocols.datagrams import Datagrams, copied, together
from fleutan.protocols.spans import joined


def test_rows_keep_what_belongs_to_them() -> None:
    numbers, ends = np.arange(3), np.arange(6).reshape(3, 2)
    batch = Datagrams(joined([b"a", b"b", b"c"]), numbers, ends, numbers + 10, ends + 10, numbers + 20, numbers + 30)
    taken = batch.take(np.array([2, 0]))
    assert taken.spans.strings() == [b"c", b"a"]
    assert taken.source.tolist() == [[4, 5], [0, 1]]
    assert taken.at_ns.tolist() == [32, 30]


def batch(*strings: bytes, first: int = 0) -> Datagrams:
    numbers = np.arange(first, first + len(strings))
    ends = np.stack((numbers, numbers), axis=1)
    return Datagrams(joined(strings), numbers, ends, numbers, ends, numbers, numbers)


def test_a_copy_shares_nothing_with_what_may_be_used_again() -> None:
    before = batch(b"a", b"longer")
    found = copied(before)
    assert found.spans.strings() == [b"a", b"longer"]
    assert not np.shares_memory(found.spans.octets, before.spans.octets)
    assert found.sizes is before.sizes


def test_batches_are_put_together_in_order() -> None:
    found = together([batch(b"abc"), batch(), batch(b"de", b"", first=7)])
    assert found.spans.strings() == [b"abc", b"de", b""]
    assert found.at_ns.tolist() == [0, 7, 8]
    assert found.source.tolist() == [[0, 0], [7, 7], [8, 8]]
    assert not (together([copied(batch(b"abc")), copied(batch(b"de"))]).spans.starts & 3).any()


def test_one_batch_alone_stays_as_it_is() -> None:
    alone = batch(b"abc")
    assert together([alone]) is alone
