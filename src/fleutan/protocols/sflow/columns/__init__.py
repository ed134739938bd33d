# SPDX-License-Identifier: Apache-2.0
"""sFlow version 5 as columns: a batch of datagrams at once, without a loop over them or their samples.

``walk`` finds the samples; ``flows``, ``discards`` and ``counters`` read those that are asked for, and only
those cost time.  None of them raises.
"""

from __future__ import annotations

from functools import cached_property

from fleutan.protocols.sflow.columns.counters import Counters, Structure, counters
from fleutan.protocols.sflow.columns.packets import HEADER, HEADER_PROTOCOL, INTERNAL, Packets, discards, flows
from fleutan.protocols.sflow.columns.problems import Problems
from fleutan.protocols.sflow.columns.structures import Strings
from fleutan.protocols.sflow.columns.walk import Walk, walk

__all__ = [
    "HEADER",
    "HEADER_PROTOCOL",
    "INTERNAL",
    "Counters",
    "Packets",
    "Problems",
    "Read",
    "Strings",
    "Structure",
    "Walk",
    "counters",
    "discards",
    "flows",
    "walk",
]


class Read:
    """A walk's samples of each kind with all their structures; each is read once, when it is first asked for."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk

    @cached_property
    def flows(self) -> Packets:
        """The flow samples."""
        return flows(self.walk)

    @cached_property
    def discards(self) -> Packets:
        """The discarded packets."""
        return discards(self.walk)

    @cached_property
    def counters(self) -> Counters:
        """The counter samples."""
        return counters(self.walk)
