# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.packet.stacks import STACKS
from tests.protocols.packet.tshark import fields, needs_tshark

from fleutan.protocols.capture.reading import read
from fleutan.protocols.capture.writing import pcap_header, pcap_records, pcapng_blocks, pcapng_header
from fleutan.protocols.spans import joined

TIMES = st.integers(0, 2**32 * 10**9 - 1)
FRAMES = st.lists(st.tuples(st.binary(max_size=30), st.integers(0, 70000), TIMES), max_size=12)


@given(FRAMES, st.sampled_from((1, 1000)), st.sampled_from((1, 113)))
def test_pcap_comes_back(frames: list[tuple[bytes, int, int]], unit: int, link: int) -> None:
    spans = joined([octets for octets, _, _ in frames])
    lengths, at_ns = (np.array([frame[at] for frame in frames], np.int64) for at in (1, 2))
    found, rejected = read(pcap_header(link, unit) + pcap_records(spans, lengths, at_ns, unit))
    assert not rejected
    assert found.spans.strings() == spans.strings()
    assert found.lengths.tolist() == lengths.tolist()
    assert found.at_ns.tolist() == [at - at % unit for at in at_ns.tolist()]
    assert found.link_types.tolist() == [link] * len(frames)


@given(FRAMES, st.data())
def test_pcapng_comes_back(frames: list[tuple[bytes, int, int]], data: st.DataObject) -> None:
    spans = joined([octets for octets, _, _ in frames])
    lengths, at_ns = (np.array([frame[at] for frame in frames], np.int64) for at in (1, 2))
    links = [1, 101, 113]
    interfaces = np.array([data.draw(st.integers(0, 2)) for _ in frames], np.int64)
    found, rejected = read(pcapng_header(links) + pcapng_blocks(spans, lengths, at_ns, interfaces))
    assert not rejected
    assert found.spans.strings() == spans.strings()
    assert found.lengths.tolist() == lengths.tolist()
    assert found.at_ns.tolist() == at_ns.tolist()
    assert found.link_types.tolist() == [links[number] for number in interfaces.tolist()]


def test_a_record_to_the_octet() -> None:
    records = pcap_records(joined([b"abc"]), np.array([1514]), np.array([1_700_000_000_123_456_789]))
    assert records == struct.pack("<IIII", 1_700_000_000, 123_456, 3, 1514) + b"abc"
    assert pcap_header(1) == bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000")


def test_other_units_than_two_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        pcap_header(1, 10)


def test_parts_of_frames_are_written_from_where_they_are() -> None:
    spans = joined([b"0123456789"])
    spans = spans._replace(starts=np.array([2, 8, 0]), sizes=np.array([3, 2, 0]))
    found, _ = read(pcap_header(1) + pcap_records(spans, spans.sizes, spans.sizes))
    assert found.spans.strings() == [b"234", b"89", b""]


@needs_tshark
@pytest.mark.parametrize("ending", ["pcap", "pcapng"])
def test_tshark_reads_what_is_written(ending: str, tmp_path: Path) -> None:
    spans = joined([frame for kind, frame in STACKS.values() if kind == 1])
    at_ns = 1_700_000_000_000_000_001 + np.arange(spans.rows) * 1_000_000_007
    path = tmp_path / f"written.{ending}"
    if ending == "pcap":
        path.write_bytes(pcap_header(1, 1) + pcap_records(spans, spans.sizes + 7, at_ns, 1))
    else:
        path.write_bytes(pcapng_header([1]) + pcapng_blocks(spans, spans.sizes + 7, at_ns, at_ns * 0))
    answers = fields(path, ["frame.len", "frame.cap_len", "frame.time_epoch", "frame.protocols"])
    assert [int(answer["frame.cap_len"][0]) for answer in answers] == spans.sizes.tolist()
    assert [int(answer["frame.len"][0]) for answer in answers] == (spans.sizes + 7).tolist()
    assert [int(answer["frame.time_epoch"][0].replace(".", "")) for answer in answers] == at_ns.tolist()
    assert all(answer["frame.protocols"][0].startswith("eth") for answer in answers)
