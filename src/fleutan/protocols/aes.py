# SPDX-License-Identifier: Apache-2.0
"""AES-128 of many blocks at once, in one direction, as a keyed pseudorandom function.

What lives here is for ``anonymising``.  It looks up tables by secret octets, so that who can time
it on the same host may learn of the key: it must not keep secrets that travel.

Source: FIPS 197 (AES), sections 4 and 5.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Blocks = NDArray[np.uint8]
Words = NDArray[np.uint32]

#: Octets of a key and of a block.
BLOCK = 16
_ROUNDS = 10
#: x^8 + x^4 + x^3 + x + 1 (section 4.2).
_MODULUS = 0x11B
#: Where each octet of a row of the state comes from: row r of column c from column c + r (section 5.1.2).
_SHIFTED = [(column + row) % 4 * 4 + row for column in range(4) for row in range(4)]
#: Rows of the matrix that mixes columns, turned (section 5.1.3): what an octet adds to each of four.
_MIXED = ((2, 1, 1, 3), (3, 2, 1, 1), (1, 3, 2, 1), (1, 1, 3, 2))


def schedule(key: bytes) -> NDArray[np.uint8]:
    """The keys of the rounds, ``(11, 16)`` uint8 (section 5.2).  ``key`` has 16 octets."""
    box = substitutions()
    words = [np.frombuffer(key[at : at + 4], np.uint8) for at in range(0, BLOCK, 4)]
    constant = 1
    for number in range(4, 4 * (_ROUNDS + 1)):
        word = words[-1]
        if number % 4 == 0:
            word = box[np.roll(word, -1)] ^ np.array([constant, 0, 0, 0], np.uint8)
            constant = _times(constant, 2)
        words.append(words[-4] ^ word)
    return np.concatenate(words).reshape(_ROUNDS + 1, BLOCK)


def encrypted(keys: NDArray[np.uint8], blocks: Blocks) -> Blocks:
    """Each of ``(n, 16)`` uint8 blocks under the keys of ``schedule``; of the same shape."""
    state: Blocks = blocks ^ keys[0]
    added = keys.view(np.uint32)
    first, *others = _tables()
    for number in range(1, _ROUNDS):
        shifted = state.take(_SHIFTED, axis=1)
        mixed = first.take(shifted[:, 0::4])
        for row, table in enumerate(others, 1):
            mixed ^= table.take(shifted[:, row::4])
        mixed ^= added[number]
        state = mixed.view(np.uint8)
    last: Blocks = substitutions().take(state.take(_SHIFTED, axis=1)) ^ keys[_ROUNDS]
    return last


@cache
def substitutions() -> NDArray[np.uint8]:
    """The S-box: the inverse in GF(2^8), then an affine map (section 5.1.1)."""
    inverses = [0] * 256
    power, inverse = 1, 1
    for _ in range(255):  # 3 generates the field; 0xF6 is its inverse
        inverses[power] = inverse
        power, inverse = _times(power, 3), _times(inverse, 0xF6)
    found = np.array(inverses, np.uint8)
    box: NDArray[np.uint8] = found ^ np.uint8(0x63)
    for bits in range(1, 5):
        box ^= found << bits | found >> 8 - bits
    return box


@cache
def _tables() -> tuple[Words, ...]:
    """What an octet of each row adds to its column after substitution and mixing, as it lies in memory."""
    box = substitutions().tolist()
    made = []
    for factors in _MIXED:
        octets = [[_times(value, factor) for factor in factors] for value in box]
        made.append(np.array(octets, np.uint8).view(np.uint32)[:, 0])
    return tuple(made)


def _times(one: int, other: int) -> int:
    """The product in GF(2^8) (section 4.2)."""
    product = 0
    while other:
        if other & 1:
            product ^= one
        one <<= 1
        if one & 0x100:
            one ^= _MODULUS
        other >>= 1
    return product
