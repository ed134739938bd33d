# SPDX-License-Identifier: Apache-2.0
"""Packets for the tests of this room: probes of any kind, and errors as routers make them.

Checksums are added up word by word here (RFC 1071), unlike in what is tested.
"""

from __future__ import annotations

import socket
import struct

from hypothesis import strategies as st

from fleutan.protocols.tracing.probes import ACK, SYN, Flow, Probe

NEAR = {4: socket.inet_aton("192.0.2.1"), 6: socket.inet_pton(socket.AF_INET6, "2001:db8::1")}
FAR = {4: socket.inet_aton("198.51.100.2"), 6: socket.inet_pton(socket.AF_INET6, "2001:db8:ffff::2")}
ROUTER = {4: socket.inet_aton("203.0.113.7"), 6: socket.inet_pton(socket.AF_INET6, "2001:db8:7::7")}
#: Type and code of "time exceeded in transit".
EXCEEDED = {4: (11, 0), 6: (3, 0)}
IP_SIZE = {4: 20, 6: 40}
ECHO = {4: 1, 6: 58}


def folded(octets: bytes) -> int:
    """The one's complement sum, word by word: 0xFFFF where a checksum is right."""
    total = 0
    for (word,) in struct.iter_unpack("!H", octets + bytes(len(octets) & 1)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo(src: bytes, dst: bytes, proto: int, length: int) -> bytes:
    return src + dst + struct.pack("!II", length, proto)


def ip(family: int, proto: int, body: bytes, src: bytes, dst: bytes, ttl: int = 61, options: bytes = b"") -> bytes:
    """A packet as another implementation writes it."""
    if family == 6:
        return struct.pack("!IHBB", 6 << 28, len(options) + len(body), proto, ttl) + src + dst + options + body
    size = 20 + len(options)
    start = struct.pack("!BBHHHBB", 0x40 | size // 4, 0, size + len(body), 7, 0, ttl, proto)
    total = folded(start + b"\0\0" + src + dst + options)
    return start + struct.pack("!H", 0xFFFF - total) + src + dst + options + body


def message(family: int, head: bytes, body: bytes, src: bytes = b"", ttl: int = 61) -> bytes:
    """An ICMP message to NEAR: ``head`` is its first 8 octets, whose checksum is filled in."""
    src = src or ROUTER[family]
    size = len(head) + len(body)
    covered = pseudo(src, NEAR[family], 58, size) if family == 6 else b""
    total = folded(covered + head[:2] + b"\0\0" + head[4:] + body)
    whole = head[:2] + struct.pack("!H", 0xFFFF - total) + head[4:] + body
    return ip(family, ECHO[family], whole, src, NEAR[family], ttl)


def error(family: int, quote: bytes, kind: int, code: int, rest: bytes = bytes(4)) -> bytes:
    """An ICMP error, whose header ends with the four octets of ``rest``."""
    return message(family, bytes((kind, code, 0, 0)) + rest, quote)


def exceeded(family: int, quote: bytes, rest: bytes = bytes(4)) -> bytes:
    return error(family, quote, *EXCEEDED[family], rest)


def flow(family: int, proto: int, **more: int) -> Flow:
    return Flow(family, NEAR[family], FAR[family], proto, **{"sport": 40000, "dport": 443, **more})


def octets(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


@st.composite
def probes(draw: st.DrawFn) -> Probe:
    """Any probe that a tracer may send."""
    family = draw(st.sampled_from((4, 6)))
    size = len(NEAR[family])
    proto = draw(st.sampled_from((6, 17, ECHO[family])))
    port, word = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
    label = draw(st.integers(0, 0xF_FFFF)) if family == 6 else 0
    dport = draw(st.integers(0, 0xFFFE))  # as a checksum 65535 is 0
    made = Flow(
        family, draw(octets(size)), draw(octets(size)), proto, draw(port), dport, label, draw(st.integers(0, 255))
    )
    flags = draw(st.sampled_from((SYN, ACK))) if proto == 6 else 0
    return Probe(
        *(made, draw(st.integers(1, 255)), draw(port), draw(word), draw(word), draw(port), flags),
        draw(st.binary(max_size=40)),
    )
