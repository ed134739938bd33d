# SPDX-License-Identifier: Apache-2.0
"""The header of a sampled packet in sflowtool's words: Ethernet or 802.11, VLAN tags, IP, and what it carries.

One packet at a time, for printing.  Inner packets of tunnels are not looked at, as sflowtool does
not.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

from fleutan.exports.sflowtool.shapes import ADDRESS, LABEL, LINE, MAC, NUMBER, WORD, Piece, Shape, shape

_VLAN_TYPES = frozenset((0x8100, 0x88A8, 0x9100, 0x9200, 0x9300))
_IPX_TYPES = frozenset((0x0200, 0x0201, 0x0600))
#: Hop-by-hop, routing, fragment, authentication, destination options.
_EXTENSIONS = frozenset((0, 43, 44, 51, 60))
_IPV6 = struct.Struct("!IHBB16s16s")
_PORTS = struct.Struct("!HHH")
_PORTED, _JUMBO = (6, 17), "<jumbo>"
#: IP without options or further headers, and the ports and the third number of what it carries.
_PLAIN4 = struct.Struct("!BBHHHBB2x4s4sHHH")
_PLAIN6 = struct.Struct("!IHBB16s16sHHH")
#: Octets of TCP up to its flags.
_TO_FLAGS = 14
_ETHERNET = struct.Struct("!6s6sH")
#: Header protocols that sFlow numbers, and whose packets are not taken apart.
_NOT_DECODED = frozenset((2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 16, 17, 18))


class Shapes(NamedTuple):
    """The shapes of all layers behind one prefix.

    ``plain`` are those of whole packets: whether there is a tag, whether it is IPv6, and the protocol.
    """

    ethernet: Shape
    ethernet_type: Shape
    snap: Shape
    wireless: Shape
    ip_size: Shape
    ipv4: Shape
    fragment: Shape
    ipv6: Shape
    extension: Shape
    protocol: Shape
    tcp: Shape
    ports_of_tcp: Shape
    udp: Shape
    icmp: Shape
    plain: dict[tuple[bool, bool, int], Shape]


def _shape(names: str, prefix: str, kinds: str = "") -> Shape:
    letters = {"n": NUMBER, "m": MAC, "a": ADDRESS, "w": WORD, "l": LABEL}
    words = names.split()
    return shape(*zip(words, (letters[kind] for kind in kinds or "n" * len(words)), strict=True), prefix=prefix)


_TCP = "TCPSrcPort TCPDstPort TCPFlags"
_UDP = "UDPSrcPort UDPDstPort UDPBytes"
_MACS, _TAG, _TYPE = ("dstMAC srcMAC", "mm"), ("decodedVLAN decodedPriority", "nn"), ("ethernet_type IPSize", "nn")
_IPV4_NAMES = ("ip.tot_len srcIP dstIP IPProtocol IPTOS IPTTL IPID", "naannnn")
_IPV6_NAMES = ("IPTOS IP6_label IPV6_payloadLen IPTTL srcIP6 dstIP6", "nlwnaa")


def _plain_shapes(prefix: str) -> dict[tuple[bool, bool, int], Shape]:
    found = {}
    for tagged in (False, True):
        for six in (False, True):
            for protocol, names in ((6, _TCP), (17, _UDP)):
                network = (_IPV6_NAMES, ("IPProtocol", "n")) if six else (_IPV4_NAMES,)
                layers = (_MACS, *((_TAG,) if tagged else ()), _TYPE, *network, (names, "nnn"))
                words, kinds = (" ".join(words) for words in zip(*layers, strict=True))
                found[tagged, six, protocol] = _shape(words, prefix, kinds.replace(" ", ""))
    return found


@lru_cache(4)
def shapes(prefix: str) -> Shapes:
    """The shapes behind ``prefix``, made once."""
    return Shapes(
        _shape("dstMAC srcMAC", prefix, "mm"),
        _shape("ethernet_type", prefix),
        _shape("VSNAP_OUI", prefix, "w"),
        _shape("srcMAC dstMAC txMAC rxMAC", prefix, "mmmm"),
        _shape("IPSize", prefix),
        _shape(_IPV4_NAMES[0], prefix, _IPV4_NAMES[1]),
        _shape("IPFragmentOffset", prefix),
        _shape(_IPV6_NAMES[0], prefix, _IPV6_NAMES[1]),
        _shape("IP6HeaderExtension", prefix),
        _shape("IPProtocol", prefix),
        _shape(_TCP, prefix),
        _shape("TCPSrcPort TCPDstPort", prefix),
        _shape(_UDP, prefix),
        _shape("ICMPType ICMPCode", prefix),
        _plain_shapes(prefix),
    )


@lru_cache(64)
def _vlan(depth: int, prefix: str) -> Shape:
    behind = f".{depth}" if depth else ""
    return _shape(f"decodedVLAN{behind} decodedPriority{behind}", prefix)


class _Network(NamedTuple):
    """Where the IP packet in a header begins, and its version; 0 where there is none."""

    at: int
    version: int


_NONE = _Network(0, 0)


def decode(header: bytes, protocol: int, size: int, prefix: str, faithful: bool) -> list[Piece]:
    """What the header says; ``size`` is the packet's length without what was stripped.

    ``protocol`` is sFlow's header_protocol.  ``faithful`` gives the identification of IPv4 in the
    order of octets in which sflowtool prints it, and no types of ICMPv6, which it has not.
    """
    names = shapes(prefix)
    plain = _plain(header, size, names, faithful) if protocol == 1 else None
    if plain:
        return [plain]
    pieces: list[Piece] = []
    if protocol == 1:
        network = _link(header, names, prefix, pieces)
    elif protocol in (11, 12):
        network = _Network(0, 4 if protocol == 11 else 6)
    else:
        network = _NONE
        _other(header, protocol, names, pieces)
    if network.version:
        pieces.append((names.ip_size, (size - network.at,)))
        (_ipv4 if network.version == 4 else _ipv6)(header, network.at, names, pieces, faithful)
    return pieces


def _plain(header: bytes, size: int, names: Shapes, faithful: bool) -> Piece | None:
    """TCP or UDP in IP in Ethernet with at most one tag, no options and no fragments: most packets, at once."""
    kind, tagged, at = header[12:14], header[12:14] == b"\x81\0", 14
    if tagged:
        kind, at = header[16:18], 18
    link: tuple[bytes | int, ...] = (header[:6], header[6:12])
    if tagged:
        link += ((header[14] & 0xF) << 8 | header[15], header[14] >> 5) if len(header) > 15 else ()
    if kind == b"\x08\0" and len(header) >= at + 20 + _TO_FLAGS:
        first, tos, length, identification, fragment, ttl, protocol, *ends, sport, dport, last = _PLAIN4.unpack_from(
            header, at
        )
        if first != 0x45 or fragment & 0x1FFF or protocol not in _PORTED:
            return None
        if faithful:
            identification = (identification & 0xFF) << 8 | identification >> 8
        network = (0x0800, size - at, length, *ends, protocol, tos, ttl, identification)
        at += 20
    elif kind == b"\x86\xdd" and len(header) >= at + 40 + _TO_FLAGS:
        word, length, protocol, ttl, *ends, sport, dport, last = _PLAIN6.unpack_from(header, at)
        if word >> 28 != 6 or protocol not in _PORTED:
            return None
        label = (word >> 20 & 0xFF, word & 0xFFFFF, str(length) if length else _JUMBO)
        network = (0x86DD, size - at, *label, ttl, *ends, protocol)
        at += 40
    else:
        return None
    if protocol == 6:
        last = header[at + 13]
    return names.plain[tagged, kind == b"\x86\xdd", protocol], (*link, *network, sport, dport, last)


def _other(header: bytes, protocol: int, names: Shapes, pieces: list[Piece]) -> None:
    if protocol == 15:
        _wireless(header, names, pieces)
    else:
        word = "NO_DECODE" if protocol in _NOT_DECODED else "UNKNOWN"
        pieces.append((LINE, (f"{word} headerProtocol={protocol}",)))


def _link(header: bytes, names: Shapes, prefix: str, pieces: list[Piece]) -> _Network:
    """The Ethernet header, its tags, and IEEE 802.2 behind a length."""
    if len(header) < 14:
        return _NONE
    destination, source, kind = _ETHERNET.unpack_from(header)
    pieces.append((names.ethernet, (destination, source)))
    at = 14
    while kind in _VLAN_TYPES:
        if len(header) < at + 4:
            return _NONE
        tag, kind = struct.unpack_from("!HH", header, at)
        pieces.append((_vlan((at - 14) // 4, prefix), (tag & 0xFFF, tag >> 13)))
        at += 4
    if len(header) < 20 or (kind in _IPX_TYPES and _is_ipx(header, at)):
        return _NONE
    if kind <= 1500:
        kind, at = _llc(header, at, names, pieces)
        if not kind:
            return _NONE
    pieces.append((names.ethernet_type, (kind,)))
    return _network(header, at, kind)


def _is_ipx(header: bytes, at: int) -> bool:
    """IPX has no checksum, and says how long it is (Novell's raw 802.3)."""
    return header[at : at + 2] == b"\xff\xff" and 30 <= int.from_bytes(header[at + 2 : at + 4]) <= 576


def _llc(header: bytes, at: int, names: Shapes, pieces: list[Piece]) -> tuple[int, int]:
    """The type behind an LLC header and where its payload begins; 0 where it is no Ethernet type."""
    if header[at : at + 3] == b"\xaa\xaa\x03":
        if header[at + 3 : at + 6] != bytes(3):
            pieces.append((names.snap, (header[at + 3 : at + 6].hex("-").upper(),)))
            return 0, at
        return int.from_bytes(header[at + 6 : at + 8]), at + 8
    # IP right behind IEEE 802.2: SAP 6.
    if header[at : at + 2] == b"\x06\x06" and header[at + 2 : at + 3] and header[at + 2] & 1:
        return 0x0800, at + 3
    return 0, at


def _network(header: bytes, at: int, kind: int) -> _Network:
    first = header[at] if at < len(header) else 0
    if kind == 0x0800 and len(header) - at >= 20 and first >> 4 == 4 and first & 15 >= 5:
        return _Network(at, 4)
    if kind == 0x86DD and first >> 4 == 6:
        return _Network(at, 6)
    return _NONE


def _wireless(header: bytes, names: Shapes, pieces: list[Piece]) -> None:
    """The addresses of an IEEE 802.11 data frame, whose places depend on its way (table 9-30)."""
    if len(header) < 24 or header[0] >> 2 & 3 != 2:
        return
    receiver, transmitter, third, fourth = header[4:10], header[10:16], header[16:22], header[24:30]
    to_system, from_system = header[1] & 1, header[1] & 2
    if to_system:
        source, destination = (fourth if from_system else transmitter), third
    else:
        source, destination = (third if from_system else transmitter), receiver
    pieces.append((names.wireless, (source, destination, transmitter, receiver)))


def _ipv4(header: bytes, at: int, names: Shapes, pieces: list[Piece], faithful: bool) -> None:
    if len(header) - at < 20:
        return
    first, tos, length, identification, fragment, ttl = struct.unpack_from("!BBHHHB", header, at)
    if faithful:
        identification = (identification & 0xFF) << 8 | identification >> 8
    protocol = header[at + 9]
    source, destination = header[at + 12 : at + 16], header[at + 16 : at + 20]
    pieces.append((names.ipv4, (length, source, destination, protocol, tos, ttl, identification)))
    if fragment & 0x1FFF:
        pieces.append((names.fragment, (fragment & 0x1FFF,)))
    else:
        _transport(header, at + (first & 15) * 4, protocol, names, pieces)


def _ipv6(header: bytes, at: int, names: Shapes, pieces: list[Piece], faithful: bool) -> None:
    if len(header) - at < 40 or header[at] >> 4 != 6:
        return
    first, length, following, ttl, source, destination = _IPV6.unpack_from(header, at)
    values = (first >> 20 & 0xFF, first & 0xFFFFF, str(length) if length else _JUMBO, ttl, source, destination)
    pieces.append((names.ipv6, values))
    at += 40
    while following in _EXTENSIONS:
        pieces.append((names.extension, (following,)))
        if len(header) < at + 2:
            return
        following, at = header[at], at + 8 * (header[at + 1] + 1)
        if at > len(header):
            return
    pieces.append((names.protocol, (following,)))
    if following == 58 and not faithful:
        following = 1
    _transport(header, at, following, names, pieces)


def _transport(header: bytes, at: int, protocol: int, names: Shapes, pieces: list[Piece]) -> None:
    if len(header) - at < 8:
        return
    if protocol == 6:
        source, destination = struct.unpack_from("!HH", header, at)
        if len(header) - at < 14:
            pieces.append((names.ports_of_tcp, (source, destination)))
        else:
            pieces.append((names.tcp, (source, destination, header[at + 13])))
    elif protocol == 17:
        pieces.append((names.udp, _PORTS.unpack_from(header, at)))
    elif protocol == 1:
        pieces.append((names.icmp, (header[at], header[at + 1])))
