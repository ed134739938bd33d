# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.spans import joined


def test_rows_keep_what_belongs_to_them() -> None:
    numbers, ends = np.arange(3), np.arange(6).reshape(3, 2)
    batch = Datagrams(joined([b"a", b"b", b"c"]), numbers, ends, numbers + 10, ends + 10, numbers + 20, numbers + 30)
    taken = batch.take(np.array([2, 0]))
    assert taken.spans.strings() == [b"c", b"a"]
    assert taken.source.tolist() == [[4, 5], [0, 1]]
    assert taken.at_ns.tolist() == [32, 30]
