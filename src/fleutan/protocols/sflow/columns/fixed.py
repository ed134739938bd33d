# SPDX-License-Identifier: Apache-2.0
"""How values of fixed size look in words: each type of ``layouts.xdr`` by a function on a block of words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fleutan.protocols.sflow.columns.words import halves, mapped
from fleutan.protocols.sflow.layouts.xdr import DOUBLE, FLOAT, GID, I32, IPV4, IPV6, MAC, U8, U32, U64, UUID, Fixed
from fleutan.protocols.spans import Ints
from fleutan.records import Values


def _u8(block: Ints, word: int, octet: int) -> Ints:
    found: Ints = block[word] >> (24 - 8 * octet) & 0xFF
    return found


def _u32(block: Ints, word: int, _octet: int) -> Ints:
    found: Ints = block[word]
    return found


def _i32(block: Ints, word: int, _octet: int) -> Ints:
    found: Ints = block[word].astype(np.int32).astype(np.int64)
    return found


def _u64(block: Ints, word: int, _octet: int) -> Ints:
    found: Ints = block[word] << 32 | block[word + 1]
    return found


def _float(block: Ints, word: int, _octet: int) -> Values:
    found: Values = block[word].astype(np.uint32).view(np.float32).astype(np.float64)
    return found


def _double(block: Ints, word: int, octet: int) -> Values:
    return _u64(block, word, octet).view(np.float64)


def _mac(block: Ints, word: int, _octet: int) -> Ints:
    found: Ints = block[word] << 16 | block[word + 1] >> 16
    return found


def _ipv4(block: Ints, word: int, _octet: int) -> Ints:
    return mapped(block[word])


def _sixteen(block: Ints, word: int, _octet: int) -> Ints:
    return halves(block[word : word + 4])


#: A block is ``(words, n)`` int64; a value begins at a word of it, and an octet of that.
DECODERS: dict[Fixed, Callable[[Ints, int, int], Values]] = {
    U8: _u8,
    U32: _u32,
    I32: _i32,
    U64: _u64,
    FLOAT: _float,
    DOUBLE: _double,
    MAC: _mac,
    IPV4: _ipv4,
    IPV6: _sixteen,
    UUID: _sixteen,
    GID: _sixteen,
}
