# SPDX-License-Identifier: Apache-2.0
"""IP addresses as columns: IPv6 (IPv4 as IPv4-mapped) in two signed 64-bit halves.

A batch of addresses is an ``(n, 2)`` int64 array: the high and the low half in network order.
Within one prefix the order of the signed halves is the order of the addresses, so a prefix is
a pair of ranges.  Text appears only here, at the edge.  No name is ever looked up here.
"""

from __future__ import annotations

import ipaddress
from socket import AF_INET, AF_INET6, inet_ntop
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: High word of the low half of every IPv4-mapped address (::ffff:0:0/96, RFC 4291 2.5.5.2).
MAPPED = 0xFFFF << 32


class Prefix(NamedTuple):
    """An address range: inclusive bounds of the signed halves."""

    hi_first: int
    hi_last: int
    lo_first: int
    lo_last: int


def halves_of_words(words: NDArray[np.uint32], is_ipv4: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Kernel addresses as halves.

    ``words`` is ``(n, 4)`` uint32 as they lie in memory (network order); an IPv4 address stands
    in the first word.  Returns ``(n, 2)`` int64.
    """
    host = words.view(">u4").astype(np.uint64)
    out = np.empty((len(words), 2), np.uint64)
    out[:, 0] = (host[:, 0] << np.uint64(32)) | host[:, 1]
    out[:, 1] = (host[:, 2] << np.uint64(32)) | host[:, 3]
    out[is_ipv4, 0] = 0
    out[is_ipv4, 1] = np.uint64(MAPPED) | host[is_ipv4, 0]
    return out.view(np.int64)


def is_ipv4(halves: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows of ``(n, 2)`` halves are IPv4-mapped."""
    mapped: NDArray[np.bool_] = (halves[:, 0] == 0) & ((halves[:, 1] >> 32) == 0xFFFF)
    return mapped


def texts(halves: NDArray[np.int64]) -> list[str]:
    """Each row of ``(n, 2)`` halves as text; IPv4-mapped as dotted quad."""
    packed = halves.astype(">i8").tobytes()
    four = is_ipv4(halves).tolist()
    return [
        inet_ntop(AF_INET, packed[at + 12 : at + 16]) if v4 else inet_ntop(AF_INET6, packed[at : at + 16])
        for at, v4 in zip(range(0, len(packed), 16), four, strict=True)
    ]


def packed(halves: NDArray[np.int64]) -> list[bytes]:
    """Each row of ``(n, 2)`` halves in octets of network order: 4 of IPv4, 16 of IPv6."""
    octets = halves.astype(">i8").tobytes()
    four = is_ipv4(halves).tolist()
    return [octets[at + 12 * v4 : at + 16] for at, v4 in zip(range(0, len(octets), 16), four, strict=True)]


def distinct(halves: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct addresses as text, and for every row the index of its own (int32)."""
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    ordered = halves[order]
    fresh = np.ones(len(ordered), np.bool_)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    codes = np.empty(len(ordered), np.int32)
    codes[order] = np.cumsum(fresh, dtype=np.int32) - 1
    return texts(ordered[fresh]), codes


def parse_prefix(text: str) -> Prefix:
    """``10/8``, ``192.0.2.1``, ``2001:db8::/32`` as bounds.  Raises ValueError with the reason.

    Short IPv4 forms are filled with zeros on the right, as tcpdump and ss do (``10.1/16``).
    """
    address, slash, length = text.strip().removeprefix("[").replace("]", "", 1).partition("/")
    if ":" not in address and slash and address.count(".") < 3:
        address += ".0" * (3 - address.count("."))
    network = ipaddress.ip_network(address + slash + length, strict=False)
    mapped = network.version == 4
    base = int(network.network_address) | (MAPPED if mapped else 0)
    bits = network.prefixlen + (96 if mapped else 0)
    last = base | ((1 << (128 - bits)) - 1)
    low_is_free = bits <= 64
    return Prefix(
        *((_signed(base >> 64), _signed(last >> 64)) if bits else (-(1 << 63), (1 << 63) - 1)),
        *((-(1 << 63), (1 << 63) - 1) if low_is_free else (_signed(base), _signed(last))),
    )


def _signed(value: int) -> int:
    half = value & 0xFFFF_FFFF_FFFF_FFFF
    return half - (1 << 64) if half >> 63 else half
