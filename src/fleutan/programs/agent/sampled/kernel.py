# SPDX-License-Identifier: Apache-2.0
"""Packets that the kernel sampled by itself (psample, NFLOG), with what is known of their queue."""

from __future__ import annotations

from fleutan.programs.agent.sampled.fields import head, known, timed
from fleutan.protocols.sflow.batches import Sampled
from fleutan.protocols.spans import Ints
from fleutan.records import Records
from fleutan.sources.packets.kernel_samples import KernelSamples

#: What is known of a queue: the column, its structure, and the field of that.
_QUEUED = (
    ("queue", "extended_egress_queue", "queue"),
    ("depth", "extended_queue_depth", "depth"),
    ("delay", "extended_transit_delay", "delay"),
)


def of_kernel(found: KernelSamples) -> Sampled | None:
    """Packets that the kernel sampled by itself."""
    if not found.rows:
        return None
    sampled = head(found.ifindex, found.rate, found.pool, found.drops, (found.input, found.output))
    structures = [timed(found.at_ns)]
    for column, structure, field in _QUEUED:
        values: Ints = getattr(found, column)
        structures.append(known(structure, field, values, values >= 0))
    before = Records(found.rows, {"at_ns": found.at_ns, "egress": found.egress}, {})
    return Sampled(sampled, found.protocol, found.length, found.stripped, found.header, structures, known=before)
