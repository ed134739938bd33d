# SPDX-License-Identifier: Apache-2.0
"""What exporters send, made for the benchmarks: capture files of sFlow as hosts and switches send it.

A datagram has seven samples of a header of 128 octets each.  Those of hosts have the expanded form,
the time, and for TCP what the kernel knows of the connection, as Host sFlow's have; those of switches
the compact form, VLANs and routes.  One datagram in fifty holds counters of an interface too.  Three
packets in ten are IPv6, one in seven is UDP, half of the switches' are tagged.  Addresses, ports and
lengths differ from sample to sample; hosts are many, and some are heard of far more often.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.capture.writing import pcap_header, pcap_records
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode, sample
from fleutan.protocols.sflow.layouts import COUNTER_FORMS, COUNTERS_SAMPLE, FLOW_FORMS, FLOW_SAMPLE
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED as EXPANDED
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import Spans

Octets = NDArray[np.uint8]
#: Of a datagram, and octets of a header.
SAMPLES, HEADER = 7, 128
COUNTERS_EVERY = 50
AGENTS, HOSTS, PORT = 40, 20_000, 6343
BEGAN_NS = 1_700_000_000 * 10**9
#: Datagrams that are made at once.
_PORTION = 4_000
_MACS = bytes.fromhex("fa0000000001 fa0000000002")


class Kind(NamedTuple):
    """A datagram as it is sent, and where in it each sample's packet begins."""

    octets: bytes
    packets: tuple[int, ...]


def packet(number: int, six: bool, udp: bool, tagged: bool) -> bytes:
    """A frame as a sampler cuts it; its number makes it one of a kind."""
    link = _MACS + (b"\x81\0\0\x64" if tagged else b"") + (b"\x86\xdd" if six else b"\x08\0")
    proto, body = (17, struct.pack("!HHHH", 1, 443, 1400, 0)) if udp else (6, struct.pack("!HHIIHHI", *_TCP))
    if six:
        ip = struct.pack("!IHBB", 6 << 28 | number, 1400, proto, 60) + bytes(32)
    else:
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 1500, number, 0x4000, 64, proto, 0, 0, 0)
    return (link + ip + body).ljust(HEADER, b"x")


_TCP = (1, 443, 1, 1, 0x5010, 501, 0)


def _flow_element(tag: int, *values: int | bytes) -> Element:
    return Element(tag, FLOW_FORMS[tag][0], values)


def _of_host(number: int) -> Sample:
    six, udp = number % 10 in (1, 4, 7), number % SAMPLES == 3
    header = _flow_element(1, 1, 1518, 4, packet(number + 1, six, udp, False))
    elements = [header, _flow_element(1043, BEGAN_NS)]
    if not udp:
        elements.insert(0, _flow_element(2209, 2, 1448, 1448, 3, 0, 7, 1500, 12_000, 800, 10, 3, 9_000))
    values = dict.fromkeys(EXPANDED.names, 0) | {"sequence_number": number, "ds_index": 2, "sampling_rate": 400}
    return sample(EXPANDED, values | {"input_value": 2, "output_value": 0x3FFF_FFFF}, elements)


def _of_switch(number: int) -> Sample:
    six, udp, tagged = number % 10 in (1, 4, 7), number % SAMPLES == 3, number % 2 == 0
    header = _flow_element(1, 1, 1518, 4, packet(number + 1, six, udp, tagged))
    elements = [header, _flow_element(1001, 100, 0, 100, 0)]
    if not six:
        elements.append(_flow_element(1002, bytes([10, 0, 0, 1]), 24, 16))
    values = dict.fromkeys(FLOW_SAMPLE.names, 0) | {"sequence_number": number, "source_id": 7, "sampling_rate": 2048}
    return sample(FLOW_SAMPLE, values | {"input": 7, "output": 12}, elements)


