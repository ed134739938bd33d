# SPDX-License-Identifier: Apache-2.0
"""Addresses as text of a fixed width, many at once: IPv4 by its octets, IPv6 by its groups.

What lives here writes octets into matrices, NUL where there is none; which cell of which format
they are is not known here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
#: Four bytes of text as they lie in memory.
Four = NDArray[np.uint32]

#: Octets that the text of an address takes at most, in multiples of four.
IPV4_WIDTH, IPV6_WIDTH = 16, 40
_GROUPS, _DIGITS = 8, 4
#: A run of this many zero groups that begins an address is written with an IPv4 address behind it (RFC 5952 5).
_EMBEDDED = 6


@cache
def octets() -> tuple[Four, Four, Four, Four]:
    """The text of 0 to 255 by its place in an IPv4 address: with a dot behind it in the first three."""
    dotted, plain = (
        np.array([b"%d%s" % (octet, dot) for octet in range(256)], "S4").view(np.uint32) for dot in (b".", b"")
    )
    return dotted, dotted, dotted, plain


def write_ipv4(low: Ints, out: Four) -> None:
    """The addresses in the lower 32 bits of each number, into ``(n, 4)``."""
    for place, table in enumerate(octets()):
        out[:, place] = table.take(low >> (24 - 8 * place) & 0xFF)


@cache
def hexadecimal() -> Four:
    """The text of 16 bits, all digits."""
    pairs = np.frombuffer(b"".join(b"%02x" % octet for octet in range(256)), np.uint16)
    numbers = np.arange(1 << 16)
    found: Four = np.stack((pairs[numbers >> 8], pairs[numbers & 0xFF]), 1).view(np.uint32)[:, 0]
    return found


@cache
def _short() -> Four:
    """The text of 16 bits without leading zeros, NULs in their place."""
    digits = hexadecimal().view(np.uint8).reshape(-1, _DIGITS).copy()
    leading = np.maximum.accumulate(digits != ord("0"), axis=1)
    leading[:, -1] = True
    found: Four = (digits * leading).view(np.uint32)[:, 0]
    return found


def ipv6_groups(halves: Ints) -> Bytes:
    """Addresses ``(n, 2)`` in eight groups of four digits, ``(n, 40)``."""
    found = np.full((len(halves), _GROUPS, _DIGITS + 1), ord(":"), np.uint8)
    found[:, :, :_DIGITS] = _texts(hexadecimal(), _numbers(halves))
    found[:, -1, -1] = 0
    return found.reshape(-1, IPV6_WIDTH)


def ipv6_texts(halves: Ints) -> Bytes:
    """Addresses ``(n, 2)``, none of them IPv4-mapped, as RFC 5952 4 has them, ``(n, 40)``."""
    numbers = _numbers(halves)
    first, length = _longest_run(numbers == 0)
    place = np.arange(_GROUPS)
    inside = (place >= first[:, None]) & (place < (first + length)[:, None]) & (length > 1)[:, None]
    # Where a run is left out, a colon stands for it, and one more at the very beginning.
    colon = ~inside | (place == first[:, None]) | (inside & (first == 0)[:, None] & (place == 1))
    colon[:, -1] &= inside[:, -1] & (place[-1] == first)
    found = np.zeros((len(halves), _GROUPS, _DIGITS + 1), np.uint8)
    found[:, :, :_DIGITS] = _texts(_short(), np.where(inside, 0, numbers))
    found[:, :, :_DIGITS][inside] = 0
    found[:, :, _DIGITS] = colon * np.uint8(ord(":"))
    written = found.reshape(-1, IPV6_WIDTH)
    _embed(halves, (first == 0) & (length == _EMBEDDED), written)
    return written


def _embed(halves: Ints, where: NDArray[np.bool_], out: Bytes) -> None:
    rows = np.flatnonzero(where)
    if len(rows):
        text = np.zeros((len(rows), IPV6_WIDTH), np.uint8)
        text[:, :2] = ord(":")
        write_ipv4(halves[rows, 1], text.view(np.uint32)[:, 1:5])
        out[rows] = text


def _numbers(halves: Ints) -> NDArray[np.intp]:
    """The groups as numbers, ``(n, 8)``."""
    return halves.astype(">i8").view(">u2").astype(np.intp)


def _texts(table: Four, numbers: NDArray[np.intp]) -> Bytes:
    found: NDArray[Any] = table.take(numbers)
    return found.view(np.uint8).reshape(-1, _GROUPS, _DIGITS)


def _longest_run(zero: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Where the first of the longest runs of zero groups begins, and its length."""
    ending = np.zeros((len(zero), _GROUPS), np.int64)
    run = np.zeros(len(zero), np.int64)
    for place in range(_GROUPS):
        run = (run + 1) * zero[:, place]
        ending[:, place] = run
    last = ending.argmax(axis=1)
    length = ending[np.arange(len(zero)), last]
    return last - length + 1, length
