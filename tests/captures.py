# SPDX-License-Identifier: Apache-2.0
"""Datagrams of real exporters, recorded beside the repository: where they are, and their payloads."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("FLEUTAN_SHARED", Path(__file__).parents[2] / "shared"))
CAPTURES = SHARED / "captures"

needs_captures = pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no captures at {CAPTURES}")


def udp_payloads(name: str) -> list[bytes]:
    """The UDP payloads of a classic capture file of Ethernet or raw IP frames, in order."""
    octets = (CAPTURES / name).read_bytes()
    order = "<" if octets[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack_from(order + "I", octets, 20)[0]
    payloads = []
    at = 24
    while at < len(octets):
        size = struct.unpack_from(order + "I", octets, at + 8)[0]
        packet = octets[at + 16 + (14 if link == 1 else 0) : at + 16 + size]
        at += 16 + size
        header = 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4
        payloads.append(packet[header + 8 : header + struct.unpack_from("!H", packet, header + 4)[0]])
    return payloads
