# SPDX-License-Identifier: Apache-2.0
"""What columns say and what messages say of the same datagrams, in the same shape: two decoders must agree."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fleutan.protocols.sflow.columns import Packets, Strings, Structure, counters, discards, flows, walk
from fleutan.protocols.sflow.columns.packets import NAMES
from fleutan.protocols.sflow.cursor import Reason
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.layouts.xdr import FLOAT, I32, MAC, U32, U64, Address, Array, Fixed, Type
from fleutan.protocols.sflow.messages import Message, parse
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import Spans
from fleutan.records import Records

Row = dict[str, Any]
#: Elements in elements stay octets in columns; a structure of two forms of changing length has the first one there.
APART = {1016, 1013}
PATH = "extended_gateway.dst_as_path"
UNKNOWN: dict[Type, float] = {U32: 0xFFFF_FFFF, U64: 0xFFFF_FFFF_FFFF_FFFF, I32: -1, FLOAT: -1.0}


def scattered(payloads: Sequence[bytes], gap: int = 0) -> Spans:
    """The payloads in one buffer, each ``gap`` octets behind the one before."""
    starts = np.cumsum([gap, *(len(payload) + gap for payload in payloads)])[: len(payloads)]
    whole = b"".join(b"\xa5" * gap + payload for payload in payloads)
    sizes = np.array([len(payload) for payload in payloads], np.int64)
    return Spans(np.frombuffer(whole, np.uint8), starts.astype(np.int64), sizes)


def rows_of(records: Records, strings: Mapping[str, Strings]) -> list[Row]:
    """What is known of each row."""
    rows: list[Row] = [{} for _ in range(records.rows)]
    for name, values in records.values.items():
        known = records.known.get(name, np.ones(records.rows, np.bool_))
        for row, value, has in zip(rows, values.tolist(), known.tolist(), strict=True):
            if has:
                row[name] = tuple(value) if isinstance(value, list) else value
    for name, some in strings.items():
        for number, string in zip(some.rows.tolist(), some.spans.strings(), strict=True):
            rows[number][name] = string
    return rows


def value_of(kind: Type, value: Any) -> Any:
    """A message's value as columns have it; None for an unknown address."""
    if kind == MAC:
        return int.from_bytes(value)
    if isinstance(kind, Address) or (isinstance(kind, Fixed) and isinstance(value, bytes)):
        if len(value) == 4:
            value = bytes(10) + b"\xff\xff" + value
        return struct.unpack("!qq", value) if value else None
    if kind == U64:
        return struct.unpack("!q", struct.pack("!Q", value))[0]
    return packed(kind, value) if isinstance(kind, Array) else value


def packed(kind: Type, value: Any) -> bytes:
    """The octets of an array's items, or of a field."""
    if isinstance(kind, Fixed):
        return struct.pack("!" + kind.code, value)
    assert isinstance(kind, Array)
    if not isinstance(kind.item, tuple):
        return b"".join(packed(kind.item, item) for item in value)
    items = b""
    for item in value:
        for field, inner in zip(kind.item, item, strict=True):
            counted = struct.pack("!I", len(inner)) if isinstance(field.type, Array) else b""
            items += counted + packed(field.type, inner)
    return items


def fields_of(element: Element) -> Row:
    """An element's fields."""
    assert element.layout
    pairs = zip(element.layout.fields, element.values, strict=False)
    row = {field.name: value_of(field.type, value) for field, value in pairs}
    return {name: value for name, value in row.items() if value is not None}


def sample_fields(sample: Sample) -> Row:
    """A sample's own fields, by the names of its expanded form."""
    row = sample.named()
    if "source_id" in row:
        source = row.pop("source_id")
        row |= {"ds_class": source >> 24, "ds_index": source & 0xFF_FFFF}
        for name in {"input", "output"} & row.keys():
            value = row.pop(name)
            row |= {f"{name}_format": value >> 30, f"{name}_value": value & 0x3FFF_FFFF}
    return row


def whole_samples(messages: Sequence[Message], tags: set[int]) -> list[tuple[int, Message, Sample]]:
    """The samples of these forms whose own fields are all there, with their datagrams."""
    return [
        (number, message, sample)
        for number, message in enumerate(messages)
        if message.version == 5
        for sample in message.samples
        if sample.tag in tags and sample.layout and len(sample.values) == len(sample.layout.fields) - 1
    ]


