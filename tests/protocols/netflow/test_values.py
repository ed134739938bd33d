# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.netflow.making import specifiers

from fleutan.protocols.netflow.elements import Element, element, iana, named
from fleutan.protocols.netflow.values import LEVELS, gathered, value
from fleutan.protocols.netflow.values import named as record
from fleutan.protocols.netflow.wire.templates import VARIABLE, Template, layout

SHAPE = Template(10, False, 0, specifiers((8, 4), (96, VARIABLE)))


def templates(number: int) -> Template | None:
    return SHAPE if number == 256 else None


def read(octets: bytes, kind: Element | str) -> Any:
    return value(octets, Element(0, 0, "", kind) if isinstance(kind, str) else kind, templates)


@pytest.mark.parametrize(
    ("kind", "octets", "expected"),
    [
        ("u16", "0102", 0x0102),
        ("u64", "010203", 0x010203),
        ("u64", "ff" * 8, 2**64 - 1),
        ("u64", "00" * 9, bytes(9)),
        ("i32", "ffff", -1),
        ("i32", "00" * 9, bytes(9)),
        ("f32", "3fc00000", 1.5),
        ("f64", "3ff8000000000000", 1.5),
        ("f64", "3ff800", b"\x3f\xf8\x00"),
        ("bool", "01", True),
        ("bool", "02", False),
        ("bool", "00", b"\0"),
        ("mac", "0242ac110002", "02:42:ac:11:00:02"),
        ("mac", "0242", b"\x02\x42"),
        ("ip4", "0a000001", "10.0.0.1"),
        ("ip6", "20010db8" + "00" * 11 + "01", "2001:db8::1"),
        ("ip4", "0a00", b"\x0a\x00"),
        ("text", "6e616d65000000", "name"),
        ("text", "ff", "�"),
        ("text", "", ""),
        ("octets", "00ff", b"\0\xff"),
        ("octets", "", b""),
        ("u8", "", None),
        ("ms", "", None),
        ("s", "00000001", 10**9),
        ("ms", "0000000000000001", 10**6),
        ("us", "83aa7e8080000000", 500_000_000),
        ("ns", "83aa7e8080000000", 500_000_000),
        ("s", "00" * 9, bytes(9)),
    ],
)
def test_values_by_type(kind: str, octets: str, expected: Any) -> None:
    assert read(bytes.fromhex(octets), kind) == expected


LIST = struct.pack("!BHH", 3, 7, 2)


def test_a_basic_list_of_ports() -> None:
    found = read(LIST + bytes.fromhex("0050 01bb"), named("basicList"))
    assert found == {"semantic": 3, "element": "sourceTransportPort", "values": [80, 443]}


def test_a_basic_list_of_an_enterprise_with_lengths_of_their_own() -> None:
    head = struct.pack("!BHHI", 3, 0x8000 | 36, VARIABLE, 6871)
    found = read(head + b"\x03BSD" + b"\xff\x00\x05Linux", named("basicList"))
    assert found == {"semantic": 3, "element": "osName", "values": ["BSD", "Linux"]}


def test_a_list_of_records() -> None:
    content = bytes.fromhex("0a000001 03") + b"ssh" + bytes.fromhex("0a000002 00")
    records = [
        {"sourceIPv4Address": "10.0.0.1", "applicationName": "ssh"},
        {"sourceIPv4Address": "10.0.0.2", "applicationName": ""},
    ]
    found = read(b"\x04\x01\x00" + content, named("subTemplateList"))
    assert found == {"semantic": 4, "template": 256, "records": records}
    parts = struct.pack("!HH", 256, 4 + len(content)) + content + struct.pack("!HH", 999, 6) + b"xy"
    assert read(b"\x04" + parts, named("subTemplateMultiList")) == {
        "semantic": 4,
        "parts": [{"template": 256, "records": records}, {"template": 999, "octets": b"xy"}],
    }


@pytest.mark.parametrize(
    ("kind", "octets", "expected"),
    [
        ("list", b"\1\2", b"\1\2"),
        ("list", LIST + b"\0", {"semantic": 3, "element": "sourceTransportPort", "values": []}),
        ("list", struct.pack("!BHH", 3, 7, 0) + b"ab", {"semantic": 3, "element": "sourceTransportPort", "values": []}),
        ("sublist", b"\1\2", b"\1\2"),
        ("sublist", b"\4\1\0\x0a", {"semantic": 4, "template": 256, "records": []}),
        ("multilist", b"\4\1\0\0\3", {"semantic": 4, "parts": []}),
        ("multilist", b"\4\1\0\0\x20", {"semantic": 4, "parts": []}),
    ],
)
def test_broken_lists_end_where_they_break(kind: str, octets: bytes, expected: Any) -> None:
    assert read(octets, kind) == expected


def test_lists_within_lists_are_read_so_deep() -> None:
    content = b"end"
    for _ in range(LEVELS + 2):
        content = struct.pack("!BHH", 3, 291, len(content)) + content
    found: Any = read(content, "list")
    for _ in range(LEVELS - 1):
        (found,) = found["values"]
    assert isinstance(found["values"][0], bytes)


def test_elements_that_stand_twice_have_a_list_and_padding_nothing() -> None:
    assert gathered(["a", "paddingOctets", "b", "a"], [1, b"", 2, 3]) == {"a": [1, 3], "b": 2}
    assert record(layout(SHAPE).fields, [b"\x0a\0\0\1", b"x"], templates) == {
        "sourceIPv4Address": "10.0.0.1",
        "applicationName": "x",
    }


@given(st.sampled_from(iana.ELEMENTS.splitlines()), st.binary(max_size=40))
def test_any_octets_have_a_value_as_any_element(line: str, octets: bytes) -> None:
    read(octets, element(0, int(line.split(maxsplit=1)[0])))
