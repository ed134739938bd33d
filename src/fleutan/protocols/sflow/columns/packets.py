# SPDX-License-Identifier: Apache-2.0
"""Sampled and discarded packets as columns: a row a sample, with what its structures say of the packet.

What lives here joins structures to samples.  The sampled header's bytes are found here and read
by the room of packets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from fleutan.protocols.sflow.columns.gateways import GATEWAY, PATH, path_ends
from fleutan.protocols.sflow.columns.numbers import firsts, rows_by_number
from fleutan.protocols.sflow.columns.problems import Problems, names_of
from fleutan.protocols.sflow.columns.samples import samples_of
from fleutan.protocols.sflow.columns.structures import Strings, Structures, read
from fleutan.protocols.sflow.columns.walk import Walk
from fleutan.protocols.sflow.layouts import DISCARDED_PACKET, FLOW_FORMS, FLOW_SAMPLE, FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.spans import Ints
from fleutan.records import Known, Records, Values

#: The value of an interface that stands for the device itself (sFlow Version 5, section 5).
INTERNAL = 0x3FFF_FFFF
#: The structure and field that hold the packet's first octets, and what they begin with.
HEADER, HEADER_PROTOCOL = "sampled_header.header", "sampled_header.protocol"

_SHARED = [name for name, number in Counter(forms[0].name for forms in FLOW_FORMS.values()).items() if number > 1]
#: What each structure is called here: where two share a name, it has their numbers behind it.
NAMES = {
    tag: f"{forms[0].name}_{tag}" if forms[0].name in _SHARED else forms[0].name for tag, forms in FLOW_FORMS.items()
}


class Packets(NamedTuple):
    """Samples of packets.

    ``records`` has a row a sample: ``datagram`` (its row in the batch), ``sub_agent_id``, the
    sample's own fields by the names of its expanded form, and the fields of its structures as
    ``structure.field`` by ``NAMES``, unknown where the sample has none; of several structures of one number in
    a sample the first counts.  ``extended_gateway.dst_as`` and ``dst_peer_as`` are the last and the
    first number of its path.  ``strings`` are those of the structures by the same names.
    ``skipped`` counts structures that were not read, by number: those without a layout, and those
    after the first.
    """

    records: Records
    strings: dict[str, Strings]
    skipped: Counter[str]
    problems: Problems


def flows(walk: Walk, wanted: Collection[int] | None = None) -> Packets:
    """The flow samples of both forms; of their structures those with these numbers, None for all that are known.

    An interface is unknown where its format and value are 0.  sFlow Version 5, section 5
    (``flow_sample``, ``flow_sample_expanded``).
    """
    found = _packets(walk, (FLOW_SAMPLE, FLOW_SAMPLE_EXPANDED), wanted)
    for name in ("input", "output"):
        kind, value = (found.records.values[f"{name}_{part}"] for part in ("format", "value"))
        _know(found.records, f"{name}_value", (kind != 0) | (value != 0))
    return found


def discards(walk: Walk, wanted: Collection[int] | None = None) -> Packets:
    """The discarded packets; of their structures those with these numbers, None for all that are known.

    An interface is unknown where it is 0.  sFlow Dropped Packet Notification Structures
    (``discarded_packet``).
    """
    found = _packets(walk, (DISCARDED_PACKET,), wanted)
    for name in ("input", "output"):
        _know(found.records, name, found.records.values[name] != 0)
    return found


def _packets(walk: Walk, layouts: tuple[Layout, ...], wanted: Collection[int] | None) -> Packets:
    problems, strings = Problems(), dict[str, Strings]()
    samples = samples_of(walk, layouts, problems)
    records = Records(samples.rows, samples.values, {})
    by_number = rows_by_number(samples.tags, FLOW_FORMS)
    skipped = names_of(by_number.unknown)
    for tag, rows in by_number.rows.items():
        if wanted is None or tag in wanted:
            # Of structures with several forms only the first is looked for: the others are a decoder's own.
            layout = FLOW_FORMS[tag][0]
            some = rows[firsts(samples.structures.owner[rows])]
            skipped += names_of(np.full(len(rows) - len(some), tag))
            at, ends = samples.structures.at[some], samples.structures.ends[some]
            found = read(walk.words, at, ends, layout, problems)
            _join(records, strings, samples.structures.owner[some], NAMES[tag], found)
    if PATH in strings:
        _join(records, strings, strings[PATH].rows, GATEWAY, path_ends(walk.words, strings[PATH].spans))
    return Packets(records, strings, skipped, problems)


def _join(records: Records, strings: dict[str, Strings], rows: Ints, name: str, found: Structures) -> None:
    """Puts the fields of structures beside the samples that they belong to."""
    everywhere = len(rows) == records.rows
    for field, values in found.values.items():
        records.values[f"{name}.{field}"] = values if everywhere else _spread(records.rows, rows, values)
        known = found.known.get(field)
        if not everywhere:
            records.known[f"{name}.{field}"] = _spread(records.rows, rows, np.True_ if known is None else known)
        elif known is not None:
            records.known[f"{name}.{field}"] = known
    for field, some in found.strings.items():
        strings[f"{name}.{field}"] = Strings(rows[some.rows], some.spans)


def _spread(size: int, rows: Ints, values: Values | np.bool_) -> Values:
    whole = np.zeros((size, *values.shape[1:]), values.dtype)
    whole[rows] = values
    return whole


def _know(records: Records, name: str, known: Known) -> None:
    if not known.all():
        records.known[name] = known
