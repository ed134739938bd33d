# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.rejects import REASONS, Rejects


def test_each_is_counted_and_the_first_of_a_datagram_is_remembered() -> None:
    noted = Rejects()
    noted.add(rejects.SET_LENGTH, np.array([2, 0]))
    noted.add(rejects.TEMPLATE, [2, 1])
    noted.add(rejects.TEMPLATE, np.zeros(0, np.int64))
    assert noted.counts == {rejects.SET_LENGTH: 2, rejects.TEMPLATE: 2}
    of = REASONS.index
    assert noted.first(4).tolist() == [of(rejects.SET_LENGTH), of(rejects.TEMPLATE), of(rejects.SET_LENGTH), -1]


def test_what_is_of_an_earlier_batch_counts_for_no_datagram_of_this() -> None:
    noted = Rejects()
    noted.add(rejects.WAITED, [-1])
    assert noted.counts[rejects.WAITED] == 1
    assert noted.first(2).tolist() == [-1, -1]


def test_every_reason_has_a_name_of_its_own() -> None:
    names = [value for name, value in vars(rejects).items() if name.isupper() and isinstance(value, str)]
    assert sorted(names) == sorted(set(REASONS)) == sorted(REASONS)
