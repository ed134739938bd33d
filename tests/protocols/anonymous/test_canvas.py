# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.anonymous.keyed import ANONYMISER, canvas_of, finished, image, mac_image

from fleutan.protocols.anonymous.canvas import aligned, anonymised_macs, every, hidden_bits
from fleutan.protocols.spans import Spans, joined

FOUR, SIX = bytes.fromhex("c0000201"), bytes.fromhex("20010db8000000010000000000000007")


def places(*at: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(at, np.int64)


def test_a_canvas_begins_empty() -> None:
    assert finished(canvas_of(b"all of it", b"")) == [bytes(9), b""]


def test_what_is_named_is_copied_and_nothing_else() -> None:
    canvas = canvas_of(b"abcdefgh", b"ijklmnop")
    canvas.keep(places(1, 8), 2)
    canvas.keep_strings(places(4, 13), places(3, 0))
    canvas.keep(places(), 2)
    canvas.keep(places(2), 0)
    assert finished(canvas) == [b"\0bc\0efg\0", b"ij\0\0\0\0\0\0"]


def test_counts_are_copied_where_they_can_be_counts() -> None:
    canvas = canvas_of(bytes.fromhex("0000ffff 00010000 c0000201"))
    canvas.keep_counts(places(0, 4, 8))
    assert finished(canvas) == [bytes.fromhex("0000ffff ffffffff ffffffff")]


def test_numbers_are_written() -> None:
    canvas = canvas_of(bytes(6))
    canvas.put_numbers(places(0, 4), places(258, 3))
    canvas.put_numbers(places(), places())
    canvas.put(places(2), b"\7\7")
    assert finished(canvas) == [bytes.fromhex("010207070003")]


def test_text_becomes_filler_of_the_same_length() -> None:
    canvas = canvas_of(b"name\0\0rest")
    canvas.fill(places(0), places(6))
    assert finished(canvas) == [b"xxxx" + bytes(6)]


def test_addresses_are_replaced_as_the_anonymiser_says() -> None:
    canvas = canvas_of(FOUR + SIX + FOUR)
    canvas.replace(places(0, 20), 4)
    canvas.replace(places(4), 16)
    canvas.replace(places(), 16)
    assert finished(canvas) == [image(FOUR) + image(SIX) + image(FOUR)]
    assert image(FOUR) != FOUR


def test_no_address_stays_none() -> None:
    canvas = canvas_of(bytes(20))
    canvas.replace(places(0), 4)
    canvas.replace(places(4), 16)
    assert finished(canvas) == [bytes(20)]


def test_macs_are_replaced() -> None:
    canvas = canvas_of(bytes.fromhex("0800 2b0102030405"))
    canvas.replace_macs(places(2))
    canvas.replace_macs(places())
    assert finished(canvas) == [bytes(2) + mac_image(bytes.fromhex("2b0102030405"))]


@pytest.mark.parametrize(
    ("mac", "kept"),
    [
        ("08002b010203", 3),  # a maker's
        ("0242ac110002", 1),  # with the IPv4 address of a container
        ("01005e7f0001", 3),  # of a group of IPv4
        ("3333ff010203", 2),  # of a group of IPv6
        ("0180c200000e", 6),  # of bridges
        ("ffffffffffff", 6),
        ("000000000000", 6),
    ],
)
def test_of_a_mac_stays_what_is_of_nobody(mac: str, kept: int) -> None:
    octets = bytes.fromhex(mac)
    found = mac_image(octets)
    assert found[:kept] == octets[:kept]
    assert (found == octets) is (kept == 6)
    assert hidden_bits(places(int(mac, 16))).tolist() == [48 - 8 * kept]


@given(st.lists(st.integers(1, 2**48 - 2), unique=True, max_size=50))
def test_no_two_macs_become_one(macs: list[int]) -> None:
    found = anonymised_macs(np.array(macs, np.int64), ANONYMISER)
    assert len(set(found.tolist())) == len(macs)
    assert (found < 1 << 48).all()
    assert (found >= 0).all()


def test_the_checksum_of_a_header_is_set() -> None:
    header = bytearray.fromhex("4500003c1c4640004006ffffac100a63ac100a0c")
    canvas = canvas_of(bytes(header))
    canvas.keep(places(0), 20)
    canvas.sum_up(places(0))
    canvas.sum_up(places())
    # The example of RFC 1071's arithmetic that is found everywhere.
    assert finished(canvas)[0][10:12] == bytes.fromhex("b1e6")


@given(st.lists(st.binary(max_size=30), max_size=9), st.integers(0, 3))
def test_strings_are_copied_to_multiples_of_four(strings: list[bytes], before: int) -> None:
    spans = joined([bytes(before), *strings]).take(np.arange(1, len(strings) + 1))
    found = aligned(spans)
    assert found.strings() == strings
    assert not (found.starts % 4).any()
    assert len(found.octets) % 4 == 0
    assert len(found.octets) >= 4


def test_of_overlapping_strings_each_has_a_copy() -> None:
    octets = np.frombuffer(b"abcdef", np.uint8)
    assert aligned(Spans(octets, places(0, 2), places(4, 4))).strings() == [b"abcd", b"cdef"]


def test_every_octet_of_strings() -> None:
    assert every(places(3, 9, 20), places(2, 0, 3)).tolist() == [3, 4, 20, 21, 22]
    assert every(places(), places()).tolist() == []
