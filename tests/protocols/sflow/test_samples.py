# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.protocols.sflow.test_elements import tagged

from fleutan.protocols.sflow.cursor import Cursor, Problem, Reason
from fleutan.protocols.sflow.layouts import COUNTERS_SAMPLE, RTMETRIC, SAMPLES
from fleutan.protocols.sflow.samples import Sample, read_sample

VNI = tagged(1029, b"\0\0\0\7")
VCPU = tagged(2101, struct.pack("!3I", 1, 2, 3))
METRICS = (
    bytes.fromhex("00000002 70680000 00000002 00000001 61000000 00000003 00000009 00000001 62000000 00000000 00000001")
    + b"v\0\0\0"
)


def read(tag: int, octets: bytes) -> tuple[Sample, list[Problem]]:
    cursor = Cursor(octets, 0, len(octets), [])
    return read_sample(cursor, tag), cursor.problems


@pytest.mark.parametrize(
    ("tag", "words", "element"), [(1, 7, VNI), (2, 2, VCPU), (3, 10, VNI), (4, 3, VCPU), (5, 7, VNI)]
)
def test_samples_have_their_fields_and_their_elements(tag: int, words: int, element: bytes) -> None:
    numbers = tuple(range(1, words + 1))
    sample, problems = read(tag, struct.pack(f"!{words}I", *numbers) + b"\0\0\0\2" + element * 2)
    layout = SAMPLES[tag - 1]
    assert (sample.tag, sample.layout, sample.values, sample.element_count) == (tag, layout, numbers, 2)
    assert sample.named() == dict(zip(layout.names[:-1], numbers, strict=True))
    assert [found.tag for found in sample.elements] == [int.from_bytes(element[:4])] * 2
    assert sample.elements[0].values
    assert (problems, sample.rest) == ([], b"")


def test_octets_behind_the_elements_are_kept() -> None:
    sample, problems = read(2, struct.pack("!3I", 1, 2, 0) + b"tail")
    assert sample == Sample(2, COUNTERS_SAMPLE, (1, 2), rest=b"tail")
    assert problems == [Problem(Reason.TRAILING, 12, "counters_sample")]


def test_a_sample_that_ends_before_its_elements_keeps_its_fields() -> None:
    sample, problems = read(2, struct.pack("!2I", 1, 2) + b"ab")
    assert sample == Sample(2, COUNTERS_SAMPLE, (1, 2), rest=b"ab")
    assert problems == [Problem(Reason.CUT, 8, "counters_sample")]
    sample, problems = read(1, struct.pack("!2I", 1, 2))
    assert sample.named() == {"sequence_number": 1, "source_id": 2}
    assert problems == [Problem(Reason.CUT, 8, "flow_sample")]


def test_unknown_samples_are_kept_whole() -> None:
    sample, problems = read(9 << 12 | 7, b"octets")
    assert sample == Sample(9 << 12 | 7, None, (), rest=b"octets")
    assert sample.named() == {}
    assert problems == []


def test_named_figures_have_a_type_each() -> None:
    sample, problems = read(RTMETRIC.tag, METRICS)
    assert sample.named() == {"datasource": b"ph", "metrics": ((b"a", (3, 9)), (b"b", (0, b"v")))}
    assert problems == []
    sample, problems = read(RTMETRIC.tag, METRICS + b"tail")
    assert sample.rest == b"tail"
    assert problems == [Problem(Reason.TRAILING, len(METRICS), "rtmetric")]
    sample, problems = read(RTMETRIC.tag, METRICS.replace(b"\0\0\0\3\0\0\0\x09", b"\0\0\0\x07\0\0\0\x09"))
    assert sample.named() == {"datasource": b"ph", "metrics": ()}
    assert problems == [Problem(Reason.CHOICE, 20, "rtmetric")]
