# SPDX-License-Identifier: Apache-2.0
"""Answers of modules, made by hand: the figures of the examples that Metroflux's users had, and more."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address

import numpy as np

from fleutan.column import Column, text_column
from fleutan.exports.como import written
from fleutan.exports.como.options import Options
from fleutan.table import Table

SECOND = 10**9
#: Thursday 17 September 2009, 18:25:00.154005 UTC.
AT = 1_253_211_900_154_005_000


def ints(*values: int | None) -> Column:
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.array([value or 0 for value in values], np.int64), None if known.all() else known)


def addresses(*texts: str | None) -> Column:
    """Halves of addresses, IPv4 as IPv4-mapped."""
    numbers = [0 if text is None else int(ip_address(text)) | (0xFFFF << 32) * (":" not in text) for text in texts]
    halves = np.array([[number >> 64, number & (1 << 64) - 1] for number in numbers], np.uint64).reshape(-1, 2)
    known = np.array([text is not None for text in texts], np.bool_)
    return Column(halves.view(np.int64), None if known.all() else known)


def octets(*values: bytes | None) -> Column:
    words = tuple(dict.fromkeys(value for value in values if value is not None))
    codes = [-1 if value is None else words.index(value) for value in values]
    return Column(np.array(codes, np.int32), None, words)


def text(module: str, format_: str, tables: Iterable[Table], options: Options | None = None) -> str:
    return b"".join(written(module, format_, tables, options or Options())).decode()


def printf(format_: str, *values: object) -> str:
    """What printf(3) makes of it."""
    return format_ % values


def some(table: Table, *rows: int) -> Table:
    """These rows."""
    return table.take(np.array(rows, np.int64))


TRAFFIC = Table(
    "traffic",
    {
        "time": ints(AT, AT + 60_015_364_000, AT + 120 * SECOND, AT + 180 * SECOND),
        "bytes": ints(48759, 39730, None, 0),
        "packets": ints(64, 57, None, 0),
    },
)
TUPLE = Table(
    "tuple",
    {
        "start": ints(1_253_211_598_806_605_000, 1_253_211_598_806_605_000, 1_254_355_200 * SECOND, None, AT),
        "end": ints(1_253_211_599_958_604_000, 1_253_211_600_086_604_999, 1_254_441_599 * SECOND, AT, AT - 1),
        "proto": text_column(["tcp", "tcp", "proto-99", None, "<b>"]),
        "src": addresses("192.168.159.243", "172.24.120.20", "2001:db8::1", None, "10.0.0.1"),
        "sport": ints(5667, 39652, 0, None, 1),
        "dst": addresses("172.24.120.20", "192.168.159.243", "2001:db8:1:2:3:4:5:6", "10.0.0.9", "10.0.0.2"),
        "dport": ints(39652, 5667, None, 53, 65535),
        "bytes": ints(320, 866, 18_446_744_073, None, 1),
        "packets": ints(4, 5, 1_000_000_000, None, 1),
    },
)
TOPADDR = Table(
    "topaddr",
    {
        "time": ints(AT, AT, AT + 5 * SECOND),
        "rank": ints(1, 2, 1),
        "address": addresses("192.168.159.243", "2001:db8::1", None),
        "bytes": ints(10**7, 6250, 3),
        "packets": ints(10**4, 5, None),
    },
)
TOPPORTS = Table(
    "topports",
    {
        "time": ints(AT, AT, AT + SECOND),
        "rank": ints(1, 2, 1),
        "proto": text_column(["tcp", "udp", None]),
        "port": ints(80, 53, None),
        "bytes": ints(10**7, 500, None),
        "packets": ints(10**4, 5, 1),
    },
)
FLOWCOUNT = Table("flowcount", {"time": ints(AT, AT + SECOND, AT + 2 * SECOND), "flows": ints(5, None, 7)})
PROTOCOL = Table(
    "protocol",
    {
        "time": ints(AT, AT, AT, AT, AT + SECOND, AT + 2 * SECOND),
        "proto": text_column(["tcp", "udp", "gre", None, "mptcp", "tcp"]),
        "bytes": ints(100, 50, 40, 10, 7, 0),
        "packets": ints(3, 2, 5, None, 1, 0),
    },
)
ETHTYPES = Table(
    "ethtypes",
    {
        "time": ints(AT, AT, AT, AT, AT + SECOND),
        "ethertype": ints(0x0800, 0x0806, 0x88CC, None, 0x86DD),
        "bytes": ints(100, 50, 40, 10, 9),
        "packets": ints(3, 2, 4, 1, 1),
    },
)

# -- packets: TCP of IPv4 in Ethernet, UDP of IPv6 alone, ARP in Ethernet

_IPV4 = struct.pack(">BBHHHBBH4s4s", 0x45, 0x10, 1500, 7, 0, 64, 6, 0, bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))
_TCP = struct.pack(">HHIIBBHHH", 5000, 80, 1000, 2000, 0x50, 0x12, 512, 0, 0)
_IPV6 = struct.pack(">IHBB16s16s", 6 << 28, 8, 17, 61, bytes(15) + b"\x01", bytes(15) + b"\x02")
TCP_PACKET = bytes(12) + b"\x08\x00" + _IPV4 + _TCP
UDP_PACKET = _IPV6 + struct.pack(">HHHH", 53, 1053, 8, 0)
ARP_PACKET = bytes(12) + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + bytes(20)
ETHERNET, RAW = 1, 101
TRACE = Table(
    "trace",
    {
        "time": ints(AT, AT + SECOND, AT + 2 * SECOND, AT + 3 * SECOND, AT, None, AT),
        "bytes": ints(1514, 48, 60, 100, 99, 98, 97),
        "header": octets(TCP_PACKET, UDP_PACKET, ARP_PACKET, None, TCP_PACKET, TCP_PACKET, b""),
        "link_type": ints(ETHERNET, RAW, ETHERNET, ETHERNET, None, ETHERNET, ETHERNET),
        "proto": text_column([None, None, None, "udp", "tcp", None, None]),
        "src": addresses(None, None, None, "192.0.2.1", None, None, None),
        "sport": ints(None, None, None, 9, None, None, None),
        "dst": addresses(None, None, None, "192.0.2.2", None, None, None),
        "ethertype": ints(None, None, None, None, None, None, 0x88CC),
        "tcp_flags": ints(0xFF, None, None, None, None, None, None),
    },
)
