# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.captures import CAPTURES, needs_captures
from tests.protocols.capture.files import FRAMES, block, enhanced, interface, pcap, section, simple
from tests.protocols.packet.tshark import fields, needs_tshark

from fleutan.protocols.capture import pcapng, rejects
from fleutan.protocols.capture.reading import Reader, read

PCAP = pcap(list(FRAMES) * 3)
PCAPNG = section() + interface() + enhanced(b"one", 1) + block("<", 0xBAD, bytes(50)) + simple(b"two") + section(">")
PCAPNG += interface(">", 101) + enhanced(b"three", 5, ">")
Row = tuple[bytes, int, int, bool, int, int]


def rows(reader: Reader, chunks: list[bytes]) -> list[Row]:
    found: list[Row] = []
    for chunk in chunks:
        frames = reader.feed(chunk)
        columns = [frames.spans.strings(), *(column.tolist() for column in frames[1:])]
        found.extend(zip(*columns, strict=True))
    reader.finish()
    return found


@given(st.sampled_from((PCAP, PCAPNG)), st.data())
def test_chunks_give_what_the_whole_gives(octets: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=12)))
    chunks = [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    reader, whole = Reader(), Reader()
    assert rows(reader, chunks) == rows(whole, [octets])
    assert not reader.rejects


def test_octet_by_octet_and_any_kind_of_buffer() -> None:
    for octets, count in ((PCAP, 9), (PCAPNG, 3)):
        assert len(rows(Reader(), [octets[at : at + 1] for at in range(len(octets))])) == count
        assert read(memoryview(octets))[0].spans.rows == count


def test_a_whole_file_is_not_copied() -> None:
    frames, rejected = read(PCAPNG)
    assert np.shares_memory(frames.spans.octets, np.frombuffer(PCAPNG, np.uint8))
    assert not rejected


@pytest.mark.parametrize("octets", [PCAP, PCAPNG])
def test_files_cut_anywhere_give_their_whole_records(octets: bytes) -> None:
    expected = rows(Reader(), [octets])
    ends = set()
    for size in range(len(octets) + 1):
        reader = Reader()
        found = rows(reader, [octets[:size]])
        assert found == expected[: len(found)]
        assert set(reader.rejects.items()) <= {(rejects.TRUNCATED, 1)}
        if not reader.rejects:
            ends.add(size)
    assert {0, len(octets)} <= ends
    assert len(ends) == (11 if octets is PCAP else 9)


@pytest.mark.parametrize("octets", [PCAP, PCAPNG])
def test_bits_that_flip_are_no_crash(octets: bytes) -> None:
    chance = random.Random(1)  # noqa: S311 (the same flips each time)
    for _ in range(500):
        flipped = bytearray(octets)
        for _ in range(chance.randint(1, 4)):
            flipped[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
        frames, _ = read(bytes(flipped))
        assert (frames.spans.sizes >= 0).all()
        assert (frames.spans.starts + frames.spans.sizes <= len(octets)).all()


@given(st.binary(max_size=200), st.sampled_from((b"", PCAP[:24], section(), section() + interface())))
def test_any_octets_are_frames_or_counted(octets: bytes, start: bytes) -> None:
    frames, rejected = read(start + octets)
    assert frames.spans.rows or rejected or len(octets) < 200
    assert sum(map(len, frames.spans.strings())) <= len(octets)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", rejects.NOT_A_CAPTURE),
        (b"\x1f\x8b\x08\0" + bytes(40), rejects.COMPRESSED),
        (b"\x28\xb5\x2f\xfd" + bytes(40), rejects.COMPRESSED),
        (b"abc", rejects.TRUNCATED),
        (PCAP[:20], rejects.TRUNCATED),
        (PCAP[:24] + struct.pack("<IIII", 0, 0, 1 << 30, 0), rejects.LENGTH),
    ],
)
def test_what_cannot_be_read_has_a_name(octets: bytes, reason: str) -> None:
    reader = Reader()
    assert rows(reader, [octets, PCAP if reason != rejects.TRUNCATED else b""]) == []
    assert reader.rejects == {reason: 1}


def test_an_empty_file_is_no_mistake() -> None:
    assert rows(reader := Reader(), [b""]) == []
    assert not reader.rejects


def test_blocks_that_nobody_needs_are_not_kept() -> None:
    reader = Reader()
    size = 50 * (1 << 20)
    reader.feed(section() + interface() + struct.pack("<II", 0xBAD, size) + bytes(100))
    for _ in range(49):
        reader.feed(bytes(1 << 20))
        assert len(reader._left) < 100
    reader.feed(bytes((1 << 20) - 108 - 4))
    assert reader.feed(b"\0\0\0\0" + enhanced(b"next", 1)).spans.strings() == [b"next"]


def test_what_is_kept_is_bounded() -> None:
    reader = Reader()
    reader.feed(section() + interface() + struct.pack("<II", 6, pcapng.LONGEST_BLOCK))
    assert reader.kept == 8
    for _ in range(100):
        reader.feed(bytes(10_000))
        assert reader.kept <= pcapng.LONGEST_BLOCK


FILES = sorted(CAPTURES.glob("*/*.pcap"))


@needs_captures
@needs_tshark
@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "traffic"], ids=lambda path: path.stem)
def test_tshark_reads_the_same_frames(path: Path) -> None:
    frames, rejected = read(path.read_bytes())
    answers = fields(path, ["frame.len", "frame.cap_len", "frame.time_epoch", "frame.interface_id"])
    assert not rejected
    assert frames.unread() == {}
    assert frames.lengths.tolist() == [int(answer["frame.len"][0]) for answer in answers]
    assert frames.spans.sizes.tolist() == [int(answer["frame.cap_len"][0]) for answer in answers]
    times = [answer["frame.time_epoch"][0].split(".") for answer in answers]
    assert frames.at_ns.tolist() == [int(second) * 10**9 + int(rest) for second, rest in times]
    assert frames.interfaces.tolist() == [int(answer.get("frame.interface_id", ["0"])[0]) for answer in answers]


@needs_captures
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_capture_is_read_whole_and_cut(path: Path) -> None:
    octets = path.read_bytes()
    whole = rows(Reader(), [octets])
    assert whole
    for size in range(0, len(octets), max(1, len(octets) // 50)):
        assert rows(reader := Reader(), [octets[:size]]) == whole[: len(rows(Reader(), [octets[:size]]))]
        assert set(reader.rejects) <= {rejects.TRUNCATED}
