# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from tests.programs.agent.sampled.showing import HEADERS, ONES, elements, written

from fleutan.programs.agent.sampled.kernel import of_kernel
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED
from fleutan.protocols.spans import joined
from fleutan.sources.packets.kernel_samples import KernelSamples


def kernel_samples(rows: int = 3) -> KernelSamples:
    row = np.arange(rows, dtype=np.int64)
    return KernelSamples(
        at_ns=row * 10**9,
        ifindex=row + 5,
        egress=row > 0,
        rate=row + 100,
        pool=row + 1000,
        drops=row,
        input=row + 5,
        output=row + 7,
        protocol=ONES[:rows],
        length=row + 60,
        stripped=ONES[:rows] * 4,
        header=joined(HEADERS[:rows]),
        queue=row - 1,
        depth=row * 100 - 1,
        delay=-ONES[:rows],
    )


def test_what_the_kernel_sampled_has_what_is_known_of_its_queue() -> None:
    found = written(FLOW_SAMPLE_EXPANDED, of_kernel(kernel_samples()))
    assert [one.named() for one in found] == [
        {
            "sequence_number": row,
            "ds_class": 0,
            "ds_index": row + 5,
            "sampling_rate": row + 100,
            "sample_pool": row + 1000,
            "drops": row,
            "input_format": 0,
            "input_value": row + 5,
            "output_format": 0,
            "output_value": row + 7,
        }
        for row in range(3)
    ]
    assert elements(found[0]) == [("sampled_header", (1, 60, 4, HEADERS[0]))]
    assert elements(found[2]) == [
        ("sampled_header", (1, 62, 4, HEADERS[2])),
        ("extended_timestamp", (2 * 10**9,)),
        ("extended_egress_queue", (1,)),
        ("extended_queue_depth", (199,)),
    ]
    assert of_kernel(kernel_samples(0)) is None


def test_what_is_known_before_structures_is_for_other_forms() -> None:
    sampled = of_kernel(kernel_samples())
    assert sampled is not None
    assert sampled.known.values["egress"].tolist() == [False, True, True]
    assert sampled.known.values["at_ns"].tolist() == [0, 10**9, 2 * 10**9]
