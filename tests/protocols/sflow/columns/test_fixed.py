# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from fleutan.protocols.sflow.columns.fixed import DECODERS
from fleutan.protocols.sflow.columns.words import words_of
from fleutan.protocols.sflow.layouts import xdr
from fleutan.protocols.spans import joined

SIXTEEN = bytes(range(0xF0, 0x100))
FIXED = [item for item in vars(xdr).values() if isinstance(item, xdr.Fixed)]


def decoded(kind: xdr.Fixed, octets: bytes, octet: int = 0) -> Any:
    words = words_of(joined([b"before..", octets]))
    return DECODERS[kind](words.blocks(np.array([1]), 1 + len(octets) // 4), 1, octet).tolist()[0]


def test_every_type_has_a_decoder() -> None:
    assert set(DECODERS) == set(FIXED)


@pytest.mark.parametrize(
    ("kind", "octets", "value"),
    [
        (xdr.U32, b"\xff\xff\xff\xfe", 2**32 - 2),
        (xdr.I32, b"\xff\xff\xff\xfe", -2),
        (xdr.I32, b"\x7f\xff\xff\xff", 2**31 - 1),
        (xdr.U64, b"\0\0\0\1\0\0\0\2", 2**32 + 2),
        (xdr.U64, b"\xff" * 8, -1),
        (xdr.FLOAT, struct.pack("!f", -1.5), -1.5),
        (xdr.DOUBLE, struct.pack("!d", 0.1), 0.1),
        (xdr.MAC, b"\1\2\3\4\5\6\xee\xee", 0x010203040506),
        (xdr.IPV4, bytes([10, 0, 0, 1]), [0, 0xFFFF0A000001]),
        (xdr.IPV6, SIXTEEN, list(struct.unpack("!qq", SIXTEEN))),
        (xdr.UUID, SIXTEEN, list(struct.unpack("!qq", SIXTEEN))),
        (xdr.GID, SIXTEEN, list(struct.unpack("!qq", SIXTEEN))),
    ],
)
def test_values(kind: xdr.Fixed, octets: bytes, value: object) -> None:
    assert decoded(kind, octets) == value


def test_octets_within_a_word() -> None:
    assert [decoded(xdr.U8, b"\1\2\3\xff", octet) for octet in range(4)] == [1, 2, 3, 255]
