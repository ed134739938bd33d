# SPDX-License-Identifier: Apache-2.0
"""What exporters send, as Tables that are kept: flow records, packet samples, discards, and counters in long form.

What lives here says of which time a row is, and leaves out what no row says.  Counts stay as they
were sent, with the sampling rate beside them.  Where Tables are kept is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fleutan.column import Column, Slices
from fleutan.protocols.sflow import columns as sflow
from fleutan.protocols.sflow.layouts import COUNTER_FORMS
from fleutan.protocols.sflow.layouts.xdr import DOUBLE, FLOAT, I32, U8, U32, U64
from fleutan.protocols.spans import Spans
from fleutan.records import Known, Records, Values
from fleutan.sources.exported import DISCARD, FIELDS, FLOW, SAMPLE, SOURCE, Decoded, apart, columns_of
from fleutan.sources.packetsamples import HEADER_AT, HEADER_KIND, HEADER_SIZE
from fleutan.table import Reading, Table

#: What each kind of record is kept as, and which of its columns says when it was.
KINDS = {FLOW: ("records", "start"), SAMPLE: ("samples", "end"), DISCARD: ("discards", "end")}
#: So far before and after its datagram an exporter's time is believed, in ns: clocks are set wrong.
BEFORE, AFTER = 86_400 * 10**9, 300 * 10**9
#: Columns that are not kept: what only says when records were; of flows, too, what is told since the connection
#: began, so that rows would not add up.
_APART = {FLOW: ("start", "retrans"), SAMPLE: ("start",), DISCARD: ("start",)}
#: sFlow's header protocols that capture files have a number for (tcpdump.org): Ethernet, IPv4, IPv6.
LINK_TYPES = {1: 1, 11: 101, 12: 101}
#: Types of counters: others are strings, addresses and arrays.
_NUMBERS = (U8, U32, I32, U64, FLOAT, DOUBLE)
#: Octets of a sampled header that are kept: all.
WHOLE = 1 << 16


def tables(found: Decoded, header: int = WHOLE) -> Iterator[Table]:
    """A batch as Tables of kinds ``records``, ``samples``, ``discards`` and ``counters``, those that have rows.

    Each has ``time``: when a flow began, when a packet was sampled; where nobody says so, or what is said is
    more than BEFORE or AFTER off, when it was received.  Of sampled headers ``header`` octets are kept.
    """
    reading = Reading("", "", int(found.datagrams.at_ns.max(initial=0)), 0, SOURCE)
    for number, records in apart(found):
        kind, told = KINDS[number]
        names = [name for name in FIELDS if name in records.values and name not in _APART[number]]
        columns = columns_of(records, names)
        if number != FLOW and header:
            columns |= _headers(found, records, header)
        kept = {name: column for name, column in columns.items() if _is_known(column)}
        yield Table(kind, {"time": Column(_times(records, told)), **kept}, reading)
    if found.samples is not None and len(counted := counters(found, found.samples.counters)):
        yield counted


def _times(records: Records, told: str) -> Values:
    """When each record was, as far as that is believed."""
    received = records.values["received"]
    if told not in records.values:
        return received
    said = records.values[told]
    believed = (said >= received - BEFORE) & (said <= received + AFTER) & records.known.get(told, np.True_)
    return np.where(believed, said, received)


def _is_known(column: Column) -> bool:
    """Whether any row has a value."""
    return (column.known is None and column.words is None) or bool(column.mask().any())


def _headers(found: Decoded, records: Records, most: int) -> dict[str, Column]:
    """The headers that were sampled, as far as they are kept, and what they begin with."""
    if found.sflow is None or HEADER_AT not in records.values:
        return {}
    at, size, kind = (records.values[name] for name in (HEADER_AT, HEADER_SIZE, HEADER_KIND))
    known = records.known.get(HEADER_AT, np.ones(records.rows, np.bool_))
    headers = Slices(Spans(found.sflow.words.octets, at, np.minimum(size, most)))
    codes = np.where(known, np.arange(records.rows), -1).astype(np.int32)
    return {"header": Column(codes, None, headers), "link_type": _link_types(kind, known)}


def _link_types(kinds: Values, known: Known) -> Column:
    types = np.zeros(len(kinds), np.int64)
    for kind, number in LINK_TYPES.items():
        types[kinds == kind] = number
    return Column(types, known & (types > 0))


class _Counter(NamedTuple):
    """A field of a structure of counters: the rows that know it, and its values in these."""

    structure: str
    name: str
    rows: Values
    values: Values


def counters(found: Decoded, read: sflow.Counters) -> Table:
    """Counter samples in long form, of kind ``counters``: a row a number that an agent knows.

    ``count`` is a whole number, ``gauge`` another; strings, addresses and arrays are left out.
    """
    samples, parts = read.samples, list(_known_numbers(read))
    if not parts:
        return Table("counters", {})
    row = _joined([part.rows for part in parts])
    datagram = samples.values["datagram"][row]
    place = found.sflow_rows[datagram]
    columns = {"time": Column(found.datagrams.at_ns[place]), "exporter": Column(found.datagrams.source[place])}
    for name, theirs in (("agent", "agent"), ("domain", "sub_agent_id")):
        columns[name] = Column(*_of(found, theirs, datagram))
    columns |= {name: Column(samples.values[name][row]) for name in ("ds_class", "ds_index")}
    columns |= _words(parts) | _values(parts)
    reading = Reading("", "", int(found.datagrams.at_ns.max(initial=0)), 0, SOURCE)
    return Table("counters", {name: column for name, column in columns.items() if _is_known(column)}, reading)


def _known_numbers(read: sflow.Counters) -> Iterator[_Counter]:
    for tag, structure in read.structures.items():
        types = {field.name: field.type for form in COUNTER_FORMS[tag] for field in form.fields}
        records = structure.records
        for name in (name for name, type_ in types.items() if type_ in _NUMBERS and name in records.values):
            values, known = records.values[name], records.known.get(name, np.ones(records.rows, np.bool_))
            known = known & (np.isfinite(values) if values.dtype == np.float64 else True)
            if types[name] is U64:  # beyond 63 bits: no count is so large
                known = known & (values >= 0)
            yield _Counter(structure.layout.name, name, records.values["sample"][known], values[known])


def _of(found: Decoded, name: str, datagram: Values) -> tuple[Values, Known | None]:
    """What heads of sFlow's datagrams say, for these of them."""
    if found.sflow is None:
        raise ValueError("counters are of sFlow")
    heads = found.sflow.datagrams
    return heads.values[name][datagram], heads.known[name][datagram]


def _words(parts: list[_Counter]) -> dict[str, Column]:
    """The names of structures and counters, each once."""
    columns = {}
    for field, names in (("structure", [part.structure for part in parts]), ("counter", [part.name for part in parts])):
        codes = {name: code for code, name in enumerate(dict.fromkeys(names))}
        rows = np.repeat(np.array([codes[name] for name in names], np.int32), [len(part.rows) for part in parts])
        columns[field] = Column(rows, None, tuple(codes))
    return columns


def _values(parts: list[_Counter]) -> dict[str, Column]:
    whole = np.repeat([part.values.dtype != np.float64 for part in parts], [len(part.rows) for part in parts])
    counts = [part.values if part.values.dtype != np.float64 else np.zeros(len(part.rows), np.int64) for part in parts]
    gauges = [part.values if part.values.dtype == np.float64 else np.zeros(len(part.rows)) for part in parts]
    return {"count": Column(_joined(counts), whole), "gauge": Column(np.concatenate([np.zeros(0), *gauges]), ~whole)}


def _joined(parts: list[Values]) -> Values:
    return np.concatenate([np.zeros(0, np.int64), *parts])
