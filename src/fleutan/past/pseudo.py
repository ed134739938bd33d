# SPDX-License-Identifier: Apache-2.0
"""One packet that stands for a stream: headers that were seen, with payload that is longer than any packet's.

Lengths and checksums are made right.  Where the length is more than its field holds, that is 0, as in
packets that a network card was to divide: readers of capture files take the rest of the record then.
"""

from __future__ import annotations

from struct import pack, pack_into
from typing import NamedTuple

from fleutan.protocols.checksums import complement, folded, summed
from fleutan.protocols.spans import Ints, joined

_SYN, _TCP, _IPV6_HEADER = 2, 6, 40
_LONGEST, _WORD = 0xFFFF, 0xFFFF_FFFF


class Places(NamedTuple):
    """Where the headers of IP and TCP begin, and IP's version."""

    ip: int
    tcp: int
    version: int


def packet(head: bytes, places: Places | None, first_seq: int, stream: tuple[int, bytes]) -> bytes:
    """The headers without SYN, numbered as the payload, which begins so many octets behind ``first_seq``."""
    if places is None:
        return head
    at, payload = stream
    made = bytearray(head + payload)
    pack_into(">I", made, places.tcp + 4, first_seq + at & _WORD)
    made[places.tcp + 13] &= ~_SYN
    pack_into(">H", made, places.tcp + 16, 0)
    length = len(made) - places.ip
    if places.version == 4:
        _ipv4(made, places, length)
    else:
        own = length - _IPV6_HEADER
        pack_into(">H", made, places.ip + 4, own if own <= _LONGEST else 0)
    pack_into(">H", made, places.tcp + 16, _tcp_checksum(made, places))
    return bytes(made)


def _ipv4(made: bytearray, places: Places, length: int) -> None:
    pack_into(">H", made, places.ip + 2, length if length <= _LONGEST else 0)
    pack_into(">HBBH", made, places.ip + 6, 0, made[places.ip + 8], _TCP, 0)  # no fragment, no checksum yet
    header = bytes(made[places.ip : places.ip + (made[places.ip] & 15) * 4])
    pack_into(">H", made, places.ip + 10, int(complement(_sum(header))[0]))


def _tcp_checksum(made: bytearray, places: Places) -> int:
    """Of the pseudo header (RFC 9293 3.1, RFC 8200 8.1) and the segment."""
    segment = bytes(made[places.tcp :])
    begin, size = (12, 8) if places.version == 4 else (8, 32)
    ends = bytes(made[places.ip + begin : places.ip + begin + size])
    return int(complement(folded(_sum(segment) + _sum(ends + pack(">IHH", len(segment), 0, _TCP))))[0])


def _sum(octets: bytes) -> Ints:
    return summed(joined([octets]))
