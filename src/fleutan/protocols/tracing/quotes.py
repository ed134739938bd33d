# SPDX-License-Identifier: Apache-2.0
"""The packet that an ICMP error quotes: which probe it was, and what the way had done to it.

What lives here takes quotes as they come: cut after 8 octets behind the IP header, padded with
zeros, with addresses that a NAT changed (back or not), with header fields in a host's own order.
It does not know which probes were sent; nothing raises.

RFC 792 and RFC 4443 (what is quoted), RFC 9293 (TCP), RFC 768 (UDP).
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from fleutan.protocols.tracing.headers import ICMP, ICMPV6, TCP, UDP, Header, covered_sum, read_header
from fleutan.protocols.tracing.probes import ACK, ECHO_HEADER, ECHO_REQUEST, SYN, TCP_HEADER, UDP_HEADER, Flow

#: What every error quotes at least behind the IP header.
LEAST = 8
#: No link's frames are larger: a length above this is one in host order, or no length at all.
JUMBO = 9216

_TCP_START = Struct("!HHI")  # ports, sequence number
_FLAGS = 13
_WORD = Struct("!H")
_SMALLEST = {TCP: TCP_HEADER.size, UDP: UDP_HEADER.size, ICMP: ECHO_HEADER.size, ICMPV6: ECHO_HEADER.size}
_END, _NOTHING, _MSS = 0, 1, 2  # kinds of TCP's options


class Quote(NamedTuple):
    """What the quoted packet was like where the error arose; None: not known.

    ``length`` is that of the whole packet in octets.  ``intact``: whether the transport's
    checksum is still right, which it is not behind a NAT that changed the quote back without it.
    ``mss`` is that of a SYN.
    """

    ttl: int
    tos: int
    length: int | None
    intact: bool | None
    mss: int | None


class Original(NamedTuple):
    """The flow and the number of the quoted packet; ``seq`` is TCP's sequence number."""

    flow: Flow
    number: int | None
    seq: int | None
    quote: Quote


class _Segment(NamedTuple):
    """What the transport's header tells; ``number`` is None where it tells none."""

    sport: int
    dport: int
    number: int | None = None
    seq: int | None = None
    mss: int | None = None


def read_quote(octets: bytes, family: int) -> Original | None:
    """The packet quoted in an error of this IP version; None for what is no quote of a probe."""
    header = read_header(octets)
    if header is None or header.family != family or (family, header.proto) not in _READERS:
        return None
    segment = octets[header.size :]
    if len(segment) < LEAST:
        return None
    length = _length(header, segment)
    if length is not None:
        segment = segment[: length - header.size]  # padding follows: RFC 4884, 3
    if not any(segment[LEAST:]):
        segment = segment[:LEAST]  # what was cut is padded with zeros by some
    told = _READERS[family, header.proto](header, segment)
    if told is None:
        return None
    flow = Flow(family, header.src, header.dst, header.proto, told.sport, told.dport, header.label, header.tos)
    quote = Quote(header.ttl, header.tos, length, _intact(header, segment, length), told.mss)
    return Original(flow, told.number, told.seq, quote)


def _length(header: Header, segment: bytes) -> int | None:
    """The packet's length where it makes sense: some hosts quote it in their own order."""
    if not header.size + _SMALLEST[header.proto] <= header.length <= JUMBO:
        return None
    if header.proto == UDP and header.size + _WORD.unpack_from(segment, 4)[0] != header.length:
        return None
    return header.length


def _intact(header: Header, segment: bytes, length: int | None) -> bool | None:
    if length is None or header.size + len(segment) < length:
        return None
    if header.proto == UDP and segment[6:8] == b"\0\0":
        return None  # its sender made none
    return covered_sum(header.src, header.dst, header.proto, segment) == 0


def _tcp(header: Header, segment: bytes) -> _Segment:
    sport, dport, seq = _TCP_START.unpack_from(segment)
    flags = segment[_FLAGS] if len(segment) > _FLAGS else 0
    if flags & (SYN | ACK) != SYN:
        return _Segment(sport, dport, header.identification, seq)
    number = seq & 0xFFFF if header.identification is None else header.identification
    return _Segment(sport, dport, number, seq, _mss(segment))


def _mss(segment: bytes) -> int | None:
    """The option of that name (RFC 9293, 3.2), if it was quoted."""
    options = segment[TCP_HEADER.size : segment[12] >> 4 << 2]
    while len(options) >= 4 and options[0] != _END:
        if options[0] == _MSS:
            return int(_WORD.unpack_from(options, 2)[0])
        options = options[1 if options[0] == _NOTHING else max(2, options[1]) :]
    return None


def _udp(header: Header, segment: bytes) -> _Segment:
    """Payload is what no NAT changes, then identification; a checksum of 65535 is that of 0 too."""
    sport, dport, length, checksum = UDP_HEADER.unpack_from(segment)
    number = header.identification
    if length >= UDP_HEADER.size + 4 and len(segment) >= UDP_HEADER.size + 2:
        number = _WORD.unpack_from(segment, UDP_HEADER.size)[0]
    elif number is None and checksum not in (0, 0xFFFF):
        number = checksum
    return _Segment(sport, dport, number)


def _echo(header: Header, segment: bytes) -> _Segment | None:
    kind, code, checksum, identifier, sequence = ECHO_HEADER.unpack_from(segment)
    if (kind, code) != (ECHO_REQUEST[header.proto], 0):
        return None
    return _Segment(identifier, checksum, sequence)


_READERS: dict[tuple[int, int], Callable[[Header, bytes], _Segment | None]] = {
    (4, TCP): _tcp,
    (6, TCP): _tcp,
    (4, UDP): _udp,
    (6, UDP): _udp,
    (4, ICMP): _echo,
    (6, ICMPV6): _echo,
}
