# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.linux.attributes import Attributes, Ints, Octets, attributes, messages, number


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 7, 0) + body + bytes(-len(body) % 4)


def joined(*strings: bytes) -> tuple[Octets, Ints, Ints]:
    sizes = np.array([len(one) for one in strings], np.int64)
    return np.frombuffer(b"".join(strings), np.uint8), np.cumsum(sizes) - sizes, sizes


def told(*bodies: bytes) -> Attributes:
    octets, starts, sizes = joined(*bodies)
    return attributes(octets, starts, starts + sizes)


def strings(found: Attributes, kind: int) -> list[bytes | None]:
    spans = zip(*(column.tolist() for column in found.span(kind)), strict=True)
    return [found.octets[at : at + size].tobytes() if size >= 0 else None for at, size in spans]


def test_messages_of_several_datagrams_are_in_order() -> None:
    datagrams = [message(5, b"abc") + message(6, b""), b"", message(7, b"defgh")]
    found = messages(*joined(*datagrams))
    bodies = [
        found.octets[start:end].tobytes() for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    ]
    assert (bodies, found.kinds.tolist()) == ([b"abc", b"", b"defgh"], [5, 6, 7])
    assert (found.datagrams.tolist(), found.broken) == ([0, 0, 2], 0)


def test_nothing_is_no_messages() -> None:
    found = messages(*joined())
    assert (len(found.kinds), found.broken) == (0, 0)
    assert messages(*joined(b"")).kinds.tolist() == []


def test_what_ends_inside_a_message_is_cut_off_and_counted() -> None:
    whole = message(5, b"abcd")
    found = messages(*joined(whole + whole[:-1], struct.pack("=IHHII", 3, 5, 0, 0, 0), whole))
    assert (found.datagrams.tolist(), found.broken) == ([0, 2], 2)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_any_octets_are_messages_within_them(first: bytes, second: bytes) -> None:
    octets, starts, sizes = joined(first, second)
    found = messages(octets, starts, sizes)
    assert (found.starts <= found.ends).all()
    assert (found.ends <= (starts + sizes)[found.datagrams]).all()


def test_attributes_are_found_by_type_in_every_message() -> None:
    found = told(attribute(1, b"abc") + attribute(9, b""), attribute(9, b"x"), b"")
    assert strings(found, 1) == [b"abc", None, None]
    assert strings(found, 9) == [b"", b"x", None]
    assert strings(found, 2) == [None, None, None]
    assert set(found.sizes) == {1, 9}


def test_the_last_of_a_type_counts_and_flags_do_not() -> None:
    found = told(attribute(3 | 0x8000, b"old") + attribute(3 | 0x4000, b"new"))
    assert strings(found, 3) == [b"new"]


def test_numbers_have_any_size() -> None:
    values = (200, 60_000, 4_000_000_000, (1 << 63) + 5)
    bodies = [attribute(2, value.to_bytes(size, "big")) for value, size in zip(values, (1, 2, 4, 8), strict=True)]
    numbers, known = told(*bodies, attribute(2, b"abc"), b"").numbers(2, "big")
    assert numbers.tolist() == [*values[:3], values[3] - (1 << 64), 0, 0]
    assert known.tolist() == [True] * 4 + [False] * 2
    native = told(attribute(2, struct.pack("=I", 77))).numbers(2)
    assert (native[0].tolist(), native[1].tolist()) == ([77], [True])


def test_what_is_broken_ends_its_message_only() -> None:
    bad = attribute(1, b"abcd") + struct.pack("=HH", 40, 2) + b"ab"
    short = struct.pack("=HH", 3, 2)
    found = told(bad, short, attribute(1, b"whole"))
    assert strings(found, 1) == [b"abcd", None, b"whole"]
    assert 2 not in found.sizes


def test_a_message_of_too_many_attributes_ends_somewhere() -> None:
    assert strings(told(attribute(1, b"") * 1000 + attribute(2, b"")), 2) == [None]


@given(st.binary(max_size=60), st.integers(0, 20))
def test_any_octets_are_attributes_within_them(data: bytes, kind: int) -> None:
    found = told(data)
    for each, sizes in found.sizes.items():
        assert 0 <= found.starts[each][0] <= found.starts[each][0] + max(int(sizes[0]), 0) <= len(data)
    found.numbers(kind)


def test_beyond_the_end_is_no_error() -> None:
    assert number(np.zeros(0, np.uint8), np.array([3]), 4).tolist() == [0]
    assert number(np.array([1, 2], np.uint8), np.array([1]), 2, "big").tolist() == [0x0202]


def test_of_those_without_a_number_it_is_unknown() -> None:
    found = told(attribute(3, b"\x07"), b"")
    assert found.or_unknown(3).tolist() == [7, -1]
    assert found.or_unknown(4).tolist() == [-1, -1]
