# SPDX-License-Identifier: Apache-2.0
"""A batch of datagrams that begins empty: only what is known to tell no address is copied into it.

What lives here copies, replaces and fills at places that it is told, and knows no protocol.  What
nobody names stays zero, so that what a reader does not understand cannot leak.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.anonymising import Anonymiser
from fleutan.protocols.checksums import complement
from fleutan.protocols.packet.windows import matrix, pieces, windows
from fleutan.protocols.spans import Ints, Spans, number

Octets = NDArray[np.uint8]

#: What stands for each octet of a text.
FILLER = ord("x")
#: No count and no length of something in a datagram is larger; what claims to be says all ones.
MOST, TOO_MANY = 0xFFFF, b"\xff" * 4
_MAPPED = 0xFFFF << 32
_IPV4_HEADER, _CHECKSUM_AT = 20, 10
#: MAC addresses are replaced as if they were in 100::/64, to which nothing is sent (RFC 6666).
_MAC_PREFIX, _MAC_BITS = 0x0100 << 48, 48
_NO_MAC, _BROADCAST, _IPV4_GROUP, _IPV6_GROUP = 0, (1 << 48) - 1, 0x01005E, 0x3333


class Canvas:
    """The datagrams as they came, each at a multiple of four in ``source``, and ``made``, which begins as zeros.

    ``spans`` are the datagrams in ``source``.  Places are ``(n,)`` int64, octets of both buffers.
    ``removed`` counts by reason what was not copied because nobody knows what it says.
    """

    def __init__(self, spans: Spans) -> None:
        self.spans = aligned(spans)
        self.source = self.spans.octets
        self.made = np.zeros_like(self.source)
        self.removed: Counter[str] = Counter()
        self._addresses: dict[int, list[Ints]] = {4: [], 16: []}
        self._macs: list[Ints] = []
        self._headers: list[Ints] = []

    def keep(self, at: Ints, size: int) -> None:
        """Copies ``size`` octets from each place on."""
        if len(at) and size:
            pieces(self.made, size)[at] = pieces(self.source, size)[at]

    def keep_strings(self, at: Ints, sizes: Ints) -> None:
        """Copies so many octets from each place on."""
        places = every(at, sizes)
        self.made[places] = self.source[places]

    def keep_counts(self, at: Ints) -> None:
        """Copies numbers of 32 bits that can be counts, lengths or kinds; what is larger becomes all ones."""
        fine = number(self.source, at, 4) <= MOST
        self.keep(at[fine], 4)
        self.put(at[~fine], TOO_MANY)

    def put(self, at: Ints, octets: bytes) -> None:
        """Writes these octets at each place."""
        if len(at):
            pieces(self.made, len(octets))[at] = np.void(octets)

    def put_numbers(self, at: Ints, numbers: Ints) -> None:
        """Writes numbers of 16 bits."""
        if len(at):
            pieces(self.made, 2)[at] = numbers.astype(">u2").view("V2")

    def fill(self, at: Ints, sizes: Ints) -> None:
        """Text of so many octets becomes as much filler; NUL stays."""
        places = every(at, sizes)
        self.made[places] = np.where(self.source[places] != 0, FILLER, 0)

    def replace(self, at: Ints, size: int) -> None:
        """Has the addresses of 4 or 16 octets there replaced."""
        if len(at):
            self._addresses[size].append(at)

    def replace_macs(self, at: Ints) -> None:
        """Has the MAC addresses there replaced, as ``hidden_bits`` says."""
        if len(at):
            self._macs.append(at)

    def sum_up(self, at: Ints) -> None:
        """Has the checksums of the IPv4 headers there set, whose options are all zero."""
        if len(at):
            self._headers.append(at)

    def finish(self, anonymiser: Anonymiser) -> Octets:
        """The octets with all addresses replaced."""
        for size, write in ((4, self._write_ipv4), (16, self._write_ipv6)):
            if self._addresses[size]:
                at = np.concatenate(self._addresses[size])
                write(at, anonymiser.anonymised(_halves(self.source, at, size)))
        if self._macs:
            at = np.concatenate(self._macs)
            made = anonymised_macs(number(self.source, at, 6), anonymiser)
            pieces(self.made, 6)[at] = _columns(made, 6)
        if self._headers:
            self._write_checksums(np.concatenate(self._headers))
        return self.made

    def _write_ipv4(self, at: Ints, images: Ints) -> None:
        pieces(self.made, 4)[at] = _columns(images[:, 1], 4)

    def _write_ipv6(self, at: Ints, images: Ints) -> None:
        pieces(self.made, 16)[at] = images.astype(">i8", order="C").view("V16")[:, 0]

    def _write_checksums(self, at: Ints) -> None:
        words = matrix(windows(self.made, at, _IPV4_HEADER)).view(">u2").astype(np.int64)
        words[:, _CHECKSUM_AT // 2] = 0
        self.put_numbers(at + _CHECKSUM_AT, complement(words.sum(axis=1)))


def anonymised_macs(macs: Ints, anonymiser: Anonymiser) -> Ints:
    """The replacements of MAC addresses, ``(n,)`` numbers of 48 bits; no two become one."""
    halves = np.stack((np.full(len(macs), _MAC_PREFIX), macs << 16), axis=1)
    turned = (anonymiser.anonymised(halves)[:, 1] ^ halves[:, 1]) >> 16 & (1 << _MAC_BITS) - 1
    images: Ints = macs ^ turned & (1 << hidden_bits(macs)) - 1
    return images


def hidden_bits(macs: Ints) -> Ints:
    """How many bits at the end of each MAC address are replaced.

    A maker's number stays (24 bits).  Of locally administered ones all but the first octet goes: some
    hold an IPv4 address.  Of the groups of IPv4 and IPv6 (RFC 1112 6.4, RFC 2464 7) what is taken from
    the IP address goes; no bit of other groups and of broadcasts.
    """
    bits = np.full(len(macs), 24)
    bits[macs >> 40 & 2 == 2] = 40
    bits[macs >> 40 & 1 == 1] = 0
    bits[macs >> 32 == _IPV6_GROUP] = 32
    bits[macs >> 24 == _IPV4_GROUP] = 24
    bits[np.isin(macs, (_NO_MAC, _BROADCAST))] = 0
    return bits


def aligned(spans: Spans) -> Spans:
    """A copy of these strings, each at a multiple of four in a buffer of its own."""
    room = spans.sizes + 3 & ~3
    starts = np.cumsum(room) - room
    octets = np.zeros(max(int(room.sum()), 4), np.uint8)
    order = np.argsort(spans.sizes, kind="stable")
    sizes, firsts = np.unique(spans.sizes[order], return_index=True)
    for size, rows in zip(sizes.tolist(), np.split(order, firsts[1:]), strict=bool(len(sizes))):
        if size:
            pieces(octets, size)[starts[rows]] = windows(spans.octets, spans.starts[rows], size)
    return Spans(octets, starts, spans.sizes.astype(np.int64))


def every(at: Ints, sizes: Ints) -> Ints:
    """The places of all octets of strings."""
    ends = np.cumsum(sizes)
    return np.repeat(at - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)


def _halves(octets: Octets, at: Ints, size: int) -> Ints:
    if size == 4:
        return np.stack((np.zeros(len(at), np.int64), number(octets, at, 4) | _MAPPED), axis=1)
    return np.stack((number(octets, at, 8), number(octets, at + 8, 8)), axis=1)


def _columns(numbers: Ints, size: int) -> NDArray[np.void]:
    """The last ``size`` octets of each number."""
    octets = numbers.astype(">i8").view(np.uint8).reshape(len(numbers), 8)
    return np.ascontiguousarray(octets[:, 8 - size :]).view(f"V{size}")[:, 0]
