# SPDX-License-Identifier: Apache-2.0
"""Packets header by header: what stays, what is replaced, and that no octet of a payload is left."""

from __future__ import annotations

import socket
import struct

import numpy as np
import pytest
from tests.protocols.anonymous.keyed import canvas_of, finished, image, mac_image
from tests.protocols.packet import stacks

from fleutan.protocols.anonymous import packets

SECRET = b"\xa5Secret octets\x5a"
NEAR, FAR = (socket.inet_aton(text) for text in (stacks.NEAR, stacks.FAR))
NEAR6, FAR6 = (socket.inet_pton(socket.AF_INET6, text) for text in (stacks.NEAR6, stacks.FAR6))
MACS = (stacks.DST_MAC.to_bytes(6), stacks.SRC_MAC.to_bytes(6))
TCP = struct.pack("!HHIIHHHH", 443, 51000, 1, 2, 0x8018, 500, 0xBEEF, 0) + bytes.fromhex("1e0a 0109 c0000201 0101 0000")
UDP = struct.pack("!HHHH", 53, 5353, 8 + len(SECRET), 0xBEEF)


def hidden(packet: bytes, kind: int = stacks.ETHERNET) -> bytes:
    canvas = canvas_of(packet)
    packets.hide(canvas, canvas.spans.starts, canvas.spans.sizes, np.array([kind]))
    return finished(canvas)[0]


