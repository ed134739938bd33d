# SPDX-License-Identifier: Apache-2.0
"""Addresses replaced by others under a key, so that common prefixes stay as long as they were.

The algorithm is Crypto-PAn: bit ``n`` of an address is turned or not as AES-128 of its first ``n``
bits says.  Results agree with other implementations under the same key, IPv4 on its 32 bits, IPv6 on
128, with one exception: what is no address, or would look like one of the other version, is
reserved.  The unspecified addresses (0.0.0.0, ::) stand for "none" in what is exported and stay
as they are; what would become one of them, or of IPv6 an IPv4-mapped address, is mapped again until
it does not, so that no two addresses become one.  Of 2^32 IPv4 addresses that concerns one, of IPv6 one
of 2^96.  Loopback, multicast and broadcast addresses are replaced like any other.

Source: J. Xu, J. Fan, M. Ammar, S. Moon, "Prefix-preserving IP address anonymization", ICNP 2002;
walking cycles: J. Black, P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols import aes

Ints = NDArray[np.int64]
Octets = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: Octets of a key: one for AES, and one whose encryption pads the prefixes.
KEY = 32
#: How many addresses are remembered of each version of IP, before all are forgotten: 32 MB.
MOST = 1 << 20
#: How many addresses are worked on at a time: of IPv6 that takes some 20 MB.
_AT_ONCE = 2048
#: The low half of ::ffff:0.0.0.0 (RFC 4291 section 2.5.5.2).
_MAPPED = 0xFFFF << 32
_SIZES = {4: 4, 6: 16}
_BLOCKS_AT_ONCE = 8192


class Anonymiser:
    """Replaces addresses under a key of 32 octets, and remembers ``most`` of each version of IP at the most.

    Raises ValueError for a key of another length.
    """

    def __init__(self, key: bytes, most: int = MOST) -> None:
        if len(key) != KEY:
            raise ValueError(f"a key has {KEY} octets, this one {len(key)}")
        keys = aes.schedule(key[: aes.BLOCK])
        pad = aes.encrypted(keys, np.frombuffer(key, np.uint8)[None, aes.BLOCK :])[0]
        self._versions = {version: _Version(keys, pad, version, most) for version in _SIZES}

    def anonymised(self, halves: Ints) -> Ints:
        """The replacements of ``(n, 2)`` int64 halves, IPv4-mapped ones of IPv4-mapped ones, in the same form."""
        four = _is_mapped(halves)
        made = np.empty((len(halves), 2), np.int64)
        for version, rows in ((4, four), (6, ~four)):
            if rows.any():
                made[rows] = self._versions[version].images(halves[rows])
        return made

    @property
    def remembered(self) -> dict[int, int]:
        """How many addresses are remembered, by version of IP."""
        return {version: one.replaced.many for version, one in self._versions.items()}


class _Version:
    """One version of IP under the key: which bits are turned, and what was replaced before."""

    def __init__(self, keys: NDArray[np.uint8], pad: Octets, version: int, most: int) -> None:
        self._keys, self._pad = keys, pad
        self._octets = _SIZES[version]
        self._bits = np.arange(8 * self._octets)
        self._masks = _masks(self._octets)
        self.replaced = _Replaced(most)

    def images(self, halves: Ints) -> Ints:
        """The image of each address, of which only those are computed that are new."""
        distinct, place = _distinct(halves)
        images, fresh = self.replaced.find(distinct)
        if fresh.any():
            images[fresh] = self._walked(distinct[fresh])
            self.replaced.remember(distinct[fresh], images[fresh])
        return images[place]

    def _walked(self, halves: Ints) -> Ints:
        """Images of addresses, mapped on while they are what is reserved; that stays as it is."""
        kept = self._reserved(halves)
        images = np.where(kept[:, None], halves, self._mapped_once(halves))
        while (again := self._reserved(images) & ~kept).any():
            images[again] = self._mapped_once(images[again])
        return images

    def _reserved(self, halves: Ints) -> Mask:
        none: Mask = (halves == [0, _MAPPED if self._octets == 4 else 0]).all(axis=1)
        return none if self._octets == 4 else none | _is_mapped(halves)

    def _mapped_once(self, halves: Ints) -> Ints:
        """The algorithm as published."""
        octets = halves.astype(">i8", order="C").view(np.uint8)[:, -self._octets :]
        images = np.zeros((len(halves), 16), np.uint8)
        images[:, -self._octets :] = octets
        if self._octets == 4:
            images[:, 10:12] = 0xFF
        for first in range(0, len(octets), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            images[rows, -self._octets :] ^= np.packbits(self._turned(octets[rows]), axis=1)
        return images.view(">i8").astype(np.int64)

    def _turned(self, octets: Octets) -> Octets:
        """Which bits are turned, ``(n, bits)``: what a prefix says is asked once for all rows that begin with it.

        Rows in order have their longest prefixes in common with the row before.
        """
        bits = np.unpackbits(octets, axis=1)
        common = np.full(len(octets), -1)
        common[1:] = (bits[1:] != bits[:-1]).argmax(axis=1)
        fresh = self._bits > common[:, None]
        row, length = np.nonzero(fresh)
        turned = np.zeros(bits.shape, np.uint8)
        turned[fresh] = self._asked(octets[row], length)
        last = np.maximum.accumulate(np.where(fresh, np.arange(len(octets))[:, None], 0), axis=0)
        return turned[last, self._bits]

    def _asked(self, octets: Octets, lengths: Ints) -> Octets:
        """What AES says of prefixes of these lengths, whose missing bits are those of the pad: its first bit."""
        said = np.empty(len(octets), np.uint8)
        for first in range(0, len(octets), _BLOCKS_AT_ONCE):
            rows = slice(first, first + _BLOCKS_AT_ONCE)
            mask = self._masks[lengths[rows]]
            blocks = np.tile(self._pad, (len(mask), 1))
            blocks[:, : self._octets] = octets[rows] & mask | blocks[:, : self._octets] & ~mask
            said[rows] = aes.encrypted(self._keys, blocks)[:, 0] >> 7
        return said


class _Replaced:
    """Addresses in runs, each in order, and their images; a run is joined to one before it that is no longer.

    So each is moved as often as the logarithm of how many there are, and there are as few runs.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._runs: list[tuple[NDArray[np.void], Ints]] = []

    @property
    def many(self) -> int:
        """How many there are."""
        return sum(len(known) for known, _ in self._runs)

    def find(self, addresses: Ints) -> tuple[Ints, Mask]:
        """The images of those that are known, and which are not."""
        images = np.empty((len(addresses), 2), np.int64)
        unknown = np.ones(len(addresses), np.bool_)
        keys = _keys(addresses)
        for known, theirs in self._runs:
            place = np.minimum(known.searchsorted(keys), len(known) - 1)
            found = known[place] == keys
            images[found] = theirs[place[found]]
            unknown &= ~found
        return images, unknown

    def remember(self, addresses: Ints, images: Ints) -> None:
        """Keeps the images of addresses that are new and in order; of too many, these only, or none."""
        if self.many + len(addresses) > self._most:
            self._runs = []
        if len(addresses) > self._most:
            return
        run = _keys(addresses), images
        while self._runs and len(self._runs[-1][0]) <= len(run[0]):
            known, theirs = self._runs.pop()
            together = np.concatenate([known, run[0]])
            order = together.argsort(kind="stable")
            run = together[order], np.concatenate([theirs, run[1]])[order]
        self._runs.append(run)


def _is_mapped(halves: Ints) -> Mask:
    """Which of ``(n, 2)`` halves are IPv4-mapped."""
    four: Mask = (halves[:, 0] == 0) & (halves[:, 1] >> 32 == 0xFFFF)
    return four


def _distinct(halves: Ints) -> tuple[Ints, Ints]:
    """The distinct addresses in order, and for every row the number of its own."""
    order = np.lexsort((halves[:, 1].view(np.uint64), halves[:, 0].view(np.uint64)))
    ordered = halves[order]
    first = np.ones(len(ordered), np.bool_)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    place = np.empty(len(ordered), np.int64)
    place[order] = np.cumsum(first) - 1
    return ordered[first], place


def _keys(halves: Ints) -> NDArray[np.void]:
    """Addresses as octets, whose order is theirs."""
    return halves.astype(">i8", order="C").view("V16")[:, 0]


def _masks(octets: int) -> Octets:
    """Masks of the first 0, 1, 2 … bits, ``(8 * octets, octets)``."""
    bits = np.arange(8 * octets)
    return np.packbits(bits < bits[:, None], axis=1)
