# SPDX-License-Identifier: Apache-2.0
"""Samples as they are written, and their elements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.exports.sflow.test_packets import read

from fleutan.exports.sflow.packets import samples
from fleutan.protocols.sflow.batches import Sampled
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.sflow.samples import Sample

ONES = np.ones(3, np.int64)
HEADERS = [b"one" * 9, b"", b"three"]


def written(layout: Layout, found: Sampled | None) -> list[Sample]:
    assert found is not None
    head = {**found.head, "sequence_number": np.arange(found.header.rows)}
    return read(samples(layout, replace(found, head=head)).each())


def elements(sample: Sample) -> list[tuple[str, tuple[object, ...]]]:
    return [(one.layout.name, one.values) for one in sample.elements if one.layout]
