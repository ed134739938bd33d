# SPDX-License-Identifier: Apache-2.0
"""Datagrams as they were received, written or recorded, for what prints them."""

from __future__ import annotations

import struct
from datetime import UTC
from typing import Any

from tests.captures import CAPTURES, udp_payloads

from fleutan.exports.sflowtool.heads import Dialect, Received
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode, sample
from fleutan.protocols.sflow.layouts import (
    COUNTER_FORMS,
    COUNTERS_SAMPLE,
    DISCARDED_PACKET,
    FLOW_FORMS,
    FLOW_SAMPLE,
)
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.sflow.messages import Message, parse
from fleutan.protocols.sflow.samples import Sample

RIGHT, FAITHFUL = Dialect(False, UTC), Dialect(True, UTC)
#: 2023-11-14 22:13:20 UTC, and a bit.
AT = 1_700_000_000_123_456_789
#: Ethernet, IPv4 (identification 0x1234), TCP from 1234 to 443.
PACKET = bytes.fromhex(
    "020000000001 020000000002 0800 4528 0028 1234 0000 4006 0000 0a000001 0a000002 04d2 01bb 00000001 00000002 5012"
    "03e8 0000 0000"
)


def flow_element(tag: int, *values: Any, form: int = 0) -> Element:
    return Element(tag, FLOW_FORMS[tag][form], values)


def counter_element(tag: int, *values: Any, form: int = 0) -> Element:
    return Element(tag, COUNTER_FORMS[tag][form], values)


def header(packet: bytes = PACKET, protocol: int = 1) -> Element:
    return flow_element(1, protocol, len(packet) + 4, 4, packet)


def flow(*elements: Element, **values: int) -> Sample:
    return _sample(FLOW_SAMPLE, elements, {"source_id": 3, "sampling_rate": 400, "input": 3, "output": 4} | values)


def counters(*elements: Element, **values: int) -> Sample:
    return _sample(COUNTERS_SAMPLE, elements, {"source_id": 2 << 24 | 1} | values)


def discard(*elements: Element, **values: int) -> Sample:
    return _sample(DISCARDED_PACKET, elements, {"ds_index": 3, "input": 3, "reason": 332} | values)


def _sample(layout: Layout, elements: tuple[Element, ...], values: dict[str, int]) -> Sample:
    return sample(layout, dict.fromkeys(layout.names, 1) | values, elements)


def received(*samples: Sample, recorded: bool = False, cut: int = 0) -> Received:
    """A datagram of these samples, its last octets cut off."""
    message = Message(5, bytes([10, 9, 8, 7]), 0, 7, 1000, len(samples), samples)
    octets = encode(message)
    octets = octets[: len(octets) - cut]
    return Received(parse(octets), len(octets), bytes([192, 0, 2, 1]), AT, recorded)


def of_octets(octets: bytes) -> Received:
    return Received(parse(octets), len(octets), b"", AT)


def recorded(name: str) -> list[Received]:
    """The datagrams of a capture, with the times that stand in it."""
    octets = (CAPTURES / f"sflow/{name}.pcap").read_bytes()
    order = "<" if octets[0] == 0xD4 else ">"
    at, times = 24, []
    while at < len(octets):
        seconds, microseconds, size = struct.unpack_from(order + "3I", octets, at)
        times.append(seconds * 10**9 + microseconds * 1000)
        at += 16 + size
    payloads = udp_payloads(f"sflow/{name}.pcap")
    return [Received(parse(found), len(found), b"", time, True) for found, time in zip(payloads, times, strict=True)]


def answer(name: str, kind: str) -> bytes:
    """What sflowtool printed of a capture."""
    return (CAPTURES / f"sflow/{name}.sflowtool-{kind}").read_bytes()
