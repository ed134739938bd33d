# SPDX-License-Identifier: Apache-2.0
"""The samples of versions 2 and 4: fixed structures without numbers and lengths of their own.

Their structures are those of version 5 or shorter forms of them, and their elements say so: a
packet's header is an element 1 here, its gateway a 1003.  What is not known has no length, so that
nothing after it in the datagram can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from fleutan.protocols.sflow.cursor import Broken, Cursor, Problem, Reason, Step, Values, reader
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.layouts import interfaces, packets
from fleutan.protocols.sflow.layouts.xdr import OPAQUE, U32, Array, Layout, row, string
from fleutan.protocols.sflow.samples import Sample

T = TypeVar("T")

FLOW_SAMPLE = Layout(
    0,
    1,
    "flow_sample",
    row("sequence_number source_id sampling_rate sample_pool drops input output packet_data_tag", U32),
)
COUNTERS_SAMPLE = Layout(
    0, 2, "counters_sample", row("sequence_number source_id sampling_interval counters_version", U32)
)
SAMPLES = {1: FLOW_SAMPLE, 2: COUNTERS_SAMPLE}
_AS = row("as src_as src_peer_as", U32)

# The packet's own data, by packet_data_tag.
PACKETS = {
    1: Layout(0, 1, "sampled_header", row("protocol frame_length", U32, "header", OPAQUE)),
    2: Layout(0, 3, "sampled_ipv4", packets.SAMPLED_IPV4),
    3: Layout(0, 4, "sampled_ipv6", packets.SAMPLED_IPV6),
}
_V5 = {layout.tag: layout for layout in packets.LAYOUTS}
# What is said besides, by its number.
EXTENDED = {
    1: _V5[1001],
    2: _V5[1002],
    3: Layout(
        0,
        1003,
        "extended_gateway",
        (*_AS, *row("dst_as_path", Array(packets.AS_PATH_SEGMENT), "communities", Array(U32), "localpref", U32)),
    ),
    4: Layout(0, 1004, "extended_user", row("src_user dst_user", string())),
    5: Layout(0, 1005, "extended_url", row("direction", U32, "url", string())),
}
# In version 2 a path is a list of numbers, and nothing follows it.
EXTENDED_2 = EXTENDED | {3: Layout(0, 1003, "extended_gateway", (*_AS, *row("dst_as_path", Array(U32))))}
_COUNTERS = {layout.tag: layout for layout in interfaces.LAYOUTS}
# Which counters follow, by counters_version: generic, Ethernet, token ring, FDDI, VG, WAN, VLAN.
COUNTERS = {1: (1,), 2: (1, 2), 3: (1, 3), 4: (1,), 5: (1, 4), 6: (1,), 7: (5,)}


def read_sample(cursor: Cursor, tag: int, version: int) -> Sample:
    """The sample at the cursor, whose number was before it; where it is not whole, nothing follows that can be read."""
    values: Values = []
    elements: list[Element] = []
    whole = True
    try:
        _READERS[_known(SAMPLES, tag, cursor)](cursor, values)
        if tag == 1:
            _read_flow(cursor, values[-1], EXTENDED if version > 2 else EXTENDED_2, elements)
        else:
            _read_counters(cursor, values[-1], elements)
    except Broken as broken:
        layout = SAMPLES.get(tag)
        cursor.problems.append(Problem(broken.reason, broken.at, layout.name if layout else f"0:{tag}"))
        whole = False
    return Sample(tag, SAMPLES.get(tag), tuple(values), tuple(elements), len(elements), whole=whole)


def _read_flow(cursor: Cursor, packet: int, extended: dict[int, Layout], elements: list[Element]) -> None:
    _read_element(cursor, PACKETS, packet, elements)
    for _ in range(cursor.number()):
        _read_element(cursor, extended, cursor.number(), elements)


def _read_counters(cursor: Cursor, version: int, elements: list[Element]) -> None:
    for tag in _known(COUNTERS, version, cursor):
        _read_element(cursor, _COUNTERS, tag, elements)


def _read_element(cursor: Cursor, layouts: dict[int, Layout], number: int, elements: list[Element]) -> None:
    layout = _known(layouts, number, cursor)
    values: Values = []
    try:
        _READERS[layout](cursor, values)
    finally:
        elements.append(Element(layout.tag, layout, tuple(values)))


def _known(layouts: Mapping[int, T], number: int, cursor: Cursor) -> T:
    """What this number stands for, which the cursor has just passed."""
    if number not in layouts:
        raise Broken(Reason.TAG, cursor.at - 4)
    return layouts[number]


def _no_elements(cursor: Cursor, values: Values) -> None:
    """No structure of these versions holds elements."""


_READERS: dict[Layout, Step] = {
    layout: reader(layout.fields, _no_elements)
    for layout in (
        *(FLOW_SAMPLE, COUNTERS_SAMPLE),
        *(*PACKETS.values(), *EXTENDED.values(), *EXTENDED_2.values()),
        *(_COUNTERS[tag] for tag in (1, 2, 3, 4, 5)),
    )
}
