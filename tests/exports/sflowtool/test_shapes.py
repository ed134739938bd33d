# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.exports.sflowtool import shapes
from fleutan.exports.sflowtool.shapes import (
    ADDRESS,
    HUNDREDTHS,
    MAC,
    NUMBER,
    STRING,
    UUID,
    Kind,
    Style,
    address,
    as_sent,
    readable,
    shape,
)


def style() -> Style:
    return Style(lambda name, value: f"{name}={value}", lambda kind: (kind.spec, kind.convert), ";")


def test_pieces_are_written_in_order_with_their_words_and_values() -> None:
    first = shape(("kind", "100 %"), ("%u", NUMBER), ("mac", MAC))
    second = shape(("address", ADDRESS), prefix="discarded_")
    written = style().write([(first, (7, b"\x02\0\0\0\0\1")), (second, (bytes([10, 0, 0, 1]),))])
    assert written == "kind=100 %;%u=7;mac=020000000001;discarded_address=10.0.0.1"
    assert style().write([]) == ""


def test_templates_are_bounded() -> None:
    one = style()
    for number in range(shapes._TEMPLATES + 2):
        one.write([(shape((f"name{number}", NUMBER)), (number,))])
    assert len(one._templates) < 10


def test_a_shape_without_some_values_and_with_only_the_first() -> None:
    whole = shape(("kind", "word"), ("a", NUMBER), ("b", STRING), ("c", NUMBER))
    assert whole.without([1]).entries == (("kind", "word"), ("a", NUMBER), ("c", NUMBER))
    assert whole.first(2).entries == (("kind", "word"), ("a", NUMBER), ("b", STRING))
    assert whole.first(0).entries == (("kind", "word"),)
    assert whole.first(9).entries == whole.entries
    assert whole.names == [("a", NUMBER), ("b", STRING), ("c", NUMBER)]


def test_addresses_have_eight_groups_or_four_numbers() -> None:
    assert address(bytes([192, 0, 2, 255])) == "192.0.2.255"
    assert address(bytes.fromhex("20010db8000000000000000000000001")) == "2001:0db8:0000:0000:0000:0000:0000:0001"
    assert address(b"") == "-"


def converted(kind: Kind, value: object) -> object:
    assert kind.convert
    return kind.convert(value)


def test_identifiers_and_hundredths() -> None:
    assert converted(UUID, bytes(range(16))) == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert [converted(HUNDREDTHS, value) for value in (-1, 0, 5, 10000)] == ["unknown", "0.00", "0.05", "100.00"]


def test_strings_of_strangers_stay_on_their_line() -> None:
    assert readable("Grüße".encode()) == "Grüße"
    assert readable(b"a\nendSample\x1b[2J\xff") == "a\\x0aendSample\\x1b[2J\ufffd"
    assert as_sent(b"a\xff\nb\0c") == "a\xff\nb"
