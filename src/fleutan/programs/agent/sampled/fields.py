# SPDX-License-Identifier: Apache-2.0
"""Fields that packets have wherever they come from: the head of a sample, its time, what is known of some."""

from __future__ import annotations

import numpy as np

from fleutan.protocols.sflow.batches import Structure
from fleutan.protocols.spans import Ints, Mask


def head(ifindex: Ints, rate: Ints, pool: Ints, drops: Ints, ways: tuple[Ints, Ints]) -> dict[str, Ints]:
    """What stands before the elements of samples of packets, but their numbers; ``ways`` are in and out.

    The data source is the interface, as are the ways.  Each column is ``(n,)``.
    """
    zeros = np.zeros(len(ifindex), np.int64)
    return {
        "ds_class": zeros,
        "ds_index": ifindex,
        "sampling_rate": rate,
        "sample_pool": pool,
        "drops": drops,
        "input_format": zeros,
        "input_value": ways[0],
        "output_format": zeros,
        "output_value": ways[1],
    }


def known(structure: str, field: str, values: Ints, rows: Mask) -> Structure:
    """A structure of one field, for the rows of which it is known."""
    return Structure(structure, rows, {field: values[rows]})


def timed(at_ns: Ints, rows: Mask | bool = True) -> Structure:  # a mask of all
    """When packets were seen (UTC, ns; 0 where that is unknown), of these rows."""
    return known("extended_timestamp", "nanoseconds", at_ns, (at_ns > 0) & rows)
