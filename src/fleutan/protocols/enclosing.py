# SPDX-License-Identifier: Apache-2.0
"""UDP datagrams as the IP packets that carried them: headers written for a whole batch, fragments where needed.

What lives here writes headers only; payloads stay where they are, and packets point to them.

Sources: RFC 768 (UDP), RFC 791 section 3.1 (IPv4), RFC 8200 sections 3 and 4.5 (IPv6 and its fragments).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.checksums import complement, summed
from fleutan.protocols.spans import Spans

Ints = NDArray[np.int64]
Table = NDArray[np.void]

_UDP_HEADER = np.dtype([("sport", ">u2"), ("dport", ">u2"), ("length", ">u2"), ("checksum", ">u2")])
_IPV4 = np.dtype(
    [
        ("version", "u1"),
        ("tos", "u1"),
        ("length", ">u2"),
        ("id", ">u2"),
        ("fragment", ">u2"),
        ("ttl", "u1"),
        ("proto", "u1"),
        ("checksum", ">u2"),
        ("source", ">u4"),
        ("destination", ">u4"),
    ]
)
_IPV6 = np.dtype(
    [
        ("version", ">u4"),
        ("length", ">u2"),
        ("next", "u1"),
        ("ttl", "u1"),
        ("source", ">i8", 2),
        ("destination", ">i8", 2),
    ]
)
_FRAGMENT = np.dtype([("next", "u1"), ("reserved", "u1"), ("fragment", ">u2"), ("id", ">u4")])

_UDP, _FRAGMENT_HEADER, _TTL = 17, 44, 64
_VERSION_4, _VERSION_6 = 0x45, 6 << 28
_MORE_4, _MORE_6 = 0x2000, 1
#: IPv4 counts in units of eight octets; IPv6 has its three flags below, so that octets stand as they are.
_UNIT = 8
_WORD = 0xFFFF_FFFF


class Packets(NamedTuple):
    """IP packets: ``headers[i, :header_sizes[i]]``, then ``octets[start:start + size]`` of the payloads' buffer.

    ``rows`` ``(m,)`` says which datagram each is of; ``headers`` is ``(m, width)`` uint8, the rest ``(m,)``
    int64.
    """

    rows: Ints
    headers: NDArray[np.uint8]
    header_sizes: Ints
    starts: Ints
    sizes: Ints


class _Cut(NamedTuple):
    """What packets carry: datagram, place in it (UDP's header counts), how much, and whether more follows."""

    rows: Ints
    offsets: Ints
    sizes: Ints
    more: NDArray[np.bool_]
    whole: NDArray[np.bool_]


def enclosed4(payloads: Spans, ends: tuple[Ints, Ints, Ints, Ints], mtu: int, first_id: int) -> Packets:
    """IPv4 packets of these payloads, none longer than ``mtu`` (at least 68).

    ``ends`` are source, source port, destination and destination port, addresses as ``(n, 2)``
    halves of IPv4-mapped ones.  Fragments of a datagram have an identification of their own, from
    ``first_id`` on, and whole packets 0.
    """
    source, sport, destination, dport = ends
    cut = _cut(payloads.sizes + _UDP_HEADER.itemsize, mtu - _IPV4.itemsize, mtu - _IPV4.itemsize)
    made = np.zeros(len(cut.rows), _IPV4)
    made["version"], made["ttl"], made["proto"] = _VERSION_4, _TTL, _UDP
    made["length"] = _IPV4.itemsize + cut.sizes
    made["id"] = np.where(cut.whole, 0, (first_id + cut.rows) % 0xFFFF + 1)
    made["fragment"] = cut.offsets // _UNIT | np.where(cut.more, _MORE_4, 0)
    made["source"], made["destination"] = source[cut.rows, 1] & _WORD, destination[cut.rows, 1] & _WORD
    headers = made.view(np.uint8).reshape(len(made), _IPV4.itemsize)
    made["checksum"] = complement(_row_sums(headers))
    udp = _udp(payloads, source[:, 1:] & _WORD, sport, destination[:, 1:] & _WORD, dport)
    return _packets(payloads, cut, headers, np.zeros((len(made), 0), np.uint8), udp)


def enclosed6(payloads: Spans, ends: tuple[Ints, Ints, Ints, Ints], mtu: int, first_id: int) -> Packets:
    """IPv6 packets of these payloads, none longer than ``mtu`` (at least 1280); otherwise like ``enclosed4``."""
    source, sport, destination, dport = ends
    room = mtu - _IPV6.itemsize
    cut = _cut(payloads.sizes + _UDP_HEADER.itemsize, room, room - _FRAGMENT.itemsize)
    made = np.zeros(len(cut.rows), _IPV6)
    made["version"], made["ttl"] = _VERSION_6, _TTL
    made["next"] = np.where(cut.whole, _UDP, _FRAGMENT_HEADER)
    made["length"] = cut.sizes + np.where(cut.whole, 0, _FRAGMENT.itemsize)
    made["source"], made["destination"] = source[cut.rows], destination[cut.rows]
    parts = np.zeros(len(cut.rows), _FRAGMENT)
    parts["next"] = _UDP
    parts["fragment"] = cut.offsets | np.where(cut.more, _MORE_6, 0)
    parts["id"] = (first_id + cut.rows) & _WORD
    udp = _udp(payloads, source, sport, destination, dport)
    return _packets(payloads, cut, _octets(made), _octets(parts), udp)


def _cut(totals: Ints, whole_room: int, part_room: int) -> _Cut:
    """Datagrams of these sizes cut where they do not fit, at multiples of eight octets."""
    part = part_room // _UNIT * _UNIT
    fits = totals <= whole_room
    many = np.where(fits, 1, -(-totals // part))
    rows = np.repeat(np.arange(len(totals)), many)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(many) - many, many)
    offsets = number * part
    left = totals[rows] - offsets
    whole = fits[rows]
    sizes = np.where(whole, left, np.minimum(left, part))
    return _Cut(rows, offsets, sizes, left > sizes, whole)


def _packets(payloads: Spans, cut: _Cut, ip: NDArray[np.uint8], parts: NDArray[np.uint8], udp: Table) -> Packets:
    """Headers behind each other: IP's, the fragment's of what is not whole, UDP's of what is first."""
    first = cut.offsets == 0
    base, middle, last = ip.shape[1], parts.shape[1], _UDP_HEADER.itemsize
    headers = np.zeros((len(ip), base + middle + last), np.uint8)
    headers[:, :base] = ip
    headers[:, base : base + middle] = parts
    transport = _octets(udp)[cut.rows]
    for rows, at in ((first & ~cut.whole, base + middle), (cut.whole, base)):
        headers[rows, at : at + last] = transport[rows]
    sizes = base + np.where(cut.whole, 0, middle) + np.where(first, last, 0)
    starts = payloads.starts[cut.rows] + np.where(first, 0, cut.offsets - last)
    return Packets(cut.rows, headers, sizes, starts, cut.sizes - np.where(first, last, 0))


def _udp(payloads: Spans, source: Ints, sport: Ints, destination: Ints, dport: Ints) -> Table:
    """UDP's headers, with the checksum over the pseudo-header and all of the payload."""
    made = np.zeros(payloads.rows, _UDP_HEADER)
    length = payloads.sizes + _UDP_HEADER.itemsize
    made["sport"], made["dport"], made["length"] = sport, dport, length
    pseudo = _half_sums(source) + _half_sums(destination) + _UDP + length
    checksum = complement(pseudo + sport + dport + length + summed(payloads))
    made["checksum"] = np.where(checksum, checksum, 0xFFFF)  # 0 would say that there is none
    return made


def _half_sums(halves: Ints) -> Ints:
    """The sums of the 16-bit words of addresses."""
    total = np.zeros(len(halves), np.int64)
    for shift in range(0, 64, 16):
        total += (halves >> shift & 0xFFFF).sum(axis=1)
    return total


def _row_sums(headers: NDArray[np.uint8]) -> Ints:
    sums: Ints = headers.view(">u2").astype(np.int64).sum(axis=1)
    return sums


def _octets(table: Table) -> NDArray[np.uint8]:
    return table.view(np.uint8).reshape(len(table), table.dtype.itemsize)
