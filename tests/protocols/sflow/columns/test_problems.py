# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.protocols.sflow.columns.problems import NAMED, OTHERS, Problems, add, add_by_name, names_of
from fleutan.protocols.sflow.cursor import Reason


def test_numbers_have_names() -> None:
    assert names_of(np.array([1, 4413 << 12 | 3, 1])) == {"0:1": 2, "4413:3": 1}
    assert names_of(np.zeros(0, np.int64)) == {}


def test_forged_numbers_do_not_make_a_table_of_their_own() -> None:
    names = names_of(np.append(np.arange(1000), [7, 7]))
    assert len(names) == NAMED + 1
    assert names["0:7"] == 3
    assert names.total() == 1002
    assert names[OTHERS] == 1000 - NAMED


def test_problems_are_counted_by_reason_and_structure() -> None:
    problems = Problems()
    add(problems, Reason.CUT, "datagram", np.array([True, False, True]))
    add(problems, Reason.CUT, "flow_sample", np.array([False]))
    add_by_name(problems, Reason.OVERRUN, np.array([1, 1]))
    assert problems == {(Reason.CUT, "datagram"): 2, (Reason.OVERRUN, "0:1"): 2}
