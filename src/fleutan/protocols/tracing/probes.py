# SPDX-License-Identifier: Apache-2.0
"""Probes: the packets that ask the routers on a flow's way who they are.

What lives here writes them, whole IP packets with right checksums; ``replies`` reads what comes
back.  When which probe is sent is not decided here, and nothing is sent here.

What routers hash to choose among equal ways (addresses, protocol, ports, flow label; of ICMP the
checksum: RFC 2992, RFC 6438) is the same in every probe of a flow, as Paris traceroute has it.
What tells probes apart stands where routers do not look and errors quote it (``Probe.number``).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from fleutan.protocols.tracing.headers import ICMP, ICMPV6, TCP, UDP, complement, covered_sum, ipv4_header, ipv6_header

#: TCP's flags (RFC 9293, 3.1).
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
#: Types of the echo request: of ICMP (RFC 792) and ICMPv6 (RFC 4443).
ECHO_REQUEST = {ICMP: 8, ICMPV6: 128}
#: What a SYN says of segments, by IP version: as hosts on Ethernet do, so that no firewall wonders.
MSS = {4: 1460, 6: 1440}

TCP_HEADER = Struct("!HHIIBBHHH")  # ports, seq, ack, data offset, flags, window, checksum, urgent pointer
UDP_HEADER = Struct("!HHHH")  # ports, length, checksum
ECHO_HEADER = Struct("!BBHHH")  # type, code, checksum, identifier, sequence number
_WORD = Struct("!H")
_MSS_OPTION = Struct("!BBH")  # kind 2, length 4, octets (RFC 9293, 3.2)


class Flow(NamedTuple):
    """What routers may hash of a flow's packets, as the probing host sends them.

    ``family`` is 4 or 6, addresses are 4 or 16 octets in network order, ``proto`` is 6, 17, 1
    or 58.  Of ICMP ``sport`` is the identifier and ``dport`` the checksum that all its probes
    have (not 65535, which is 0 as well).  ``label`` is IPv6's flow label, ``tos`` the octet of DSCP and ECN.
    """

    family: int
    src: bytes
    dst: bytes
    proto: int
    sport: int
    dport: int
    label: int = 0
    tos: int = 0

    @property
    def ends(self) -> tuple[int, bytes, bytes, int, int, int]:
        """All but label and TOS: those are rewritten on the way, and answers have others."""
        return self[:6]


class Probe(NamedTuple):
    """One packet of a flow, to go ``ttl`` hops far.

    ``number`` (16 bits) tells the probes of a flow apart.  It goes where replies bring it back:

    ===========  ===================================================================
    IPv4         identification.  A raw socket puts its own in place of 0: count from 1
    TCP SYN      low 16 bits of the sequence number; the high ones are those of ``seq``
    other TCP    sequence number ``seq - number``
    UDP          checksum (65535 for 0, which is no checksum), first octets of payload
    bare UDP     nowhere else: of IPv6 no answer brings it back
    ICMP         sequence number
    ===========  ===================================================================

    ``seq``, ``ack``, ``window`` and ``flags`` are TCP's.  ``payload`` follows what UDP and ICMP
    need to keep the checksum as it shall be (4 and 2 octets).  A ``bare`` one of UDP is its header
    alone, as if its flow had sent nothing.
    """

    flow: Flow
    ttl: int
    number: int
    seq: int = 0
    ack: int = 0
    window: int = 0
    flags: int = 0
    payload: bytes = b""
    bare: bool = False


def packet(probe: Probe) -> bytes:
    """The whole IP packet, with right checksums; IPv4 with "don't fragment", as TCP sends it.

    Raises struct.error where a value does not fit its field.
    """
    flow = probe.flow
    body = _WRITERS[flow.proto](probe)
    if flow.family == 4:
        return ipv4_header(flow.src, flow.dst, flow.proto, flow.tos, probe.ttl, probe.number, len(body)) + body
    return ipv6_header(flow.src, flow.dst, flow.proto, flow.tos, probe.ttl, flow.label, len(body)) + body


def number_in(seq: int, probe: Probe) -> int | None:
    """The number of the TCP probe like this one that has this sequence number; None: none has."""
    if probe.flags & SYN:
        return None if (seq ^ probe.seq) >> 16 & 0xFFFF else seq & 0xFFFF
    number = probe.seq - seq & 0xFFFF_FFFF
    return None if number >> 16 else number


def _tcp(probe: Probe) -> bytes:
    flow, options, seq = probe.flow, b"", probe.seq - probe.number
    if probe.flags & SYN:
        options = _MSS_OPTION.pack(2, 4, MSS[flow.family])
        seq = probe.seq & ~0xFFFF | probe.number
    offset = (TCP_HEADER.size + len(options)) << 2  # in words, in the upper half of its octet
    fields = (flow.sport, flow.dport, seq & 0xFFFF_FFFF, probe.ack, offset, probe.flags, probe.window)
    body = TCP_HEADER.pack(*fields, 0, 0) + options + probe.payload
    return TCP_HEADER.pack(*fields, complement(_sum(probe, body)), 0) + body[TCP_HEADER.size :]


def _udp(probe: Probe) -> bytes:
    flow, number = probe.flow, _WORD.pack(probe.number)
    if probe.bare:
        header = UDP_HEADER.pack(flow.sport, flow.dport, UDP_HEADER.size, 0)
        return header[:6] + _WORD.pack(complement(_sum(probe, header)) or 0xFFFF)
    length = UDP_HEADER.size + 4 + len(probe.payload)
    header = UDP_HEADER.pack(flow.sport, flow.dport, length, probe.number or 0xFFFF) + number
    return header + _balance(probe, header) + probe.payload


def _echo(probe: Probe) -> bytes:
    flow = probe.flow
    header = ECHO_HEADER.pack(ECHO_REQUEST[flow.proto], 0, flow.dport, flow.sport, probe.number)
    return header + _balance(probe, header) + probe.payload


def _balance(probe: Probe, header: bytes) -> bytes:
    """Two octets that make the checksum in ``header`` right."""
    return _WORD.pack(-_sum(probe, header + bytes(2) + probe.payload) % 0xFFFF)


def _sum(probe: Probe, body: bytes) -> int:
    return covered_sum(probe.flow.src, probe.flow.dst, probe.flow.proto, body)


_WRITERS = {TCP: _tcp, UDP: _udp, ICMP: _echo, ICMPV6: _echo}
