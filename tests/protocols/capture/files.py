# SPDX-License-Identifier: Apache-2.0
"""Capture files built record by record, for the tests of what reads them."""

from __future__ import annotations

import struct

FRAMES = (b"first frame.", b"", b"third")
SECOND = 1_700_000_000


def pcap(records: list[bytes], order: str = "<", magic: int = 0xA1B2C3D4, link: int = 1, header: bytes = b"") -> bytes:
    """Records are a second apart from SECOND on, 5 units behind it; ``header`` is added to each one's own."""
    start = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return start + b"".join(
        struct.pack(order + "IIII", SECOND + number, 5, len(octets), len(octets) + 100) + header + octets
        for number, octets in enumerate(records)
    )


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def block(order: str, kind: int, body: bytes) -> bytes:
    size = 12 + len(body) + -len(body) % 4
    return struct.pack(order + "II", kind, size) + body + bytes(-len(body) % 4) + struct.pack(order + "I", size)


def section(order: str = "<", version: int = 1) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, version, 0, -1) + option(order, 4, b"made"))


def interface(order: str = "<", link: int = 1, options: bytes = b"", snapshot: int = 0) -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link, 0, snapshot) + options)


def enhanced(octets: bytes, ticks: int, order: str = "<", number: int = 0, options: bytes = b"") -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFF_FFFF, len(octets), len(octets) + 100)
    return block(order, 6, head + octets + bytes(-len(octets) % 4) + options)


def obsolete(octets: bytes, ticks: int, order: str = "<", number: int = 0, drops: int = 7) -> bytes:
    times = (ticks >> 32, ticks & 0xFFFF_FFFF)
    return block(
        order, 2, struct.pack(order + "HHIIII", number, drops, *times, len(octets), len(octets) + 100) + octets
    )


def simple(octets: bytes, order: str = "<", length: int | None = None) -> bytes:
    return block(order, 3, struct.pack(order + "I", len(octets) if length is None else length) + octets)
