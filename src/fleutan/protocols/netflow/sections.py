# SPDX-License-Identifier: Apache-2.0
"""Sections of packets that data records carry, for who reads packets: where they lie, and whose they are.

RFC 5477 8.5 (313 to 317), RFC 7133 and RFC 8549 (409, 410); Cisco (104).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.decoding import Batch
from fleutan.protocols.netflow.wire.groups import Group
from fleutan.protocols.netflow.wire.templates import places
from fleutan.protocols.spans import Spans

Ints = NDArray[np.int64]

#: Frames from their link header on, packets from the IP header on, and what stands between.
SECTIONS = ("dataLinkFrameSection", "layer2packetSectionData", "ipHeaderPacketSection", "mplsLabelStackSection")


class Section(NamedTuple):
    """Sections of one kind: ``rows`` ``(n,)`` are those of ``flows``, of the same batch."""

    rows: Ints
    spans: Spans


def sections(batch: Batch) -> dict[str, Section]:
    """The sections in the data records of a batch by their element's name, in order of arrival."""
    found: dict[str, list[tuple[Ints, Spans]]] = {}
    for group in batch.of(options=False):
        names = places(group.layout.fields)
        for name in SECTIONS:
            if name in names and group.rows:
                found.setdefault(name, []).append((batch.ranks(group), _spans(group, names, name)))
    return {name: _together(batch, parts) for name, parts in found.items()}


def _spans(group: Group, names: dict[str, int], name: str) -> Spans:
    """Without the padding of sections shorter than their field, where the record says so."""
    spans = group.spans(names[name])
    if "sectionExportedOctets" not in names:
        return spans
    return spans._replace(sizes=np.minimum(spans.sizes, group.numbers(names["sectionExportedOctets"])[0]))


def _together(batch: Batch, parts: list[tuple[Ints, Spans]]) -> Section:
    rows = np.concatenate([rows for rows, _ in parts])
    starts, sizes = (np.concatenate([spans[place] for _, spans in parts]) for place in (1, 2))
    order = np.argsort(rows, kind="stable")
    return Section(rows[order], Spans(batch.since.octets, starts[order], sizes[order]))
