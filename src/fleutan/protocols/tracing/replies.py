# SPDX-License-Identifier: Apache-2.0
"""What comes back for a probe: errors of routers, answers of the destination.

What lives here takes a packet apart as it was received.  ``probes`` writes what they answer,
``quotes`` reads what errors quote, ``extensions`` what routers add.  Which probe of those sent is
meant, and when it came, is not known here.

RFC 792 (ICMP), RFC 4443 (ICMPv6), RFC 1191 and RFC 8201 (path MTU), RFC 9293 3.10 (TCP's answers).
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from fleutan.protocols.tracing.extensions import Extended, Interface, Label, split
from fleutan.protocols.tracing.headers import ICMP, ICMPV6, TCP, UDP, Header, covered_sum, read_header
from fleutan.protocols.tracing.probes import (
    ACK,
    ECHO_HEADER,
    ECHO_REQUEST,
    FIN,
    RST,
    SYN,
    TCP_HEADER,
    UDP_HEADER,
    Flow,
    Probe,
    number_in,
)
from fleutan.protocols.tracing.quotes import Quote, read_quote

__all__ = ["Interface", "Label", "Quote", "Reply", "kind_of", "parse"]

#: The kind of each ICMP message by IP version, type and code (None: every other one).
KINDS: dict[tuple[int, int, int | None], str] = {
    (4, 3, None): "unreachable",
    (4, 3, 4): "too-big",
    (4, 4, None): "other",  # source quench
    (4, 5, None): "other",  # redirect
    (4, 11, 0): "time-exceeded",
    (4, 11, None): "other",  # a fragment's: of no hop
    (4, 12, None): "other",  # parameter problem
    (6, 1, None): "unreachable",
    (6, 2, None): "too-big",
    (6, 3, 0): "time-exceeded",
    (6, 3, None): "other",
    (6, 4, None): "other",
}
#: ICMP messages that extensions may follow (RFC 4884, 4 and 5).
EXTENSIBLE = frozenset({(4, 3), (4, 11), (4, 12), (6, 1), (6, 3)})
#: The octet that tells how long the quote is then, and its unit in octets.
QUOTE_LENGTH = {4: (5, 4), 6: (4, 8)}
#: Where the MTU stands.
_MTU = {4: Struct("!6xH"), 6: Struct("!4xI")}
_ERROR_SIZE = 8
_ECHO_REPLY = {ICMP: 0, ICMPV6: 129}


class Reply(NamedTuple):
    """A packet that may answer a probe.

    ``source`` is who sent it, ``ttl`` the hop limit it came with.  ``kind`` is "time-exceeded",
    "unreachable", "too-big", "echo", "syn-ack", "reset", "ack" or "other" (other ICMP errors; a
    datagram of a UDP flow's other end), ``code`` ICMP's.  ``flow`` is the probe's: as quoted,
    with whatever a NAT made of it, or the answer's turned round, without label and TOS.
    ``number`` is the probe's where the packet alone tells it; ``number_as`` tells more.  ``mtu``
    is that of the next link.  ``seq`` is the TCP sequence number of the probe, where it was
    quoted or acknowledged.
    """

    source: bytes
    kind: str
    code: int
    flow: Flow
    number: int | None
    ttl: int
    quoted: Quote | None = None
    mtu: int | None = None
    labels: tuple[Label, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    seq: int | None = None

    def number_as(self, probe: Probe) -> int | None:
        """The number of the answered probe if that differs from ``probe`` in it and ``ttl`` only.

        Needed of TCP: only who knows ``probe.seq`` can tell what a sequence number counts.
        """
        if probe.flow.proto != TCP or self.seq is None:
            return self.number
        if self.quoted is None and not probe.flags & SYN:
            return None  # what answers an ACK acknowledges nothing of it
        number = number_in(self.seq, probe)
        return number if number is not None or self.quoted is None else self.number


def parse(data: bytes) -> Reply | None:
    """The reply that this IP packet is, with its IP header; None for what answers no probe.

    Never raises.  A wrong ICMP checksum makes a packet none; those of TCP and UDP are the
    kernel's and the device's to verify, and packets of the same host may still lack them.
    """
    header = read_header(data)
    if header is None or not header.size <= header.length <= len(data):
        return None
    reader = _READERS.get((header.family, header.proto))
    return reader(header, data[header.size : header.length]) if reader else None


def _icmp(header: Header, message: bytes) -> Reply | None:
    if len(message) < _ERROR_SIZE or covered_sum(header.src, header.dst, header.proto, message):
        return None
    if message[0] == _ECHO_REPLY[header.proto]:
        return _echo(header, message)
    return _error(header, message)


def _echo(header: Header, message: bytes) -> Reply:
    kind, code, checksum, identifier, sequence = ECHO_HEADER.unpack_from(message)
    # The request differed in its type only: its checksum was higher by what its type was lower.
    asked = checksum + (kind - ECHO_REQUEST[header.proto] << 8)
    flow = _turned(header, identifier, asked % 0xFFFF)
    return Reply(header.src, "echo", code, flow, sequence, header.ttl)


def _error(header: Header, message: bytes) -> Reply | None:
    kind = kind_of(header.family, message[0], message[1])
    if kind is None:
        return None
    payload = _payload(header.family, message)
    original = read_quote(payload.quote, header.family)
    if original is None:
        return None
    mtu = _MTU[header.family].unpack_from(message)[0] or None if kind == "too-big" else None
    about = (original.quote, mtu, payload.labels, payload.interfaces, original.seq)
    return Reply(header.src, kind, message[1], original.flow, original.number, header.ttl, *about)


def kind_of(family: int, kind: int, code: int) -> str | None:
    """What an ICMP error of this IP version, type and code is called (``Reply.kind``); None for no error."""
    return KINDS.get((family, kind, code)) or KINDS.get((family, kind, None))


def _payload(family: int, message: bytes) -> Extended:
    if (family, message[0]) not in EXTENSIBLE:
        return Extended(message[_ERROR_SIZE:])
    place, unit = QUOTE_LENGTH[family]
    return split(message[_ERROR_SIZE:], message[place] * unit)


def _tcp(header: Header, segment: bytes) -> Reply | None:
    if len(segment) < TCP_HEADER.size:
        return None
    sport, dport, _, ack, offset, flags, _, _, _ = TCP_HEADER.unpack_from(segment)
    kind = _TCP_KINDS.get(flags & (FIN | SYN | RST | ACK))
    if kind is None or (kind == "ack" and len(segment) != offset >> 4 << 2):
        return None  # one with payload is no answer to a probe, which has none
    acknowledged = (ack - 1) & 0xFFFF_FFFF if kind != "ack" and flags & ACK else None
    number = None if acknowledged is None else acknowledged & 0xFFFF
    return Reply(header.src, kind, 0, _turned(header, dport, sport), number, header.ttl, seq=acknowledged)


_TCP_KINDS = {SYN | ACK: "syn-ack", RST: "reset", RST | ACK: "reset", ACK: "ack"}


def _udp(header: Header, datagram: bytes) -> Reply | None:
    if len(datagram) < UDP_HEADER.size:
        return None
    sport, dport, _, _ = UDP_HEADER.unpack_from(datagram)
    return Reply(header.src, "other", 0, _turned(header, dport, sport), None, header.ttl)


def _turned(header: Header, sport: int, dport: int) -> Flow:
    """The flow that a packet answers."""
    return Flow(header.family, header.dst, header.src, header.proto, sport, dport)


_READERS: dict[tuple[int, int], Callable[[Header, bytes], Reply | None]] = {
    (4, ICMP): _icmp,
    (6, ICMPV6): _icmp,
    (4, TCP): _tcp,
    (6, TCP): _tcp,
    (4, UDP): _udp,
    (6, UDP): _udp,
}
