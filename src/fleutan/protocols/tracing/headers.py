# SPDX-License-Identifier: Apache-2.0
"""IP's own headers, written and read, and the Internet checksum.

What lives here knows nothing of what IP carries.  Readers take any octets: they say None to what
is no header or lacks some of it, and never raise.

RFC 791 (IPv4), RFC 8200 (IPv6 and its extension headers), RFC 1071 (checksum).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

#: IPPROTO_* (include/uapi/linux/in.h and in6.h).
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58

IPV4 = Struct("!BBHHHBBH4s4s")  # version and size, TOS, length, identification, fragment, TTL, protocol, checksum
IPV6 = Struct("!IHBB16s16s")  # version, traffic class and label; payload length, next header, hop limit
_DONT_FRAGMENT = 0x4000
_OFFSET = 0x1FFF

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION = 0, 43, 44, 51, 60
_EXTENSIONS = frozenset((HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION))
#: Where the last address of the way stands in a routing header, by its type: RFC 2460 4.4, RFC
#: 6275 6.4 and RFC 8754 2, whose list is in reverse.
_LAST_ADDRESS = {0: slice(-16, None), 2: slice(-16, None), 4: slice(8, 24)}


class Header(NamedTuple):
    """The headers of an IP packet up to what it carries, which begins at ``size``.

    ``length`` is what the header says of the whole packet's octets.  ``dst`` is where the packet
    goes in the end, which a routing header knows.  ``identification`` is None for IPv6.
    """

    family: int
    src: bytes
    dst: bytes
    proto: int
    tos: int
    ttl: int
    label: int
    identification: int | None
    length: int
    size: int


def ones_sum(octets: bytes) -> int:
    """The one's complement sum of 16-bit words, 0 to 65534; 0 stands for 65535, which is as much."""
    # 2**16 is 1 modulo 65535, so the words of one long number add up.
    return (int.from_bytes(octets, "big") << (len(octets) & 1) * 8) % 0xFFFF


def covered_sum(src: bytes, dst: bytes, proto: int, segment: bytes) -> int:
    """The sum that the checksum of a segment makes 0: of all but ICMP with the pseudo header.

    RFC 9293 3.1, RFC 8200 8.1.
    """
    if proto == ICMP:
        return ones_sum(segment)
    return (ones_sum(src + dst) + proto + len(segment) + ones_sum(segment)) % 0xFFFF


def complement(total: int) -> int:
    """The checksum for a sum of octets that are not all 0."""
    return 0xFFFF - (total or 0xFFFF)


def ipv4_header(src: bytes, dst: bytes, proto: int, tos: int, ttl: int, identification: int, size: int) -> bytes:
    """A header without options before ``size`` octets, which routers must not fragment."""
    fields = (0x45, tos, IPV4.size + size, identification, _DONT_FRAGMENT, ttl, proto)
    checksum = complement(ones_sum(IPV4.pack(*fields, 0, src, dst)))
    return IPV4.pack(*fields, checksum, src, dst)


def ipv6_header(src: bytes, dst: bytes, proto: int, tos: int, ttl: int, label: int, size: int) -> bytes:
    """A header without extensions before ``size`` octets."""
    return IPV6.pack(6 << 28 | tos << 20 | label, size, proto, ttl, src, dst)


def read_header(octets: bytes) -> Header | None:
    """The headers that these octets begin with; None too for a fragment that is not the first."""
    reader = _READERS.get(octets[0] >> 4) if octets else None
    return reader(octets) if reader else None


def _ipv4(octets: bytes) -> Header | None:
    size = (octets[0] & 15) * 4
    if size < IPV4.size or len(octets) < size:
        return None
    _, tos, length, identification, fragment, ttl, proto, _, src, dst = IPV4.unpack_from(octets)
    if fragment & _OFFSET:
        return None
    return Header(4, src, dst, proto, tos, ttl, 0, identification, length, size)


def _ipv6(octets: bytes) -> Header | None:
    if len(octets) < IPV6.size:
        return None
    word, payload, proto, ttl, src, dst = IPV6.unpack_from(octets)
    at = IPV6.size
    while proto in _EXTENSIONS:
        extension = _extension(octets[at:], proto)
        if extension is None:
            return None
        dst = _final(extension, proto) or dst
        proto = extension[0]
        at += len(extension)
    return Header(6, src, dst, proto, word >> 20 & 0xFF, ttl, word & 0xF_FFFF, None, IPV6.size + payload, at)


def _extension(octets: bytes, kind: int) -> bytes | None:
    """One extension header, whose length counts in units of its own (RFC 8200 4, RFC 4302 2.2)."""
    if len(octets) < 8 or (kind == FRAGMENT and (octets[2] or octets[3] >> 3)):
        return None
    size = 8 if kind == FRAGMENT else (octets[1] + 2) * 4 if kind == AUTHENTICATION else (octets[1] + 1) * 8
    return octets[:size] if size <= len(octets) else None


def _final(extension: bytes, kind: int) -> bytes | None:
    """Where a routing header that still has segments to go leads in the end."""
    if kind != ROUTING or not extension[3] or extension[2] not in _LAST_ADDRESS or len(extension) < 24:
        return None
    return extension[_LAST_ADDRESS[extension[2]]]


_READERS = {4: _ipv4, 6: _ipv6}
