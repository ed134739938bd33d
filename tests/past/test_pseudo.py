# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.past.segments import IPV4, IPV6, segment

from fleutan.past.pseudo import Places, packet


def checksum(octets: bytes) -> int:
    """RFC 1071, word by word."""
    octets += b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("size", [0, 1, 7, 65_495, 65_496, 100_000])
def test_the_lengths_and_checksums_of_ipv4_are_right(size: int) -> None:
    frame = segment(IPV4, seq=1000, flags=0x12, options=b"\x01" * 4)
    made = packet(frame, Places(14, 34, 4), 1001, (5, b"x" * size))
    assert made[:14] == frame[:14]
    length = struct.unpack_from(">H", made, 16)[0]
    assert length == (20 + 24 + size if size <= 65_491 else 0)
    assert checksum(made[14:34]) == 0xFFFF
    assert checksum(made[26:34] + struct.pack(">IHH", len(made) - 34, 0, 6) + made[34:]) == 0xFFFF
    assert struct.unpack_from(">I", made, 38)[0] == 1006
    assert made[47] == 0x10
    assert made[18:20] == frame[18:20]
    assert made[58:] == b"x" * size


@pytest.mark.parametrize("size", [0, 3, 65_515, 65_516, 100_000])
def test_the_lengths_and_checksums_of_ipv6_are_right(size: int) -> None:
    frame = segment(IPV6, seq=0xFFFF_FFFF, flags=2)
    made = packet(frame, Places(14, 54, 6), 0, (0, b"y" * size))
    assert struct.unpack_from(">H", made, 18)[0] == (20 + size if size <= 65_515 else 0)
    assert checksum(made[22:54] + struct.pack(">IHH", len(made) - 54, 0, 6) + made[54:]) == 0xFFFF
    assert (struct.unpack_from(">I", made, 58)[0], made[67]) == (0, 0)


def test_headers_that_nobody_understood_stay_as_they_are() -> None:
    assert packet(b"abc", None, 7, (0, b"payload")) == b"abc"
