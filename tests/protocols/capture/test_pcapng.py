# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from tests.protocols.capture.files import block, enhanced, interface, obsolete, option, section, simple

from fleutan.protocols.capture import rejects
from fleutan.protocols.capture.frames import Frames
from fleutan.protocols.capture.pcapng import LONGEST_BLOCK, MOST_INTERFACES, Section, walk

TICKS = 1_700_000_000_123_456


def frames(octets: bytes, **expected: int) -> Frames:
    """The frames of a whole file, of which all is read but what is expected to be counted."""
    counted: Counter[str] = Counter()
    walked = walk(octets, Section(), counted)
    assert counted == {getattr(rejects, name): count for name, count in expected.items()}
    return walked.frames


@pytest.mark.parametrize("order", ["<", ">"])
def test_packets_of_every_kind_are_frames(order: str) -> None:
    octets = section(order) + interface(order, 1) + interface(order, 113)
    octets += block(order, 5, bytes(40)) + enhanced(b"one", TICKS, order, 1, option(order, 1, b"comment"))
    octets += obsolete(b"two", TICKS + 1, order, 1) + block(order, 0xBAD, b"?") + simple(b"three", order)
    found = frames(octets)
    assert found.spans.strings() == [b"one", b"two", b"three"]
    assert found.lengths.tolist() == [103, 103, 5]
    assert found.at_ns.tolist() == [TICKS * 1000, TICKS * 1000 + 1000, 0]
    assert found.timed.tolist() == [True, True, False]
    assert found.link_types.tolist() == [113, 113, 1]
    assert found.interfaces.tolist() == [1, 1, 0]


def test_simple_packets_end_where_the_interface_cuts_them() -> None:
    found = frames(section() + interface(snapshot=4) + simple(b"1234", length=99) + simple(b"12", length=99))
    assert found.spans.strings() == [b"1234", b"12\0\0"]
    assert found.lengths.tolist() == [99, 99]


def test_sections_have_their_own_order_and_interfaces() -> None:
    first = section("<") + interface("<", 1) + enhanced(b"one", TICKS)
    second = section(">") + interface(">", 101, option(">", 9, b"\x09")) + enhanced(b"two", TICKS, ">")
    found = frames(first + second + first)
    assert found.spans.strings() == [b"one", b"two", b"one"]
    assert found.link_types.tolist() == [1, 101, 1]
    assert found.at_ns.tolist() == [TICKS * 1000, TICKS, TICKS * 1000]


