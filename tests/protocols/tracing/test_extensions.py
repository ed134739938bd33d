# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.tracing.packets import NEAR, folded

from fleutan.protocols.tracing.extensions import Extended, Interface, Label, split

QUOTE = bytes(range(1, 129))
#: Label 16004, EXP 5, TTL 1; then label 3, bottom of the stack, TTL 255.
STACK = bytes.fromhex("000c 01 01  03e84a01 000031ff")
LABELS = (Label(16004, 5, False, 1), Label(3, 0, True, 255))


def structure(*objects: bytes, checksum: int | None = None) -> bytes:
    """An extension structure (RFC 4884, 7) of these objects."""
    body = b"".join(objects)
    total = 0xFFFF - folded(b"\x20\x00\x00\x00" + body)
    return struct.pack("!BBH", 0x20, 0, total if checksum is None else checksum) + body


def interface(subkind: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack("!HBB", 4 + len(body), 2, subkind) + body


def test_labels_octet_by_octet_as_a_router_sends_them() -> None:
    whole = bytes.fromhex("2000 cd0a 0008 0101 10eb 0101")
    assert folded(whole) == 0xFFFF
    assert split(QUOTE + whole, 128) == Extended(QUOTE, (Label(0x10EB0, 0, True, 1),))


@pytest.mark.parametrize("size", [128, 132, 256, 28])
def test_the_structure_stands_where_the_length_says(size: int) -> None:
    quote = (QUOTE * 2)[:size]
    assert split(quote + structure(STACK), size) == Extended(quote, LABELS)


def test_older_routers_begin_after_128_octets_and_tell_no_length() -> None:
    assert split(QUOTE + structure(STACK), 0) == Extended(QUOTE, LABELS)


def test_a_length_that_leads_to_no_structure_is_tried_at_128_too() -> None:
    assert split(QUOTE + structure(STACK), 32) == Extended(QUOTE, LABELS)


def test_what_was_not_announced_has_to_have_a_checksum() -> None:
    unsigned = QUOTE + structure(STACK, checksum=0)
    assert split(unsigned, 128) == Extended(QUOTE, LABELS)
    assert split(unsigned, 0) == Extended(unsigned)


@pytest.mark.parametrize(
    "wrong", [structure(STACK, checksum=1), b"\x10" + structure(STACK, checksum=0)[1:], b"\x20\0\0", b"", structure()]
)
def test_what_is_no_structure_says_nothing_but_ends_the_quote(wrong: bytes) -> None:
    assert split(QUOTE + wrong, 128) == Extended(QUOTE)


def test_a_length_beyond_the_end_is_ignored() -> None:
    assert split(QUOTE, 132) == Extended(QUOTE)


@pytest.mark.parametrize("size", [0, 3, 99])
def test_an_object_whose_length_is_wrong_ends_the_reading(size: int) -> None:
    wrong = struct.pack("!HBB", size, 1, 1) + bytes(4)
    assert split(QUOTE + structure(STACK, wrong, STACK), 128) == Extended(QUOTE, LABELS)


def test_other_objects_are_stepped_over() -> None:
    others = struct.pack("!HBBI", 8, 3, 1, 0), struct.pack("!HBBI", 8, 1, 9, 0)
    assert split(QUOTE + structure(*others, STACK), 128) == Extended(QUOTE, LABELS)


INDEX, MTU = struct.pack("!I", 42), struct.pack("!I", 9000)
FOUR, SIX = b"\0\1\0\0" + NEAR[4], b"\0\2\0\0" + NEAR[6]
NAME = b"\x0cxe-0/0/1\0\0\0"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (interface(0x0F, INDEX, FOUR, NAME, MTU), Interface("incoming", 42, NEAR[4], "xe-0/0/1", 9000)),
        (interface(0x4C, INDEX, SIX), Interface("sub-IP", 42, NEAR[6])),
        (interface(0x82, NAME), Interface("outgoing", name="xe-0/0/1")),
        (interface(0xC5, FOUR, MTU), Interface("next-hop", address=NEAR[4], mtu=9000)),
        (interface(0x02, b"\x08a\x1b[2\xff\xc3\xbc"), Interface("incoming", name="a?[2\N{REPLACEMENT CHARACTER}ü")),
        (interface(0x00), Interface("incoming")),
    ],
)
def test_interfaces_tell_what_their_type_says(written: bytes, read: Interface) -> None:
    assert split(QUOTE + structure(written), 128) == Extended(QUOTE, (), (read,))


@pytest.mark.parametrize(
    "written",
    [
        interface(0x08, INDEX[:3]),
        interface(0x04, FOUR[:7]),
        interface(0x04, FOUR[:2]),
        interface(0x04, b"\0\3" + FOUR[2:]),
        interface(0x02),
        interface(0x02, b"\x00abc"),
        interface(0x02, b"\x08abc"),
        interface(0x0B, INDEX, NAME, MTU[:2]),
    ],
)
def test_an_interface_of_which_a_part_is_wrong_is_left_out(written: bytes) -> None:
    assert split(QUOTE + structure(written, STACK), 128) == Extended(QUOTE, LABELS)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_octets_are_split(payload: bytes, length: int) -> None:
    found = split(payload, length)
    assert payload.startswith(found.quote)
    assert found.quote or not payload


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 255), st.binary(max_size=40))))
def test_any_objects_are_read(objects: list[tuple[int, int, bytes]]) -> None:
    written = [struct.pack("!HBB", 4 + len(body), kind, subkind) + body for kind, subkind, body in objects]
    found = split(QUOTE + structure(*written), 128)
    assert found.quote == QUOTE
    assert len(found.labels) == sum(len(body) // 4 for kind, subkind, body in objects if (kind, subkind) == (1, 1))
