# SPDX-License-Identifier: Apache-2.0
"""Single structures on a canvas; all of sFlow's stand in the tests of its datagrams."""

from __future__ import annotations

import struct

import pytest
from tests.protocols.anonymous.keyed import canvas_of, finished, image, mac_image

from fleutan.protocols.anonymous import structures
from fleutan.protocols.sflow.columns.words import words_of
from fleutan.protocols.sflow.layouts.hosts import ADAPTER
from fleutan.protocols.sflow.layouts.packets import AS_PATH_SEGMENT
from fleutan.protocols.sflow.layouts.xdr import (
    ADDRESS,
    IPV4,
    IPV6,
    MAC,
    OPAQUE,
    U8,
    U32,
    U64,
    Array,
    Choice,
    Field,
    row,
    string,
)

A4, A6, M6 = bytes.fromhex("c6336407"), bytes(range(32, 48)), bytes.fromhex("08002b010203")


def hidden(octets: bytes, *fields: Field) -> tuple[bytes, list[int]]:
    """What becomes of a structure, and at which octet it goes on: nowhere if it is broken."""
    canvas = canvas_of(octets)
    words = words_of(canvas.spans)
    behind = structures.hide(canvas, words, words.starts, words.ends, fields)
    return finished(canvas)[0], (4 * behind.at).tolist()


def test_fixed_fields() -> None:
    octets = struct.pack("!I", 7) + A4 + struct.pack("!II", 1, 2) + A6 + M6 + b"\1\2" + b"\3\4\5\6" + bytes(7) + b"\x09"
    fields = row("a", U32, "b", IPV4, "c d", U32, "e", IPV6, "f", MAC, "g h i j", U8, "k", U64)
    wanted = octets.replace(A4, image(A4)).replace(A6, image(A6)).replace(M6 + b"\1\2", mac_image(M6) + bytes(2))
    assert hidden(octets, *fields) == (wanted, [len(octets)])
    for size in range(len(octets)):
        found, behind = hidden(octets[:size], *fields)
        assert behind == []
        whole = max(end for end in (0, 4, 8, 12, 16, 32, 40, 41, 42, 43, 44) if end <= size)
        # Of a MAC address its padding need not be there, of nothing else a part.
        assert found[:whole] == wanted[:whole]
        assert not any(found[max(whole, 38 if size >= 40 else whole) :])


def test_a_switch_is_known_by_its_mac() -> None:
    assert hidden(b"\0\1" + M6, *row("datapath_id", U64))[0] == b"\0\1" + mac_image(M6)


@pytest.mark.parametrize(
    ("octets", "wanted"),
    [
        (bytes(4), bytes(4)),
        (b"\0\0\0\1" + A4, b"\0\0\0\1" + image(A4)),
        (b"\0\0\0\2" + A6, b"\0\0\0\2" + image(A6)),
    ],
)
def test_addresses(octets: bytes, wanted: bytes) -> None:
    assert hidden(octets + b"\0\0\0\5", *row("a", ADDRESS, "b", U32)) == (wanted + b"\0\0\0\5", [len(octets) + 4])


@pytest.mark.parametrize("octets", [b"\0\0\0\3" + A4, A4 + A4, b"\0\0\0\1", b"\0\0\0\2" + A4 * 3])
def test_what_is_no_address(octets: bytes) -> None:
    found, behind = hidden(octets, *row("a", ADDRESS, "b", U32))
    assert behind == []
    assert A4 not in found


def test_text() -> None:
    octets = b"\0\0\0\5a nam\0\0\0" + b"\0\0\0\4name"
    assert hidden(octets, *row("host", string())) == (b"\0\0\0\5xxxxx" + bytes(11), [12])
    assert hidden(octets, *row("symbol", string()))[0] == b"\0\0\0\5a nam" + bytes(11)
    assert hidden(octets, *row("data", OPAQUE))[0] == b"\0\0\0\5" + bytes(16)
    assert hidden(b"\0\0\0\5a", *row("host", string())) == (b"\0\0\0\5\0", [])


def test_arrays() -> None:
    octets = b"\0\0\0\2" + A4 * 2 + b"\0\0\0\7"
    assert hidden(octets, *row("a", Array(U32), "b", U32)) == (octets, [16])
    assert hidden(octets, *row("a", Array(IPV4), "b", U32)) == (b"\0\0\0\2" + bytes(8) + b"\0\0\0\7", [16])
    assert hidden(octets[:11], *row("a", Array(U32)))[0] == b"\0\0\0\2" + bytes(7)


def test_arrays_of_arrays() -> None:
    path = struct.pack("!7I", 2, 1, 1, 9, 2, 2, 3) + struct.pack("!I", 4)
    assert hidden(path, *row("a", Array(AS_PATH_SEGMENT))) == (path, [len(path)])
    adapters = struct.pack("!III", 1, 3, 2) + (M6 + b"\0\0") * 2
    wanted = adapters.replace(M6, mac_image(M6))
    assert hidden(adapters, *row("a", Array(ADAPTER))) == (wanted, [len(adapters)])
    others = (*row("n", U32), Field("of", Array(IPV4)))
    assert hidden(struct.pack("!III", 1, 3, 1) + A4, *row("a", Array(others)))[0] == struct.pack("!IIII", 1, 3, 1, 0)


def test_of_arrays_that_are_cut_nothing_stays() -> None:
    path = struct.pack("!IIIII", 2, 1, 1, 0xC6336407, 2)
    assert hidden(path, *row("a", Array(AS_PATH_SEGMENT)))[0] == b"\xff" * 4 + bytes(16)


def test_what_holds_values_of_any_kind_is_left_out() -> None:
    choice = Choice(((0, "string", string()), (1, "number", U32)))
    octets = struct.pack("!III", 1, 1, 0xC6336407)
    canvas = canvas_of(octets)
    words = words_of(canvas.spans)
    structures.hide(canvas, words, words.starts, words.ends, row("a", Array(row("name", U32, "value", choice))))
    assert finished(canvas) == [bytes(12)]
    assert canvas.removed["structure in a structure"] == 1
