# SPDX-License-Identifier: Apache-2.0
"""Writes datagrams of version 5 from messages, samples and elements, by the same layouts that read them.

What lives here decides nothing about what is sent when, or how many samples a datagram holds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.layouts import COUNTERS, FLOWS, SAMPLES
from fleutan.protocols.sflow.layouts.xdr import (
    Address,
    Array,
    Choice,
    Elements,
    Field,
    Fixed,
    Layout,
    Octets,
    Type,
)
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.samples import Sample

Writer = Callable[[Any], bytes]


def element(layout: Layout, values: Mapping[str, Any]) -> Element:
    """An element of this structure with these values by name; ``KeyError`` names one that is missing."""
    return Element(layout.tag, layout, tuple(values[name] for name in layout.names))


def sample(layout: Layout, values: Mapping[str, Any], elements: Iterable[Element] = ()) -> Sample:
    """A sample of this form with these values by name; ``KeyError`` names one that is missing."""
    names = [field.name for field in layout.fields if not isinstance(field.type, Elements)]
    inner = tuple(elements)
    return Sample(layout.tag, layout, tuple(values[name] for name in names), inner, len(inner))


def encode(message: Message) -> bytes:
    """The message as a datagram of version 5.

    A value that its field cannot hold raises ``ValueError`` with the structure's name.  What a
    reader found broken is not repaired: a structure that is not whole cannot be written.
    """
    if message.version != 5 or message.agent is None:
        raise ValueError("datagram: only version 5, with an agent, is written")
    numbers = (message.sub_agent_id, message.sequence_number, message.uptime, len(message.samples))
    parts = [_U32(5), _write_address(message.agent), _checked("datagram", _HEAD, numbers)]
    parts.extend(map(encode_sample, message.samples))
    return b"".join(parts) + message.rest


def encode_sample(item: Sample) -> bytes:
    """A sample with its number and its length."""
    if item.layout is None:
        return _tagged(item.tag, item.rest)
    values = item.values
    if isinstance(item.layout.fields[-1].type, Elements):
        values = (*values, item.elements)
    return _tagged(item.tag, _body(item.layout, values) + item.rest)


def encode_element(item: Element) -> bytes:
    """An element with its number and its length."""
    body = _body(item.layout, item.values) if item.layout else b""
    return _tagged(item.tag, body + item.rest)


def _tagged(tag: int, body: bytes) -> bytes:
    return struct.pack("!II", tag, len(body)) + body + bytes(-len(body) & 3)


def _body(layout: Layout, values: Sequence[Any]) -> bytes:
    writer = _WRITERS.get(layout) or _structure(layout.fields)
    return _checked(layout.name, writer, values)


def _checked(name: str, writer: Writer, values: Any) -> bytes:
    try:
        return writer(values)
    except (struct.error, TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error


def _structure(fields: tuple[Field, ...]) -> Writer:
    """What writes these fields; neighbouring ones of fixed size are written at once."""
    if all(isinstance(field.type, Fixed) for field in fields):
        form = struct.Struct("!" + "".join(field.type.code for field in fields if isinstance(field.type, Fixed)))
        return lambda values: form.pack(*values)
    writers = [_writer(field.type) for field in fields]
    return lambda values: b"".join(write(value) for write, value in zip(writers, values, strict=True))


def _writer(item: Type) -> Writer:
    match item:
        case Fixed():
            return struct.Struct("!" + item.code).pack
        case Octets():
            return _write_octets
        case Address():
            return _write_address
        case Array():
            return _array_writer(item)
        case Choice():
            return _choice_writer(item)
        case Elements():
            return _write_elements


def _write_octets(value: bytes) -> bytes:
    return _U32(len(value)) + value + bytes(-len(value) & 3)


def _write_address(value: bytes) -> bytes:
    kinds = {0: 0, 4: 1, 16: 2}
    if len(value) not in kinds:
        raise ValueError(f"an address has 4 or 16 octets, not {len(value)}")
    return _U32(kinds[len(value)]) + value


def _write_elements(items: Sequence[Element]) -> bytes:
    return _U32(len(items)) + b"".join(map(encode_element, items))


def _array_writer(array: Array) -> Writer:
    one = _structure(array.item) if isinstance(array.item, tuple) else _writer(array.item)
    return lambda items: _U32(len(items)) + b"".join(map(one, items))


def _choice_writer(choice: Choice) -> Writer:
    writers = {number: _writer(item) for number, _, item in choice.cases}

    def write(value: tuple[int, Any]) -> bytes:
        number, inner = value
        if number not in writers:
            raise ValueError(f"there is no value type {number}")
        return _U32(number) + writers[number](inner)

    return write


def _U32(value: int) -> bytes:  # noqa: N802
    return struct.pack("!I", value)


_HEAD: Writer = _structure(tuple(Field("", Fixed("u32", "I", 4)) for _ in range(4)))
_WRITERS: dict[Layout, Writer] = {layout: _structure(layout.fields) for layout in (*FLOWS, *COUNTERS, *SAMPLES)}