@pytest.mark.parametrize("resolution", [0, 3, 6, 9, 12, 19, 25, 100, 127, 0x80, 0x8A, 0x94, 0xA1, 0xBF, 0xC0, 0xFF])
def test_times_count_in_the_units_of_the_interface(resolution: int) -> None:
    power = (2 if resolution & 0x80 else 10) ** (resolution & 0x7F)
    ticks = min(1_700_000_000 * power + power // 3, 2**64 - 2)
    found = frames(section() + interface(options=option("<", 9, bytes((resolution,)))) + enhanced(b"x", ticks))
    assert found.timed.all()
    assert abs(int(found.at_ns[0]) - Fraction(ticks * 10**9, power)) <= 1


@pytest.mark.parametrize("offset", [3600, -3600, -1_800_000_000])
def test_times_are_offset_as_the_interface_says(offset: int) -> None:
    options = option("<", 14, struct.pack("<q", offset)) + option("<", 0, b"") + option("<", 9, b"\0")
    found = frames(section() + interface(options=options) + enhanced(b"x", TICKS))
    assert found.at_ns.tolist() == [TICKS * 1000 + offset * 10**9]


@pytest.mark.parametrize("offset", [2**63 - 1, -(2**63), 10**10])
def test_times_that_no_clock_shows_are_unknown(offset: int) -> None:
    options = option("<", 14, struct.pack("<q", offset))
    found = frames(section() + interface(options=options) + enhanced(b"x", 2**64 - 1))
    assert (found.at_ns.tolist(), found.timed.tolist()) == ([0], [False])


@pytest.mark.parametrize(
    "options", [b"\x09\0\xff\xff\x03\0\0\0", b"\x09\0\x02\0\x03\x03\0\0", b"\x09\0\0\0", b"\x0e\0\x01\0\x01\0\0\0"]
)
def test_options_that_cannot_be_read_change_nothing(options: bytes) -> None:
    assert frames(section() + interface(options=options) + enhanced(b"x", TICKS)).at_ns.tolist() == [TICKS * 1000]


def test_blocks_that_contradict_themselves_are_counted_and_the_next_is_read() -> None:
    trailer = bytearray(enhanced(b"trailer", TICKS))
    trailer[-4] ^= 4
    longer = bytearray(enhanced(b"longer", TICKS))
    longer[20] = 200
    octets = section() + interface() + bytes(trailer) + bytes(longer) + block("<", 6, bytes(12)) + enhanced(b"next", 1)
    found = frames(octets + enhanced(b"no such", TICKS, number=1), TRAILER=1, CAPTURED=2, INTERFACE=1)
    assert found.spans.strings() == [b"next"]


def test_packets_without_an_interface_are_counted() -> None:
    assert frames(section() + enhanced(b"x", 1) + simple(b"y"), INTERFACE=2).spans.rows == 0


def test_packets_that_are_too_long_are_passed_over() -> None:
    size = LONGEST_BLOCK + 4
    octets = section() + interface() + struct.pack("<II", 6, size) + bytes(size - 8) + enhanced(b"next", 1)
    assert frames(octets, OVERSIZED=1).spans.strings() == [b"next"]


def test_interfaces_are_bounded() -> None:
    octets = section() + interface() * (MOST_INTERFACES + 2)
    octets += enhanced(b"last", 1, number=MOST_INTERFACES - 1) + enhanced(b"more", 1, number=MOST_INTERFACES)
    assert frames(octets, INTERFACES=2, INTERFACE=1).spans.strings() == [b"last"]


@pytest.mark.parametrize(
    ("kind", "size"), [(6, 13), (6, 8), (0x77, 0), (1, 16), (1, LONGEST_BLOCK + 4), (0x0A0D0D0A, LONGEST_BLOCK + 4)]
)
def test_lengths_that_cannot_be_end_the_walk(kind: int, size: int) -> None:
    head = struct.pack("<IIII", kind, size, 0x1A2B3C4D, 1) + bytes(100)
    start = section() + interface() + enhanced(b"one", 1)
    counted: Counter[str] = Counter()
    walked = walk(start + head, Section(), counted)
    assert walked.frames.spans.strings() == [b"one"]
    assert walked[1:] == (len(start), 0, False)
    assert counted == {rejects.LENGTH: 1}


@pytest.mark.parametrize("broken", [section(version=2), section()[:8] + b"????" + section()[12:]])
def test_sections_that_cannot_be_read_end_the_walk(broken: bytes) -> None:
    counted: Counter[str] = Counter()
    assert not walk(section() + broken + interface(), Section(), counted).possible
    assert counted == {rejects.SECTION: 1}


def test_blocks_that_are_cut_wait_for_more_and_others_are_passed_over() -> None:
    start = section() + interface()
    whole = start + enhanced(b"one", 1)
    for size in range(len(whole)):
        counted: Counter[str] = Counter()
        walked = walk(whole[:size], Section(), counted)
        assert walked.frames.spans.rows == 0
        assert walked.possible
        ends = [end for end in (0, len(section()), len(start)) if end <= size]
        assert (walked.end, walked.skip) == (ends[-1], 0)
        assert not counted
    long = struct.pack("<II", 0xBAD, 1 << 31) + bytes(64)
    assert walk(start + long, Section(), Counter())[1:] == (len(start), 1 << 31, True)


def test_no_allocation_follows_a_length() -> None:
    octets = (
        section()
        + interface()
        + struct.pack("<IIIIIII", 6, 32, 0, 0, 0, 0xFFFF_FFFF, 0xFFFF_FFFF)
        + struct.pack("<I", 32)
    )
    assert frames(octets, CAPTURED=1).spans.sizes.tolist() == np.zeros(0).tolist()
