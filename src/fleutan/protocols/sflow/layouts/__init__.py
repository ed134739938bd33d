# SPDX-License-Identifier: Apache-2.0
"""Every structure of sFlow as a table: its number, its name and its fields in wire order.

Flow and counter structures are numbered apart.  Where a structure has several forms under one
number, they stand in the table one after another, the one that the specification has now first;
the length of the body tells which one was sent.  Names are the specifications' own.  How bytes are
read and written by this table stands in ``cursor`` and ``encoder``.
"""

from __future__ import annotations

from collections.abc import Iterable

from fleutan.protocols.sflow.layouts import hosts, interfaces, owners, packets, services, transactions
from fleutan.protocols.sflow.layouts.xdr import (
    DOUBLE,
    ELEMENTS,
    FLOAT,
    IPV4,
    IPV6,
    MAC,
    U32,
    U64,
    Array,
    Choice,
    Layout,
    row,
    string,
)

FLOWS: tuple[Layout, ...] = packets.LAYOUTS + transactions.LAYOUTS + owners.LAYOUTS
COUNTERS: tuple[Layout, ...] = interfaces.LAYOUTS + hosts.LAYOUTS + services.LAYOUTS

# The expanded forms hold ifIndexes and data sources beyond 24 and 30 bits.
FLOW_SAMPLE = Layout(
    0,
    1,
    "flow_sample",
    row("sequence_number source_id sampling_rate sample_pool drops input output", U32, "flow_records", ELEMENTS),
)
COUNTERS_SAMPLE = Layout(0, 2, "counters_sample", row("sequence_number source_id", U32, "counters", ELEMENTS))
FLOW_SAMPLE_EXPANDED = Layout(
    0,
    3,
    "flow_sample_expanded",
    row(
        "sequence_number ds_class ds_index sampling_rate sample_pool drops",
        "input_format input_value output_format output_value",
        U32,
        *("flow_records", ELEMENTS),
    ),
)
COUNTERS_SAMPLE_EXPANDED = Layout(
    0, 4, "counters_sample_expanded", row("sequence_number ds_class ds_index", U32, "counters", ELEMENTS)
)
DISCARDED_PACKET = Layout(
    0,
    5,
    "discarded_packet",
    row("sequence_number ds_class ds_index drops input output reason", U32, "flow_records", ELEMENTS),
)
# Named figures of applications: sFlow-RT's Custom Metrics.
METRIC = Choice(
    (
        *((0, "string", string(255)), (1, "counter32", U32), (2, "counter64", U64), (3, "gauge32", U32)),
        *((4, "gauge64", U64), (5, "gaugeFloat", FLOAT), (6, "gaugeDouble", DOUBLE)),
    )
)
ATTRIBUTE = Choice(
    (
        *((0, "string", string(255)), (1, "mac", MAC), (2, "ip", IPV4), (3, "ip6", IPV6)),
        *((4, "int32", U32), (5, "int64", U64), (6, "float", FLOAT), (7, "double", DOUBLE)),
    )
)
RTMETRIC = Layout(
    4300,
    1002,
    "rtmetric",
    row("datasource", string(64), "metrics", Array(row("name", string(64), "value", METRIC))),
)
RTFLOW = Layout(
    4300,
    1003,
    "rtflow",
    row(
        *("datasource", string(64), "sampling_rate sample_pool", U32),
        *("attributes", Array(row("name", string(64), "value", ATTRIBUTE))),
    ),
)
SAMPLES = (
    FLOW_SAMPLE,
    COUNTERS_SAMPLE,
    FLOW_SAMPLE_EXPANDED,
    COUNTERS_SAMPLE_EXPANDED,
    DISCARDED_PACKET,
    RTMETRIC,
    RTFLOW,
)


def _forms(layouts: Iterable[Layout]) -> dict[int, tuple[Layout, ...]]:
    forms: dict[int, tuple[Layout, ...]] = {}
    for layout in layouts:
        forms[layout.tag] = (*forms.get(layout.tag, ()), layout)
    return forms


FLOW_FORMS = _forms(FLOWS)
COUNTER_FORMS = _forms(COUNTERS)
