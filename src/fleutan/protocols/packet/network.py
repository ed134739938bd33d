# SPDX-License-Identifier: Apache-2.0
"""Steps over IP's headers, its extension headers and fragments, and over ARP.

What the layers above look like is not known here.  RFC 791 (IPv4), RFC 8200 (IPv6), RFC 4302
(authentication header), RFC 826 (ARP).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.packet import layouts
from fleutan.protocols.packet.kinds import NEXT_HEADERS, PROTOCOLS, Codes, Kind
from fleutan.protocols.packet.level import Follows, Group, Level

Ints = NDArray[np.int64]

_MORE = 1  # of the flags of fragments
#: Kinds behind which the upper layer is still to come.
_BETWEEN = np.zeros(256, np.bool_)
_BETWEEN[[Kind.EXTENSION, Kind.FRAGMENT, Kind.AUTHENTICATION]] = True


def ipv4(level: Level, group: Group) -> Follows:
    """RFC 791 3.1: what is behind the total length is padding of the link."""
    header = level.read(layouts.IPV4, group)
    level.mark("l3_at", header.group)
    rows, sizes, lengths = header.group.rows, header["_words"] * 4, header["_length"]
    level.put_where(lengths > 0, "length", rows, lengths)
    offsets = header["_offset"] * 8
    fragments = (offsets > 0) | (header["fragment_flags"] & _MORE > 0)
    level.columns.put("fragment_offset", rows, offsets)
    codes = _named(level, PROTOCOLS, header["_proto"], header.group)
    passed = level.passable(header.group, sizes, layouts.IPV4.size)
    behind = _bounded(header.group, lengths, sizes).moved(sizes).take(passed)
    begins = np.ones(len(rows), np.bool_)
    if fragments.any():
        level.mark("fragment_at", behind.take(fragments[passed]))
        begins = offsets == 0
        codes[~begins] = Kind.END
    if not passed.all():
        codes, begins = codes[passed], begins[passed]
    return _upper(level, codes, behind, begins)


def ipv6(level: Level, group: Group) -> Follows:
    """RFC 8200 3: of a jumbogram, and of what a network card is to cut, the length is 0."""
    header = level.read(layouts.IPV6, group)
    level.mark("l3_at", header.group)
    size, lengths = layouts.IPV6.size, header["_length"]
    level.put_where(lengths > 0, "length", header.group.rows, lengths + size)
    behind = _bounded(header.group, np.where(lengths > 0, lengths + size, 0), size).moved(size)
    return _next(level, header["_proto"], behind)


def extension(level: Level, group: Group) -> Follows:
    """RFC 8200 4.3, 4.4 and 4.6: hop-by-hop options, routing, destination options."""
    header = level.read(layouts.EXTENSION, group)
    return _beyond(level, header["_proto"], header.group, (header["_units"] + 1) * 8)


def authentication(level: Level, group: Group) -> Follows:
    """RFC 4302 2: the length counts in units of 4 octets, less 2."""
    header = level.read(layouts.AUTHENTICATION, group)
    return _beyond(level, header["_proto"], header.group, (header["_units"] + 2) * 4)


def fragment(level: Level, group: Group) -> Follows:
    """RFC 8200 4.5: only in the first fragment the upper layer's header follows."""
    header = level.read(layouts.FRAGMENT, group)
    behind, protos = header.group.moved(layouts.FRAGMENT.size), header["_proto"]
    offsets = header["_offset"] * 8
    level.columns.put("fragment_offset", behind.rows, offsets)
    level.mark("fragment_at", behind)
    first = offsets == 0
    later = behind.take(~first)
    _named(level, NEXT_HEADERS, protos[~first], later)
    return _next(level, protos[first], behind.take(first))


def arp(level: Level, group: Group) -> Follows:
    """RFC 826, of IPv4 over Ethernet."""
    level.read(layouts.ARP, group)
    return ()


def _bounded(group: Group, lengths: Ints, sizes: Ints | int) -> Group:
    """The rows, which end where the IP packet does, if it says so and holds its own header."""
    ends = np.where(lengths >= sizes, group.at + lengths, group.ends)
    return group._replace(ends=np.minimum(group.ends, ends))


def _beyond(level: Level, protos: Ints, group: Group, sizes: Ints) -> Follows:
    passed = level.passable(group, sizes, layouts.EXTENSION.size)
    return _next(level, protos[passed], group.moved(sizes).take(passed))


def _next(level: Level, protos: Ints, group: Group) -> Follows:
    codes = _named(level, NEXT_HEADERS, protos, group)
    return _upper(level, codes, group, ~_BETWEEN[codes])


def _named(level: Level, table: Codes, protos: Ints, group: Group) -> Codes:
    """What these numbers name; those of the upper layer are final."""
    codes = table.take(protos)
    level.put_where(~_BETWEEN[codes], "proto", group.rows, protos)
    return codes


def _upper(level: Level, codes: Codes, group: Group, begins: NDArray[np.bool_]) -> Follows:
    """The rows, of which those that ``begins`` says stand at the upper layer's header."""
    if level.columns.wants("l4_at"):
        level.mark("l4_at", group.take(begins & ~_BETWEEN[codes]))
    return ((codes, group),)
