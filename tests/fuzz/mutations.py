# SPDX-License-Identifier: Apache-2.0
"""Datagrams as they are after an accident: octets changed, cut off, moved, doubled, joined to those of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

#: Numbers that counts and lengths must not be.
EXTREMES = tuple(map(bytes.fromhex, ("ffffffff", "00000000", "7fffffff", "0000ffff", "ffff", "0000", "0003", "0100")))
#: No datagram is longer.
LONGEST = 65_507


def flipped(octets: bytearray, random: Random, _other: bytes) -> bytearray:
    """Some bits the other way round."""
    for _ in range(random.randint(1, 8)):
        octets[random.randrange(len(octets))] ^= 1 << random.randrange(8)
    return octets


def cut(octets: bytearray, random: Random, _: bytes) -> bytearray:
    """The beginning alone."""
    return octets[: random.randrange(len(octets))]


def spliced(octets: bytearray, random: Random, other: bytes) -> bytearray:
    """The beginning, and the end of another."""
    return octets[: random.randrange(len(octets))] + other[random.randrange(len(other)) :]


def doubled(octets: bytearray, random: Random, _: bytes) -> bytearray:
    """A piece again and again."""
    begin = random.randrange(len(octets))
    end = random.randint(begin, min(begin + 64, len(octets)))
    return octets[:end] + octets[begin:end] * random.randint(1, 20) + octets[end:]


def dropped(octets: bytearray, random: Random, _: bytes) -> bytearray:
    """Without a piece."""
    begin = random.randrange(len(octets))
    return octets[:begin] + octets[random.randint(begin, min(begin + 64, len(octets))) :]


def forged(octets: bytearray, random: Random, _other: bytes) -> bytearray:
    """Extreme numbers where counts and lengths may be."""
    for _ in range(random.randint(1, 3)):
        at, number = 2 * random.randrange(1 + len(octets) // 2), random.choice(EXTREMES)
        octets[at : at + len(number)] = number
    return octets


MUTATIONS: tuple[Callable[[bytearray, Random, bytes], bytearray], ...] = (
    flipped,
    cut,
    spliced,
    doubled,
    dropped,
    forged,
)


def mutated(strings: Sequence[bytes], many: int, random: Random) -> Iterator[bytes]:
    """So many of them, each after one to three accidents."""
    for number in range(many):
        octets = bytearray(strings[number % len(strings)])
        for _ in range(random.randint(1, 3)):
            if octets:
                octets = random.choice(MUTATIONS)(octets, random, random.choice(strings))
        yield bytes(octets[:LONGEST])
