# SPDX-License-Identifier: Apache-2.0
"""Datagrams to begin with: of real exporters where their captures are there, and made by the encoders."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from tests.captures import CAPTURES
from tests.protocols.netflow.making import options_9, options_10, record_5, set_of, template, v5, v9, v10
from tests.protocols.packet import stacks

from fleutan.protocols.capture.datagrams import udp_datagrams
from fleutan.protocols.capture.reading import read
from fleutan.protocols.netflow.wire.templates import VARIABLE
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode, sample
from fleutan.protocols.sflow.layouts import COUNTERS, FLOWS, SAMPLES, xdr
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.samples import Sample

#: Capture files of which as many octets are taken as fit into the tests' time.
MOST = 1 << 20


@cache
def captures() -> tuple[bytes, ...]:
    """The capture files beside the repository; none where they are absent."""
    return tuple(path.read_bytes()[:MOST] for path in sorted(CAPTURES.glob("*/*.pcap")))


@cache
def exporters() -> tuple[tuple[bytes, ...], ...]:
    """Datagrams in order, of an exporter each."""
    real = (udp_datagrams(read(octets)[0]) for octets in captures())
    recorded = (tuple(found.spans.take(np.arange(min(found.spans.rows, 200))).strings()) for found in real)
    return (tuple(made_sflow()), tuple(made_netflow()), *(strings for strings in recorded if strings))


def made_sflow() -> Iterator[bytes]:
    """A datagram for each structure of version 5, and one for each kind of header in a sample."""
    for layouts, kinds in ((FLOWS, SAMPLES[0:3:2]), (COUNTERS, SAMPLES[1:4:2])):
        for number, layout in enumerate(layouts):
            values = tuple(_value(field.type, number) for field in layout.fields)
            yield datagram(_sample(kinds[number % 2], Element(layout.tag, layout, values)))
    for kind, packet in packets():
        values = (kind, len(packet) + 4, 4, packet)
        yield datagram(*(_sample(form, Element(1, FLOWS[0], values)) for form in (SAMPLES[0], SAMPLES[4])))
    for layout in SAMPLES[5:]:
        yield datagram(Sample(layout.tag, layout, tuple(_value(field.type, 1) for field in layout.fields)))


def datagram(*samples: Sample) -> bytes:
    """These samples of an agent."""
    return encode(Message(5, b"\xc0\x00\x02\x07", 0, 1, 1000, len(samples), samples))


def _sample(layout: xdr.Layout, element: Element) -> Sample:
    values = {field.name: 1 for field in layout.fields if isinstance(field.type, xdr.Fixed)}
    return sample(layout, values, (element, Element(element.tag | 1 << 20, None, (), b"some octets.")))


def _value(item: xdr.Type, number: int) -> object:
    match item:
        case xdr.Fixed():
            size = int(item.code.split("s")[0]) if "s" in item.code else 0
            return bytes(range(10, 10 + size)) if size else number
        case xdr.Octets():
            return b"a name of something"
        case xdr.Address():
            return b"\xc0\x00\x02\x01" if number % 2 else bytes(range(32, 48))
        case xdr.Array():
            single = not isinstance(item.item, tuple)
            fields = (xdr.Field("", item.item),) if isinstance(item.item, xdr.Type) else item.item
            values = tuple(_value(field.type, number) for field in fields)
            return (values[0] if single else values,) * 2
        case xdr.Choice():
            return tuple((kind, _value(inner, number)) for kind, _, inner in item.cases)[number % len(item.cases)]
        case xdr.Elements():
            return (Element(1001, None, (), bytes(16)),)


def packets() -> Iterator[tuple[int, bytes]]:
    """Packets of all layers, by how they begin (sFlow's ``header_protocol``)."""
    inner = stacks.ipv4(17, b"\x00\x35\x12\x34\x00\x20\x00\x00a name of something.....")
    bodies = (stacks.ipv4(6, bytes(range(80))), stacks.ipv6(58, bytes(range(60))))
    yield 1, stacks.ethernet(stacks.TYPE4, bodies[0])
    yield 1, stacks.ethernet(stacks.TYPE6, stacks.ipv6(0, stacks.options6(43, stacks.options6(17, bytes(40)))))
    yield 1, stacks.ethernet(0x8100, stacks.tag(7, stacks.TYPE4, stacks.ipv4(6, bytes(40), options=bytes(range(8)))))
    yield 1, stacks.ethernet(stacks.TYPE_MPLS, stacks.label(7, stacks.label(8, bodies[1]), bottom=0))
    yield 1, stacks.ethernet(stacks.TYPE_ARP, bytes.fromhex("0001080006040001") + bytes(range(20)))
    yield 11, stacks.ipv4(47, b"\0\0\x08\0" + inner)
    yield 11, stacks.ipv4(4, inner)
    yield 12, stacks.ipv6(44, stacks.fragment6(17, 0, 1, 9, bytes(range(40))))
    vxlan = b"\x08\0\0\0\0\0\x07\0" + stacks.ethernet(stacks.TYPE4, inner)
    yield 11, stacks.ipv4(17, b"\x12\x34\x12\xb5\0\0\0\0" + vxlan)
    for kind in (7, 9, 10, 13, 14, 99):
        yield kind, inner


def made_netflow() -> Iterator[bytes]:
    """Datagrams of every version, templates after data too."""
    every = ((8, 4), (12, 4), (27, 16), (28, 16), (1, 8), (2, 3), (56, 6), (82, 16), (225, 4), (150, 4), (21, 4))
    record = bytes(range(1, 1 + sum(size for _, size in every)))
    yield v5(record_5(), record_5(), sampling=0x4064)
    yield v5(record_5())[:2].replace(b"\5", b"\1") + v5(record_5())[2:]
    yield v9(set_of(260, record * 2))
    yield v9(set_of(0, template(260, *every)), set_of(260, record * 3, b"\0\0"))
    yield v9(set_of(1, options_9(261, ((1, 4),), (34, 4), (35, 1))), set_of(261, bytes(range(9)) + b"\0\0\0"))
    own = (
        (8, 4),
        (12, 4),
        (82, VARIABLE),
        (95, VARIABLE),
        (315, VARIABLE),
        (291, VARIABLE),
        (7, 2, 29305),
        (9, 4, 40000),
    )
    frame = stacks.ethernet(stacks.TYPE4, stacks.ipv4(17, bytes(20)))
    fields = (
        b"\xc0\0\2\1",
        b"\xc6\x33\x64\2",
        b"\4name",
        b"\0",
        bytes([len(frame)]) + frame,
        b"\xff\0\7\3\0\x0c\0\4\1\2",
        bytes(6),
    )
    varied = b"".join(fields)
    yield v10(set_of(300, varied))
    yield v10(set_of(2, template(300, *own)), set_of(300, varied, varied))
    yield v10(set_of(3, options_10(301, 1, (149, 4), (305, 4), (306, 4))), set_of(301, bytes(range(12))))
    yield v10(set_of(2, template(300)), set_of(2, b"\0\2\0\0"), set_of(300, varied))
