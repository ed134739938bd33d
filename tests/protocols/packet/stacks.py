# SPDX-License-Identifier: Apache-2.0
"""Packets built header by header, and what decoding says of one: for the tests of packets and captures."""

from __future__ import annotations

import socket
import struct
from typing import Any

import numpy as np

from fleutan.protocols.packet.decode import decode
from fleutan.protocols.packet.kinds import LINK_TYPE
from fleutan.protocols.spans import joined
from fleutan.records import Records

DST_MAC, SRC_MAC = 0xFA_00_00_00_00_0A, 0xFA_00_00_00_00_0B
NEAR, FAR = "192.0.2.1", "198.51.100.2"
NEAR6, FAR6 = "2001:db8::1", "2001:db8:ffff::2"
ETHERNET, PPP, IPV4, IPV6, MPLS = 1, 7, 11, 12, 13
TYPE4, TYPE6, TYPE_ARP, TYPE_MPLS, BRIDGED = 0x0800, 0x86DD, 0x0806, 0x8847, 0x6558
ROW = ("truncated", "malformed")


def halves(text: str) -> list[int]:
    """An address as columns hold it."""
    packed = socket.inet_pton(socket.AF_INET6, text if ":" in text else "::ffff:" + text)
    return list(struct.unpack("!qq", packed))


def ethernet(kind: int, body: bytes) -> bytes:
    return DST_MAC.to_bytes(6) + SRC_MAC.to_bytes(6) + kind.to_bytes(2) + body


def tag(vlan: int, kind: int, body: bytes, priority: int = 0, dei: int = 0) -> bytes:
    return struct.pack("!HH", priority << 13 | dei << 12 | vlan, kind) + body


def label(number: int, body: bytes, exp: int = 0, bottom: int = 1, ttl: int = 64) -> bytes:
    return struct.pack("!I", number << 12 | exp << 9 | bottom << 8 | ttl) + body


def ipv4(proto: int, body: bytes, options: bytes = b"", fragment: int = 0x4000, number: int = 7) -> bytes:
    size = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0xB8, size + len(body), number, fragment, 61, proto, 0)
    return head + socket.inet_aton(NEAR) + socket.inet_aton(FAR) + options + body


def ipv6(following: int, body: bytes) -> bytes:
    head = struct.pack("!IHBB", 6 << 28 | 0xB8 << 20 | 0x12345, len(body), following, 60)
    return head + socket.inet_pton(socket.AF_INET6, NEAR6) + socket.inet_pton(socket.AF_INET6, FAR6) + body


