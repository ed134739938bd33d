# SPDX-License-Identifier: Apache-2.0
"""Ethernet frames of TCP segments, and samples of them as rows."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any

from tests.lakes import AT

Ends = tuple[str, int, str, int]
IPV4: Ends = ("10.0.0.1", 40000, "10.0.0.2", 80)
IPV6: Ends = ("2001:db8::1", 40000, "2001:db8::2", 443)


def turned(ends: Ends) -> Ends:
    """The other direction."""
    return ends[2], ends[3], ends[0], ends[1]


def segment(ends: Ends, seq: int, payload: bytes = b"", flags: int = 0x10, options: bytes = b"", pad: int = 0) -> bytes:
    """The frame, with ``pad`` octets of padding behind the packet."""
    words = 5 + len(options) // 4
    tcp = struct.pack(">HHIIBBHHH", ends[1], ends[3], seq, 7, words << 4, flags, 512, 0, 0) + options + payload
    src, dst = (ip_address(address).packed for address in (ends[0], ends[2]))
    if len(src) == 4:
        packet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0x1234, 0x4000, 64, 6, 0) + src + dst + tcp
    else:
        packet = struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + src + dst + tcp
    ethertype = b"\x08\x00" if len(src) == 4 else b"\x86\xdd"
    return bytes(12) + ethertype + packet + bytes(pad)


def sample(ends: Ends, seq: int, payload: bytes = b"", at: int = 0, snap: int = 1 << 20, **more: Any) -> dict[str, Any]:
    """A sample of a segment, ``at`` ns after the beginning, of which so many octets were kept."""
    pad, rate = more.pop("pad", 0), more.pop("sampling_rate", None)
    frame = segment(ends, seq, payload, pad=pad, **more)
    return {
        "time": AT + at,
        "proto": "tcp",
        **dict(zip(("src", "sport", "dst", "dport"), ends, strict=True)),
        "packets": 1,
        "bytes": len(frame),
        "sampling_rate": rate,
        "header": frame[:snap],
        "link_type": 1,
    }
