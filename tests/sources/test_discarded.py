# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from typing import Any

import numpy as np

from fleutan.linux.discards import DIRECTION_UNKNOWN, ETHERNET, IPV4, IPV6, NONE, RECEIVED, SENT, Discarded
from fleutan.protocols.spans import joined
from fleutan.sources.discarded import INTERNAL, Discards, discards_of

OWN, OTHER = 0xF000_0001, 0xF000_0002
NAMES = {3: "NO_SOCKET", 4: "IP_INHDR", 5: "QDISC_DROP", 6: "XDP", 7: "RECURSION_LIMIT"}
FUNCTIONS = {-100: "udp_rcv", -200: "nft_do_chain [nf_tables]"}


def ipv4(ttl: int) -> bytes:
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20, 0, 0, ttl, 17, 0, bytes(4), bytes(4))


def ipv6(ttl: int) -> bytes:
    return struct.pack("!IHBB32s", 6 << 28, 0, 17, ttl, bytes(32))


def ethernet(packet: bytes) -> bytes:
    return bytes(12) + (b"\x08\0" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet


def told(*rows: dict[str, Any]) -> Discarded:
    """What the kernel told: each row's fields, others as of a datagram to a port where nobody is."""
    usual = {"at_ns": 9, "location": -100, "cookie": 0, "reason": 3, "netns": OWN, "input": 2, "device": 2}
    usual |= {"length": 42, "ethertype": 0x0800, "protocol": ETHERNET, "direction": RECEIVED}
    headers = joined([row.get("header", ethernet(ipv4(64))) for row in rows])
    columns = {name: np.array([row.get(name, value) for row in rows], np.int64) for name, value in usual.items()}
    return Discarded(headers.octets, headers.starts, headers.sizes, **columns)


def made(*rows: dict[str, Any], **suppressed: int) -> Discards:
    by_index = {int(name.strip("_")): count for name, count in suppressed.items()}
    return discards_of(told(*rows), OWN, by_index, FUNCTIONS, NAMES)


def test_nothing_is_no_rows() -> None:
    found = made()
    assert (found.rows, found.symbol.objects(), found.header.strings()) == (0, [], [])


def test_a_row_in_words_of_sflow() -> None:
    found = made({"cookie": 77}, _2=5, _0=3)
    assert (found.ifindex.tolist(), found.input.tolist(), found.output.tolist()) == ([2], [2], [0])
    assert (found.reason.tolist(), found.linux_reason.objects(), found.symbol.objects()) == (
        [3],
        ["NO_SOCKET"],
        ["udp_rcv"],
    )
    assert (found.trap_group.objects(), found.trap.objects()) == ([None], [None])
    assert (found.protocol.tolist(), found.length.tolist(), found.stripped.tolist()) == ([1], [46], [4])
    assert found.header.strings() == [ethernet(ipv4(64))]
    assert (found.drops.tolist(), found.cookie.tolist(), found.netns.tolist()) == ([5], [77], [OWN])


def test_what_has_no_name_is_called_by_its_number_or_not_at_all() -> None:
    found = made({"reason": 99}, {"location": -200}, {"location": -300})
    assert found.reason.tolist() == [256, 3, 3]
    assert found.linux_reason.objects() == ["reason 99", "NO_SOCKET", "NO_SOCKET"]
    assert found.symbol.objects() == ["udp_rcv", "nft_do_chain", None]


def test_a_time_to_live_that_ended_is_told_from_a_broken_header() -> None:
    headers = [
        ethernet(ipv4(1)),
        ethernet(ipv4(2)),
        ethernet(ipv6(0)),
        ethernet(ipv6(3)),
        ipv4(1),
        ipv6(1),
        ipv4(1)[:8],
    ]
    kinds = [ETHERNET] * 4 + [IPV4, IPV6, IPV4]
    found = made(*({"reason": 4, "header": one, "protocol": kind} for one, kind in zip(headers, kinds, strict=True)))
    assert found.reason.tolist() == [257, 275, 257, 275, 257, 257, 275]
    assert made({"header": ethernet(ipv4(1))}).reason.tolist() == [3]


def test_where_packets_come_from_and_where_they_were_to_go() -> None:
    found = made(
        {"direction": SENT, "input": 0, "device": 3},  # from a socket of this host
        {"direction": DIRECTION_UNKNOWN, "input": 0, "device": 3, "reason": 5},  # from the kernel itself
        {"direction": RECEIVED, "input": 2, "device": 3, "reason": 5},  # forwarded
        {"direction": DIRECTION_UNKNOWN, "input": 0, "device": 3, "reason": 6},  # before the kernel noted where
        {"direction": RECEIVED, "input": 2, "device": 0},  # in a socket
        {"direction": DIRECTION_UNKNOWN, "input": 0, "device": 3},
        {"direction": SENT, "input": 0, "device": 0},  # before it is known by which
    )
    assert found.ifindex.tolist() == [3, 3, 2, 3, 2, 3, 0]
    assert found.input.tolist() == [INTERNAL, INTERNAL, 2, 3, 2, 0, INTERNAL]
    assert found.output.tolist() == [3, 3, 3, 0, 0, 0, 0]


def test_other_namespaces_have_other_interfaces() -> None:
    found = made({"netns": OTHER}, {"netns": 0}, _2=5, _0=3)
    assert [column.tolist() for column in (found.ifindex, found.input, found.output)] == [[0, 0]] * 3
    assert found.drops.tolist() == [3, 3]


def test_headers_that_are_no_ethernet() -> None:
    found = made(
        {"protocol": IPV4, "header": ipv4(9)},
        {"protocol": IPV6, "header": ipv6(9)},
        {"protocol": NONE, "header": b""},
        {"protocol": NONE, "header": b"", "ethertype": 0x86DD},
        {"protocol": NONE, "header": b"", "ethertype": 0x0806},
    )
    assert found.protocol.tolist() == [11, 12, 11, 12, 1]
    assert found.length.tolist() == [42] * 5
    assert found.stripped.tolist() == [0] * 5
    assert found.header.sizes.tolist() == [20, 40, 0, 0, 0]
