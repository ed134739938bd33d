# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from collections import Counter

import pytest
from tests.protocols.capture.files import FRAMES, SECOND, pcap

from fleutan.protocols.capture import rejects
from fleutan.protocols.capture.pcap import FILE_HEADER_SIZE, LONGEST, MAGICS, file_header, walk


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit", "more"), [(0xA1B2C3D4, 1000, 0), (0xA1B23C4D, 1, 0), (0xA1B2CD34, 1000, 8)])
def test_records_are_frames_with_times_and_lengths(order: str, magic: int, unit: int, more: int) -> None:
    octets = pcap(list(FRAMES), order, magic, 113, bytes(more))
    assert octets[:4] in MAGICS
    layout = file_header(octets)
    assert layout == (order, 16 + more, unit, 113)
    records = octets[FILE_HEADER_SIZE:]
    counted: Counter[str] = Counter()
    walked = walk(records, layout, counted)
    assert walked[1:] == (len(records), 0, True)
    found = walked.frames
    assert tuple(found.spans.strings()) == FRAMES
    assert found.lengths.tolist() == [len(frame) + 100 for frame in FRAMES]
    assert found.at_ns.tolist() == [(SECOND + number) * 10**9 + 5 * unit for number in range(3)]
    assert found.timed.all()
    assert found.link_types.tolist() == [113] * 3
    assert found.interfaces.tolist() == [0] * 3
    assert not counted


def test_flags_above_the_link_type_are_not_of_it() -> None:
    assert file_header(pcap([], link=0x5400_0001)).link_type == 1


def test_records_that_are_cut_wait_for_more() -> None:
    octets = pcap(list(FRAMES))
    layout = file_header(octets)
    records = octets[FILE_HEADER_SIZE:]
    for size in range(len(records)):
        counted: Counter[str] = Counter()
        walked = walk(records[:size], layout, counted)
        expected = 3 if size == len(records) else 2 if size >= 44 else 1 if size >= 28 else 0
        assert walked.frames.spans.rows == expected
        assert walked.possible
        assert not counted


@pytest.mark.parametrize("captured", [LONGEST + 1, 0xFFFF_FFFF])
@pytest.mark.parametrize("behind", [0, LONGEST + 100])
def test_lengths_that_no_frame_has_end_the_walk(captured: int, behind: int) -> None:
    octets = pcap([b"one"]) + struct.pack("<IIII", 1, 2, captured, captured) + bytes(behind)
    counted: Counter[str] = Counter()
    walked = walk(octets[FILE_HEADER_SIZE:], file_header(octets), counted)
    assert walked.frames.spans.strings() == [b"one"]
    assert (walked.end, walked.possible) == (19, False)
    assert counted == {rejects.LENGTH: 1}