def options6(following: int, body: bytes, size: int = 8) -> bytes:
    """An extension header of padding."""
    return bytes((following, size // 8 - 1, 1, size - 4)) + bytes(size - 4) + body


def fragment6(following: int, offset: int, more: int, number: int, body: bytes) -> bytes:
    return struct.pack("!BBHI", following, 0, offset | more, number) + body


def authentication(following: int, body: bytes) -> bytes:
    return struct.pack("!BBHIII", following, 2, 0, 0xABCD, 1, 0) + body


def tcp(body: bytes = b"", options: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    return struct.pack("!HHIIHHHH", 40000, 443, 0xF0000001, 77, words << 12 | 0x118, 501, 0, 0) + options + body


def udp(dport: int, body: bytes = b"", sport: int = 40000) -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(body), 0) + body


def gre(kind: int, body: bytes, flags: int = 0, optional: bytes = b"") -> bytes:
    return struct.pack("!HH", flags, kind) + optional + body


def vxlan(vni: int, body: bytes) -> bytes:
    return udp(4789, struct.pack("!II", 0x08000000, vni << 8) + body)


def geneve(vni: int, kind: int, body: bytes, options: bytes = b"") -> bytes:
    return udp(6081, struct.pack("!BBHI", len(options) // 4, 0, kind, vni << 8) + options + body)


def gtp(teid: int, body: bytes, flags: int = 0x30, optional: bytes = b"", kind: int = 255) -> bytes:
    return udp(2152, struct.pack("!BBHI", flags, kind, len(optional) + len(body), teid) + optional + body)


def pppoe(protocol: bytes, body: bytes, code: int = 0) -> bytes:
    return struct.pack("!BBHH", 0x11, code, 0x1234, len(protocol + body)) + protocol + body


def arp() -> bytes:
    ends = SRC_MAC.to_bytes(6) + socket.inet_aton(NEAR) + bytes(6) + socket.inet_aton(FAR)
    return struct.pack("!HHBBH", 1, TYPE4, 6, 4, 1) + ends


def snap(kind: int, body: bytes, organisation: int = 0) -> bytes:
    return b"\xaa\xaa\x03" + organisation.to_bytes(3) + kind.to_bytes(2) + body


INNER4 = ipv4(6, tcp())
INNER6 = ipv6(17, udp(53, b"question"))
FRAME = ethernet(TYPE4, INNER4)
PLAIN = ethernet(TYPE4, ipv4(6, tcp(b"payload", bytes(12))))

#: One of each: what every property is tried on.
STACKS: dict[str, tuple[int, bytes]] = {
    "tcp": (ETHERNET, PLAIN),
    "udp6": (ETHERNET, ethernet(TYPE6, INNER6)),
    "options": (ETHERNET, ethernet(TYPE4, ipv4(17, udp(53), options=b"\x01" * 8))),
    "extensions": (IPV6, ipv6(0, options6(43, options6(60, options6(6, tcp(), 16))))),
    "fragment6": (IPV6, ipv6(44, fragment6(17, 0, 1, 0xFACE, udp(53, b"part")))),
    "authentication": (IPV4, ipv4(51, authentication(6, tcp()))),
    "sctp": (IPV4, ipv4(132, struct.pack("!HHII", 2905, 2906, 0xCAFE, 0))),
    "dccp": (IPV4, ipv4(33, struct.pack("!HHBBH", 5001, 5002, 4, 0, 0) + bytes(8))),
    "icmp": (IPV4, ipv4(1, b"\x03\x04\0\0" + bytes(4) + INNER4[:28])),
    "esp": (IPV4, ipv4(50, struct.pack("!II", 0xBEEF, 1) + bytes(16))),
    "arp": (ETHERNET, ethernet(TYPE_ARP, arp() + bytes(18))),
    "tags": (ETHERNET, ethernet(0x88A8, tag(100, 0x8100, tag(200, 0x8100, tag(300, TYPE4, INNER4), 5, 1)))),
    "snap": (ETHERNET, ethernet(40, snap(TYPE4, INNER4))),
    "bpdu": (ETHERNET, ethernet(38, b"\x42\x42\x03" + bytes(43))),
    "pppoe": (ETHERNET, ethernet(0x8864, pppoe(b"\0\x21", INNER4))),
    "ppp": (PPP, b"\xff\x03\0\x57" + INNER6),
    "labels": (ETHERNET, ethernet(TYPE_MPLS, label(16, label(17, INNER4, ttl=9), exp=3, bottom=0, ttl=8))),
    "pseudowire": (MPLS, label(99, bytes(4) + FRAME)),
    "pseudowire plain": (MPLS, label(99, FRAME)),
    "ipip": (IPV4, ipv4(4, INNER4)),
    "6in4": (IPV4, ipv4(41, INNER6)),
    "4in6": (IPV6, ipv6(4, INNER4)),
    "gre": (IPV4, ipv4(47, gre(TYPE4, INNER4, 0xB000, struct.pack("!III", 0, 0x0102_0304, 9)))),
    "gretap": (IPV4, ipv4(47, gre(BRIDGED, FRAME, 0x2000, struct.pack("!I", 0x00ABCD_05)))),
    "pptp": (IPV4, ipv4(47, gre(0x880B, b"\xff\x03\0\x21" + INNER4, 0x3081, struct.pack("!III", 0x00100020, 1, 2)))),
    "erspan1": (IPV4, ipv4(47, gre(0x88BE, FRAME))),
    "erspan2": (IPV4, ipv4(47, gre(0x88BE, struct.pack("!II", 0x1064_0057, 3) + FRAME, 0x1000, bytes(4)))),
    "erspan3": (
        IPV4,
        ipv4(47, gre(0x22EB, struct.pack("!IIHH", 0x2065_0058, 0, 0, 1) + bytes(8) + FRAME, 0x1000, bytes(4))),
    ),
    "vxlan": (ETHERNET, ethernet(TYPE4, ipv4(17, vxlan(0xABCDE, FRAME)))),
    "vxlan in gtp": (IPV4, ipv4(17, gtp(5, ipv4(17, vxlan(6, FRAME))))),
    "gpe": (IPV4, ipv4(17, udp(4790, struct.pack("!BHBI", 0x0C, 0, 2, 77 << 8) + INNER6))),
    "geneve": (IPV4, ipv4(17, geneve(0x12345, BRIDGED, FRAME, bytes(8)))),
    "gtp": (IPV4, ipv4(17, gtp(0xDEAD, INNER6))),
    "gtp extended": (IPV4, ipv4(17, gtp(0xDEAE, INNER4, 0x34, b"\0\0\0\x85" + b"\x01\0\x09\xc0" + b"\x01\0\0\0"))),
    "etherip": (IPV4, ipv4(97, b"\x30\0" + FRAME)),
    "sll": (LINK_TYPE + 113, struct.pack("!HHH", 0, 1, 6) + SRC_MAC.to_bytes(6) + bytes(2) + b"\x08\0" + INNER4),
    "sll2": (
        LINK_TYPE + 276,
        b"\x86\xdd" + struct.pack("!HIHBB", 0, 2, 1, 4, 6) + SRC_MAC.to_bytes(6) + bytes(2) + INNER6,
    ),
    "null": (LINK_TYPE + 0, struct.pack("<I", 30) + INNER6),
    "loop": (LINK_TYPE + 108, struct.pack("!I", 2) + INNER4),
    "raw": (LINK_TYPE + 101, INNER6),
    "hdlc": (LINK_TYPE + 104, b"\x0f\0\x08\0" + INNER4),
}


def decoded(frames: list[bytes], kinds: list[int] | int = ETHERNET, **asked: Any) -> Records:
    return decode(joined(frames), np.broadcast_to(np.array(kinds, np.int64), len(frames)), **asked)


def row(records: Records, number: int) -> dict[str, Any]:
    """What is known in one row."""
    mask = records.known
    return {
        name: values[number].tolist()
        for name, values in records.values.items()
        if name not in mask or mask[name][number]
    }


def said(frame: bytes, kind: int = ETHERNET, **asked: Any) -> dict[str, Any]:
    """What is known of one packet."""
    return row(decoded([frame], kind, **asked), 0)


def of(name: str, **asked: Any) -> dict[str, Any]:
    """What is known of one of STACKS."""
    kind, frame = STACKS[name]
    return said(frame, kind, **asked)
