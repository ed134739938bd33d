# SPDX-License-Identifier: Apache-2.0
"""UDP payloads out of small pcap files (Ethernet, IPv4), and datagrams made of bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.spans import joined

#: What sent it, from which port, when, and what.
Sent = tuple[tuple[int, int], int, int, bytes]
EXPORTER = (0, 0xFFFF_C0000201)
AT_NS = 1_700_000_000 * 10**9


def payloads(path: Path) -> Iterator[Sent]:
    octets = path.read_bytes()
    order = "<" if octets[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at < len(octets):
        seconds, fraction, size, _ = struct.unpack_from(f"{order}IIII", octets, at)
        frame = octets[at + 16 : at + 16 + size]
        at += 16 + size
        if frame[12:14] == b"\x08\x00" and frame[23] == 17:
            udp = 14 + (frame[14] & 15) * 4
            sport, _, length, _ = struct.unpack_from("!HHHH", frame, udp)
            source = (0, 0xFFFF_0000_0000 | int.from_bytes(frame[26:30]))
            yield source, sport, seconds * 10**9 + fraction * 1000, frame[udp + 8 : udp + length]


def sent(these: Sequence[Sent]) -> Datagrams:
    spans = joined([payload for *_, payload in these])
    nothing = np.zeros(len(these), np.int64)
    source = np.array([one for one, *_ in these], np.int64).reshape(len(these), 2)
    sport, at_ns = (np.array([one[place] for one in these], np.int64) for place in (1, 2))
    return Datagrams(spans, spans.sizes, source, sport, source, nothing + 2055, at_ns)


def datagrams(*strings: bytes, sport: int = 2055, at_ns: int = AT_NS) -> Datagrams:
    return sent([(EXPORTER, sport, at_ns, string) for string in strings])


def captured(path: Path) -> Datagrams:
    return sent(list(payloads(path)))