def checksum(header: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_ethernet_ipv4_and_udp() -> None:
    found = hidden(stacks.ethernet(stacks.TYPE4, stacks.ipv4(17, UDP + SECRET)))
    assert found[:12] == b"".join(map(mac_image, MACS))
    assert found[12:14] == b"\x08\0"
    assert found[26:34] == image(NEAR) + image(FAR)
    assert checksum(found[14:34]) == 0xFFFF
    assert found[34:] == struct.pack("!HHHH", 53, 5353, 8 + len(SECRET), 0) + bytes(len(SECRET))


def test_of_tcp_stays_its_header_without_checksum_and_options() -> None:
    found = hidden(stacks.ipv4(6, TCP + SECRET), stacks.IPV4)
    assert found[20:36] == TCP[:16]
    assert found[36:] == bytes(len(found) - 36)


def test_options_of_ipv4_may_hold_addresses() -> None:
    record_route = b"\x07\x07\x04" + NEAR + b"\0"
    found = hidden(stacks.ipv4(17, UDP + SECRET, options=record_route), stacks.IPV4)
    assert found[20:28] == bytes(8)
    assert checksum(found[:28]) == 0xFFFF
    assert found[28:32] == UDP[:4]


def test_extension_headers_of_ipv6_may_hold_addresses() -> None:
    routing = bytes((17, 2, 4, 1)) + bytes(4) + NEAR6
    found = hidden(stacks.ipv6(43, routing + UDP + SECRET), stacks.IPV6)
    assert found[8:40] == image(NEAR6) + image(FAR6)
    assert found[40:64] == bytes((17, 2)) + bytes(22)
    assert found[64:] == struct.pack("!HHHH", 53, 5353, 8 + len(SECRET), 0) + bytes(len(SECRET))


@pytest.mark.parametrize(
    ("proto", "header", "kept"),
    [
        (1, struct.pack("!BBH", 5, 1, 0xBEEF) + NEAR, b"\5\1"),  # a redirect, with a router's address
        (132, struct.pack("!HHII", 1, 2, 3, 0xBEEF), struct.pack("!HHI", 1, 2, 3)),
        (50, struct.pack("!II", 77, 1), struct.pack("!I", 77)),
        (253, b"", b""),
    ],
)
def test_of_other_protocols_stays_what_is_known(proto: int, header: bytes, kept: bytes) -> None:
    found = hidden(stacks.ipv4(proto, header + SECRET), stacks.IPV4)
    assert found[20:] == kept + bytes(len(found) - 20 - len(kept))


def test_icmp_errors_quote_packets() -> None:
    quoted = stacks.ipv4(17, UDP)
    found = hidden(stacks.ipv4(1, b"\3\1\0\0\0\0\0\0" + quoted), stacks.IPV4)
    assert found[20:] == b"\3\1" + bytes(6 + len(quoted))


def test_arp() -> None:
    body = bytes.fromhex("0001 0800 06 04 0002") + MACS[0] + NEAR + MACS[1] + FAR
    found = hidden(stacks.ethernet(stacks.TYPE_ARP, body + SECRET))
    assert found[14:22] == body[:8]
    assert found[22:42] == mac_image(MACS[0]) + image(NEAR) + mac_image(MACS[1]) + image(FAR)
    assert found[42:] == bytes(len(SECRET))


def test_packets_in_tunnels() -> None:
    inner = stacks.ethernet(stacks.TYPE6, stacks.ipv6(17, UDP + SECRET))
    vxlan = struct.pack("!HHHH", 9999, 4789, 0, 0) + struct.pack("!II", 8 << 24, 7 << 8)
    found = hidden(stacks.ipv4(17, vxlan + inner), stacks.IPV4)
    frame = found[36:]
    assert frame[:12] == b"".join(map(mac_image, MACS))
    assert frame[22:54] == image(NEAR6) + image(FAR6)
    assert frame[54:58] == UDP[:4]
    assert SECRET not in found


def test_behind_tags_and_labels() -> None:
    labelled = stacks.ethernet(0x8100, stacks.tag(7, stacks.TYPE_MPLS, stacks.label(9, stacks.ipv4(17, UDP + SECRET))))
    found = hidden(labelled)
    assert found[12:32] == labelled[12:32]
    assert found[34:42] == image(NEAR) + image(FAR)
    assert found[42:46] == UDP[:4]


@pytest.mark.parametrize(
    ("packet", "kind"),
    [
        (stacks.ethernet(0x88CC, SECRET), stacks.ETHERNET),
        (SECRET * 3, 99),
        (SECRET * 3, stacks.IPV4),
        (SECRET * 3, stacks.IPV6),
    ],
)
def test_of_what_nobody_knows_nothing_stays(packet: bytes, kind: int) -> None:
    assert SECRET[:2] not in hidden(packet, kind)[14:]


def test_what_stands_where_only_a_guess_looked_is_left_out() -> None:
    # No IP and no Ethernet behind the label.
    found = hidden(stacks.label(7, b"\xa5" * 40), stacks.MPLS)
    assert found == struct.pack("!I", 7 << 12 | 1 << 8 | 64) + bytes(40)


@pytest.mark.parametrize("size", range(75))
def test_cut_packets_keep_whole_addresses_only(size: int) -> None:
    whole = stacks.ethernet(stacks.TYPE4, stacks.ipv4(6, TCP + SECRET))
    found, complete = hidden(whole[:size]), bytearray(hidden(whole))
    if size < 34:
        complete[24:26] = bytes(2)  # no checksum of what is not there
    for first, end in ((0, 6), (6, 12), (26, 30), (30, 34)):
        if size < end:
            complete[first:end] = bytes(end - first)
    assert found == bytes(complete[:size])


@pytest.mark.parametrize("name", stacks.STACKS)
def test_all_kinds_of_headers_are_read_as_before(name: str) -> None:
    kind, frame = stacks.STACKS[name]
    before, after = stacks.said(frame, kind, depth=2), stacks.said(hidden(frame, kind), kind, depth=2)
    assert before.keys() == after.keys()
    ends = ("src", "dst", "mac", "sender", "target")
    assert {one for one in before if before[one] != after[one] and not one.endswith(ends)} == set()
    addresses = {tuple(before[one]) for one in before if one.endswith(("src", "dst"))}
    assert addresses & {tuple(after[one]) for one in after if one.endswith(("src", "dst"))} <= {(0, 0)}
