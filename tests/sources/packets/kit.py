# SPDX-License-Identifier: Apache-2.0
"""Records of the kernel's as they are read, for what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fleutan.linux.packets.records import parse, record
from fleutan.records import Records

ROOM = 128
ETH4 = bytes(12) + b"\x08\x00"


def made(*rows: dict[str, Any]) -> tuple[Records, np.ndarray]:
    """Records of so many rows, and the octets that their headers stand in."""
    table = np.zeros(len(rows), record(ROOM))
    usual = {"hits": 1, "segments": 1, "ethernet": 1, "protocol": 0x0800, "network": 14, "one_in": 10}
    for row, said in zip(table, rows, strict=True):
        header = said.get("header", b"")
        for name, value in {**usual, "kept": len(header), **said}.items():
            row[name] = value
        row["header"] = header.ljust(ROOM, b"\0")
    octets = np.frombuffer(table.tobytes(), np.uint8).copy()
    return parse(octets, ROOM, 0), octets


def checksum(words: bytes) -> int:
    """The ones' complement sum of an IPv4 header, 0xFFFF where its checksum is right."""
    total = sum(int.from_bytes(words[at : at + 2]) for at in range(0, len(words), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ipv4(length: int, protocol: int = 6, more: Sequence[int] = ()) -> bytes:
    """An IPv4 header without addresses whose checksum is right."""
    head = bytes((0x45, 0)) + length.to_bytes(2) + bytes((1, 2, 64, 0, 64, protocol, 0, 0)) + bytes(8) + bytes(more)
    return head[:10] + (~checksum(head[:20]) & 0xFFFF).to_bytes(2) + head[12:]
