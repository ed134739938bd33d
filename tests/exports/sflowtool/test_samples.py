# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.exports.sflowtool.received import (
    FAITHFUL,
    counter_element,
    counters,
    discard,
    flow,
    flow_element,
    header,
    received,
)

from fleutan.exports.sflowtool.samples import data_source, message_parts, sample_parts
from fleutan.exports.sflowtool.text import style_of
from fleutan.protocols.sflow import earlier
from fleutan.protocols.sflow.layouts import (
    COUNTERS_SAMPLE_EXPANDED,
    FLOW_SAMPLE,
    FLOW_SAMPLE_EXPANDED,
    RTFLOW,
    RTMETRIC,
)
from fleutan.protocols.sflow.samples import Sample

FIGURES = Sample(
    RTMETRIC.tag,
    RTMETRIC,
    (b"unit", ((b"a b", (0, b"text")), (b"n\n", (4, 2**40)), (b"f", (5, 1.5)), (b"d", (6, 0.25)))),
)


def lines(sample: Sample, faithful: bool = False) -> list[str]:
    return style_of(faithful).write(sample_parts(sample, faithful).pieces).splitlines()


def test_a_flow_in_both_forms() -> None:
    compact = lines(flow(input=0x3FFFFFFF, output=1 << 30 | 258))
    assert compact == [
        *("sampleType_tag 0:1", "sampleType FLOWSAMPLE", "sampleSequenceNo 1", "sourceId 0:3", "meanSkipCount 400"),
        *("samplePool 1", "dropEvents 1", "inputPort 1073741823", "outputPort dropCode 258"),
    ]
    expanded = Sample(3, FLOW_SAMPLE_EXPANDED, (1, 0, 3, 400, 1, 1, 0, 0x3FFFFFFF, 1, 258))
    assert lines(expanded) == ["sampleType_tag 0:3", *compact[1:]]


@pytest.mark.parametrize(
    ("way", "text"), [(0, "5"), (1, "dropCode 5"), (2, "multiple 5"), (3, "format==3 5"), (2**32 - 2, "multiple 5")]
)
def test_what_became_of_a_packet(way: int, text: str) -> None:
    sample = Sample(3, FLOW_SAMPLE_EXPANDED, (1, 0, 3, 400, 1, 1, way, 5, way, 5))
    assert lines(sample)[-2:] == [f"inputPort {text}", f"outputPort {text}"]


def test_counters_and_dropped_packets() -> None:
    assert lines(counters()) == [
        *("sampleType_tag 0:2", "sampleType COUNTERSSAMPLE", "sampleSequenceNo 1", "sourceId 2:1")
    ]
    assert lines(Sample(4, COUNTERS_SAMPLE_EXPANDED, (1, 3, 100001)))[-1] == "sourceId 3:100001"
    found = lines(discard(header()))
    assert found[:9] == [
        *("sampleType_tag 0:5", "sampleType DISCARD", "sampleSequenceNo 1", "sourceId 1:3", "dropEvents 1"),
        *("inputPort 3", "outputPort 1", "discardCode 332", "discardReason dev_hdr"),
    ]
    assert all(line.startswith("discarded_") for line in found[9:])
    assert lines(discard(), faithful=True)[-1] == "discardReason NotFound"


def test_samples_of_earlier_versions() -> None:
    sample = Sample(
        1, earlier.FLOW_SAMPLE, (1, 3, 400, 8000, 2, 3, 1 << 31 | 2, 1), (flow_element(1001, 1, 2, 3, 4),), 1
    )
    assert lines(sample)[7:10] == ["inputPort 3", "outputPort multiple 2", "extendedType SWITCH"]
    assert lines(sample._replace(values=(1, 3, 400, 8000, 2, 3, 1 << 31, 1)))[8] == "outputPort multiple >1"
    assert lines(sample._replace(values=(1, 3, 400, 8000, 2, 3, 4, 1)))[8] == "outputPort 4"
    found = lines(Sample(2, earlier.COUNTERS_SAMPLE, (1, 3, 20, 7), (counter_element(5, *range(6)),), 1))
    assert found[3:6] == ["sourceId 0:3", "statsSamplingInterval 20", "counterBlockVersion 7"]


def test_named_figures() -> None:
    assert lines(FIGURES) == [
        *("sampleType_tag 4300:1002", "sampleType RTMETRIC", "rtmetric_datasource_name unit"),
        *("rtmetric_string_a b text", "rtmetric_gauge64_n\\x0a 1099511627776", "rtmetric_gaugeFloat_f 1.500"),
        "rtmetric_gaugeDouble_d 0.250",
    ]
    attributes = ((b"m", (1, b"\x02\0\0\0\0\1")), (b"i", (2, b"\x01\2\3\4")), (b"j", (4, 7)))
    found = lines(Sample(RTFLOW.tag, RTFLOW, (b"", 10, 20, attributes)))
    assert found[1:] == [
        *("sampleType RTFLOW", "rtflow_sampling_rate 10", "rtflow_sample_pool 20", "rtflow_mac_m 020000000001"),
        *("rtflow_ip_i 1.2.3.4", "rtflow_int32_j 7"),
    ]


def test_other_samples_say_their_number() -> None:
    found = lines(Sample(9 << 12 | 7, None, (), rest=b"octets.."))
    assert found == ["sampleType_tag 9:7", "skipping unknown sample: 9:7 len=8"]


@pytest.mark.parametrize(
    ("size", "last"), [(0, "sampleType FLOWSAMPLE"), (1, "sampleSequenceNo 9"), (6, "inputPort 3")]
)
def test_what_was_cut_says_what_it_has(size: int, last: str) -> None:
    sample = Sample(1, FLOW_SAMPLE, (9, 3, 400, 8000, 2, 3, 4)[:size])
    assert lines(sample)[-1] == last
    assert not sample_parts(sample, False).has_head


def test_sources() -> None:
    assert data_source(counters()) == "2:1"
    assert data_source(Sample(1, FLOW_SAMPLE, (9,))) == "0:0"
    assert data_source(FIGURES) == "0:0"
    assert data_source(Sample(99, None, ())) == "0:0"


def test_a_faithful_reader_stops_behind_what_is_not_whole() -> None:
    found = received(flow(header()), flow(), cut=4)
    assert [parts.sample.whole for parts in message_parts(found.message, FAITHFUL.faithful)] == [True, False]
    assert len(list(message_parts(received(counters(), counters()).message, True))) == 2
    late = received(counters(), flow(header()), cut=4)._replace(recorded=True)
    early = late.message._replace(samples=late.message.samples[::-1])
    assert len(list(message_parts(early, True))) == 1
    assert len(list(message_parts(early, False))) == 2