def packet_rows(messages: Sequence[Message], tags: set[int]) -> list[Row]:
    """Flow samples or discarded packets as ``rows_of`` gives them."""
    rows = []
    for number, message, sample in whole_samples(messages, tags):
        row = sample_fields(sample) | {"datagram": number, "sub_agent_id": message.sub_agent_id}
        for name in ("input", "output"):
            if not row.get(f"{name}_format") and not row.get(f"{name}_value", row.get(name)):
                row.pop(f"{name}_value", row.pop(name, None))
        for element in reversed(sample.elements):
            if element.layout and element.tag not in APART:
                for old in [name for name in row if name.startswith(f"{NAMES[element.tag]}.")]:
                    del row[old]  # of several the first counts
                row |= {f"{NAMES[element.tag]}.{name}": value for name, value in fields_of(element).items()}
        rows.append(row)
    return rows


def counter_rows(messages: Sequence[Message]) -> tuple[list[Row], dict[int, list[Row]]]:
    """Counter samples, and their structures by number."""
    samples: list[Row] = []
    structures: dict[int, list[Row]] = {}
    for number, message, sample in whole_samples(messages, {2, 4}):
        own = sample_fields(sample) | {"datagram": number}
        for element in sample.elements:
            if element.layout:
                row = fields_of(element)
                kinds = {field.name: field.type for field in element.layout.fields}
                raw = element.named()
                row = {name: value for name, value in row.items() if raw[name] != UNKNOWN.get(kinds[name])}
                place = {name: own[name] for name in ("datagram", "ds_class", "ds_index")}
                structures.setdefault(element.tag, []).append(row | place | {"sample": len(samples)})
        samples.append(own | {"sub_agent_id": message.sub_agent_id})
    return samples, structures


def problems_of(messages: Sequence[Message]) -> Counter[tuple[Reason, str]]:
    """How often each problem occurs in datagrams that are not of versions 2 and 4."""
    return Counter(
        (problem.reason, problem.structure)
        for message in messages
        if message.version not in (2, 4)
        for problem in message.problems
        if problem.structure not in ("rtmetric", "rtflow")
    )


def without_cut_lists(found: list[Row], expected: list[Row]) -> list[Row]:
    """What is expected, but for lists of lists that do not end: columns leave them out whole."""
    for mine, theirs in zip(found, expected, strict=True):
        for name in (PATH, "adapters"):
            if name in theirs and name not in mine:
                del theirs[name]
    return expected


def agree(payloads: Sequence[bytes], gap: int = 0) -> None:
    """Asserts that both decoders say the same of these datagrams."""
    messages = [parse(payload) for payload in payloads]
    batch = walk(scattered(payloads, gap))
    heads = rows_of(batch.datagrams, {})
    for head, message in zip(heads, messages, strict=True):
        assert head.get("version") == message.version
        if message.version == 5 and message.sample_count is not None:
            agent = value_of(Address(), message.agent)
            assert head.get("agent") == agent
            assert [head[name] for name in ("sub_agent_id", "sequence_number", "uptime", "sample_count")] == [
                *message[2:6]
            ]
        else:
            assert set(head) <= {"version"}
    assert batch.earlier.tolist() == [message.version in (2, 4) for message in messages]
    problems = Counter(batch.problems)
    for found, tags in ((flows(batch), {1, 3}), (discards(batch), {5})):
        problems += found.problems
        agree_on_packets(found, packet_rows(messages, tags))
    counted = counters(batch)
    problems += counted.problems
    samples, structures = counter_rows(messages)
    assert rows_of(counted.samples, {}) == samples
    assert counted.structures.keys() == structures.keys()
    for tag, structure in counted.structures.items():
        agree_on_counters(structure, structures[tag])
    assert problems == problems_of(messages)


def agree_on_packets(found: Packets, expected: list[Row]) -> None:
    rows = rows_of(found.records, found.strings)
    assert len(rows) == len(expected)
    for row, theirs in zip(rows, without_cut_lists(rows, expected), strict=True):
        for name in ("extended_gateway.dst_as", "extended_gateway.dst_peer_as"):
            row.pop(name, None)
        left_out = tuple(f"{NAMES[tag]}." for tag in APART)
        mine = {name: value for name, value in row.items() if not name.startswith(left_out)}
        assert mine == theirs, mine.items() ^ theirs.items()


def agree_on_counters(structure: Structure, expected: list[Row]) -> None:
    rows = rows_of(structure.records, structure.strings)
    for row in rows:
        if "adapters" in row:
            row["adapters"] = without_padding(row["adapters"])
    assert rows == without_cut_lists(rows, expected)


def without_padding(adapters: bytes) -> bytes:
    """Zeros behind the MAC addresses, where some agents leave what was in their memory."""
    octets, at = bytearray(adapters), 0
    while at < len(octets):
        count = int.from_bytes(octets[at + 4 : at + 8])
        for mac in range(count):
            octets[at + 14 + 8 * mac : at + 16 + 8 * mac] = bytes(2)
        at += 8 + 8 * count
    return bytes(octets)