def kinds() -> list[Kind]:
    """The kinds of datagrams, those with counters behind those without."""
    interface = Element(1, COUNTER_FORMS[1][0], tuple(range(1, 20)))
    counters = sample(COUNTERS_SAMPLE, {"sequence_number": 1, "source_id": 7}, [interface])
    sampled = [
        tuple(map(make, range(first, first + SAMPLES)))
        for make in (_of_host, _of_switch)
        for first in range(0, 5 * SAMPLES, SAMPLES)
    ]
    return [_kind((*samples, *more)) for more in ((), (counters,)) for samples in sampled]


def _kind(samples: tuple[Sample, ...]) -> Kind:
    octets = encode(Message(5, bytes([10, 9, 8, 1]), 0, 1, 1000, len(samples), samples))
    headers = [one.values[-1] for found in samples for one in found.elements if one.tag == 1 and len(one.values) == 4]
    return Kind(octets, tuple(octets.index(header) for header in headers))


def sflow_file(path: Path, samples: int) -> int:
    """Writes a capture file of about so many flow samples; returns how many there are."""
    chance, made = np.random.default_rng(1), 0
    with path.open("wb") as file:
        file.write(pcap_header(1))
        while made < samples:
            file.write(_portion(chance, made))
            made += _PORTION * SAMPLES
    return made


def _portion(chance: np.random.Generator, made: int) -> bytes:
    """Datagrams of all kinds in turn, as records of a capture file."""
    found = kinds()
    usual = _PORTION // (len(found) // 2)
    rare = usual // COUNTERS_EVERY
    many = [usual - rare] * (len(found) // 2) + [rare] * (len(found) // 2)
    parts = [framed(varied(kind, count, chance)) for kind, count in zip(found, many, strict=True)]
    sizes = np.repeat([part.shape[1] for part in parts], many)
    ends = np.cumsum(sizes)
    order = chance.permutation(len(sizes))
    spans = Spans(np.concatenate([part.reshape(-1) for part in parts]), ends - sizes, sizes).take(order)
    return pcap_records(spans, spans.sizes, BEGAN_NS + (made + np.arange(len(sizes)) * SAMPLES) * 10_000)


def varied(kind: Kind, many: int, chance: np.random.Generator) -> Octets:
    """Datagrams of a kind ``(many, size)``, each with its own agent, numbers, addresses and ports."""
    found = np.tile(np.frombuffer(kind.octets, np.uint8), (many, 1))
    found[:, 11] = chance.integers(1, AGENTS, many)
    _number(found, 16, np.arange(many))
    for at in kind.packets:
        tagged = 4 * (kind.octets[at + 12] == 0x81)
        six = kind.octets[at + 12 + tagged] == 0x86
        begin = at + 14 + tagged + (8 if six else 12)
        width = 16 if six else 4
        for place in (begin, begin + width):
            # Few hosts have most of the traffic.
            hosts = (HOSTS * chance.random(many) ** 3).astype(np.uint32)
            if six:
                _number(found, place, np.full(many, 0x20010DB8, np.uint32))
            _number(found, place + width - 4, hosts + (0x0A00_0000 if not six else 0))
        found[:, begin + 2 * width : begin + 2 * width + 2] = chance.integers(128, 256, (many, 2))
        found[:, at + 5] = chance.integers(0, 100, many)
    return found


def _number(found: Octets, at: int, values: NDArray[np.generic]) -> None:
    found[:, at : at + 4] = values.astype(">u4").view(np.uint8).reshape(-1, 4)


def framed(datagrams: Octets) -> Octets:
    """Datagrams ``(many, size)`` in UDP, IPv4 and Ethernet."""
    many, size = datagrams.shape
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, size + 28, 0, 0x4000, 64, 17, 0, 0x0A09_0801, 0x0A09_0001)
    before = np.frombuffer(_MACS + b"\x08\0" + ip + struct.pack("!HHHH", PORT, PORT, size + 8, 0), np.uint8)
    return np.concatenate((np.tile(before, (many, 1)), datagrams), axis=1)
