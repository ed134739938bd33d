# SPDX-License-Identifier: Apache-2.0
"""Datagrams as exporters send them, made here: as octets, as a batch, as a capture file."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

import numpy as np

from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.encoding import Sender, encode
from fleutan.protocols.netflow.shapes import Moment
from fleutan.protocols.sflow.encoder import encode as encode_sflow
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import joined
from fleutan.records import Records

#: 2023-11-14 22:13:20 UTC.
AT_NS = 1_700_000_000 * 10**9
AT = Moment(AT_NS, 100_000)
EXPORTER, COLLECTOR, AGENT = "192.0.2.1", "192.0.2.2", "10.9.8.7"
#: A file of raw IP packets with times in nanoseconds.
FILE = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, 101)


def halves(*texts: str) -> np.ndarray:
    """``(n, 2)`` halves of addresses."""
    numbers = [int(IPv6Address(f"::ffff:{text}") if ":" not in text else ip_address(text)) for text in texts]
    whole = b"".join(number.to_bytes(16, "big") for number in numbers)
    return np.frombuffer(whole, ">i8").astype(np.int64).reshape(-1, 2)


def flows(**columns: Any) -> Records:
    """Columns of flows: addresses as lists of texts, numbers as lists, None where unknown."""
    values, known = {}, {}
    for name, column in columns.items():
        filler: Any = "192.0.2.0" if any(isinstance(one, str) for one in column) else 0
        whole = [filler if one is None else one for one in column]
        values[name] = halves(*whole) if isinstance(filler, str) else np.array(whole, np.int64)
        if None in column:
            known[name] = np.array([one is not None for one in column])
    return Records(len(next(iter(columns.values()))), values, known)


def sent(version: int = 10, **columns: Any) -> list[bytes]:
    """These flows as datagrams of NetFlow 9 or IPFIX, the templates first."""
    return encode(Sender(version, 7), flows(**columns), AT).datagrams


def sflow(*samples: Sample, sequence: int = 7, agent: str = AGENT) -> bytes:
    """A datagram of sFlow of these samples."""
    return encode_sflow(Message(5, ip_address(agent).packed, 0, sequence, 1000, len(samples), samples))


def batch(*payloads: bytes, source: str = EXPORTER, at_ns: int = AT_NS) -> Datagrams:
    """A batch of these datagrams, a second between them, from port 2000 to port 6343."""
    spans, rows = joined(payloads), len(payloads)
    ends = halves(*[source] * rows), halves(*[COLLECTOR] * rows)
    times = at_ns + 10**9 * np.arange(rows)
    return Datagrams(spans, spans.sizes, ends[0], np.full(rows, 2000), ends[1], np.full(rows, 6343), times)


def frame(payload: bytes, dport: int = 6343, at_ns: int = AT_NS, source: str = EXPORTER, cut: int = 0) -> bytes:
    """A record of a capture file: an IPv4 packet, without so many of its last octets."""
    udp = struct.pack("!HHHH", 2000, dport, 8 + len(payload), 0) + payload
    ends = ip_address(source).packed + ip_address(COLLECTOR).packed
    packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends + udp
    kept = packet[: len(packet) - cut]
    return struct.pack("<IIII", *divmod(at_ns, 10**9), len(kept), len(packet)) + kept


def captured(path: Path, payloads: Sequence[bytes]) -> str:
    """A capture file of these datagrams, a second between them."""
    frames = [frame(payload, at_ns=AT_NS + place * 10**9) for place, payload in enumerate(payloads)]
    path.write_bytes(FILE + b"".join(frames))
    return str(path)
