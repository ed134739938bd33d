# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from tests.programs.agent.sampled.showing import HEADERS, ONES, elements, written

from fleutan.programs.agent.sampled.fields import head, known, timed
from fleutan.protocols.sflow.batches import Sampled
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED
from fleutan.protocols.spans import joined

ROW = np.arange(3)


def test_a_head_and_structures_make_samples() -> None:
    structures = [timed(ROW * 10**9), known("extended_egress_queue", "queue", ROW + 5, ROW < 1)]
    start = head(ROW + 2, ROW + 10, ROW + 100, ROW, (ROW + 2, ROW + 4))
    found = written(FLOW_SAMPLE_EXPANDED, Sampled(start, ONES, ONES * 60, ONES, joined(HEADERS), structures))
    assert [one.named() for one in found] == [
        {
            "sequence_number": row,
            "ds_class": 0,
            "ds_index": row + 2,
            "sampling_rate": row + 10,
            "sample_pool": row + 100,
            "drops": row,
            "input_format": 0,
            "input_value": row + 2,
            "output_format": 0,
            "output_value": row + 4,
        }
        for row in range(3)
    ]
    assert [elements(one)[1:] for one in found] == [
        [("extended_egress_queue", (5,))],
        [("extended_timestamp", (10**9,))],
        [("extended_timestamp", (2 * 10**9,))],
    ]


def test_the_time_is_told_of_the_rows_that_are_asked_for() -> None:
    when = timed(np.array([0, 7, 8]), np.array([True, True, False]))
    assert (when.rows.tolist(), when.columns["nanoseconds"].tolist()) == ([False, True, False], [7])
