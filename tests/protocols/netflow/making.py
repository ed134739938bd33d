# SPDX-License-Identifier: Apache-2.0
"""Datagrams of versions 1 to 10, octet by octet, for tests of their readers."""

from __future__ import annotations

import struct

from tests.protocols.netflow.capturing import AT_NS, datagrams

from fleutan.protocols.netflow.decoding import Batch, decode
from fleutan.protocols.netflow.exporters.state import State

SECONDS = AT_NS // 10**9
UPTIME_MS = 100_000
#: Source and destination, octets and packets: an element and its octets each.
PLAIN = ((8, 4), (12, 4), (1, 4), (2, 4))
RECORD = bytes.fromhex("0a000001 0a000002 00000064 00000003")


def specifiers(*fields: tuple[int, ...]) -> bytes:
    """Field specifiers; a third number is the enterprise."""
    return b"".join(
        struct.pack("!HH", number | 0x8000 if own else number, size) + b"".join(one.to_bytes(4) for one in own)
        for number, size, *own in fields
    )


def template(number: int, *fields: tuple[int, ...]) -> bytes:
    return struct.pack("!HH", number, len(fields)) + specifiers(*fields)


def options_9(number: int, scopes: tuple[tuple[int, int], ...], *fields: tuple[int, int]) -> bytes:
    head = struct.pack("!HHH", number, 4 * len(scopes), 4 * len(fields))
    return head + specifiers(*scopes, *fields)


def options_10(number: int, scopes: int, *fields: tuple[int, ...]) -> bytes:
    return struct.pack("!HHH", number, len(fields), scopes) + specifiers(*fields)


def set_of(number: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack("!HH", number, 4 + len(content)) + content


def v9(*sets: bytes, source: int = 7, sequence: int = 1) -> bytes:
    return struct.pack("!HHIIII", 9, len(sets), UPTIME_MS, SECONDS, sequence, source) + b"".join(sets)


def v10(*sets: bytes, domain: int = 7, sequence: int = 1) -> bytes:
    content = b"".join(sets)
    return struct.pack("!HHIII", 10, 16 + len(content), SECONDS, sequence, domain) + content


def v5(*records: bytes, count: int | None = None, sampling: int = 0) -> bytes:
    number = len(records) if count is None else count
    return struct.pack("!HHIIIIHH", 5, number, UPTIME_MS, SECONDS, 5, 9, 0x0102, sampling) + b"".join(records)


def record_5(packets: int = 3, octets: int = 100, first: int = UPTIME_MS - 2000, last: int = UPTIME_MS - 500) -> bytes:
    ends = bytes.fromhex("0a000001 0a000002 0a0000fe")
    return ends + struct.pack(
        "!HHIIIIHHxBBBHHBBxx", 1, 2, packets, octets, first, last, 1234, 80, 0x12, 6, 4, 65001, 65002, 24, 16
    )


def read(*strings: bytes, state: State | None = None, sport: int = 2055, at_ns: int = AT_NS) -> Batch:
    return decode(datagrams(*strings, sport=sport, at_ns=at_ns), state or State())


def reasons(batch: Batch) -> dict[str, int]:
    return dict(batch.noted.counts)
