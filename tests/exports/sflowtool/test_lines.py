# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv

import pytest
from tests.captures import needs_captures
from tests.exports.sflowtool.received import (
    FAITHFUL,
    RIGHT,
    answer,
    counter_element,
    counters,
    discard,
    flow,
    header,
    received,
    recorded,
)

from fleutan.exports.sflowtool.heads import Dialect, Received
from fleutan.exports.sflowtool.lines import write_fields

FIELDS = (
    *("localtime", "sampleType", "agent", "sourceId", "inputPort", "outputPort", "srcMAC", "dstMAC", "ethernet_type"),
    *("srcIP", "dstIP", "IPProtocol", "TCPSrcPort", "TCPDstPort", "UDPSrcPort", "UDPDstPort", "TCPFlags"),
    *("sampledPacketSize", "meanSkipCount", "tcpinfo_rtt_uS", "ifName", "ifInOctets", "cpu_user", "discardReason"),
)


def lines(found: Received, *names: str, dialect: Dialect = RIGHT) -> list[str]:
    return b"".join(write_fields([found], names, dialect)).decode().splitlines()


@needs_captures
@pytest.mark.parametrize("name", ["every-structure", "host-sflow-live"])
def test_lines_are_those_of_sflowtool(name: str) -> None:
    assert b"".join(write_fields(recorded(name), FIELDS, FAITHFUL)) == answer(name, "L")


def test_a_line_for_each_sample_with_one_of_the_fields() -> None:
    found = received(flow(header()), counters(), discard(header()))
    assert lines(found, "agent", "srcIP", "IPID") == ["10.9.8.7,10.0.0.1,4660"]
    assert lines(found, "agent", "srcIP", "IPID", dialect=FAITHFUL) == ["10.9.8.7,10.0.0.1,13330"]
    assert lines(found, "sampleType", "discarded_srcIP") == ["FLOWSAMPLE,", "COUNTERSSAMPLE,", "DISCARD,10.0.0.1"]
    assert lines(found, "agent") == []


def test_the_last_of_several_counts() -> None:
    found = received(counters(counter_element(1005, b"a"), counter_element(1005, b"b")))
    assert lines(found, "ifName") == ["b"]


def test_floats_and_hexadecimal_are_as_in_text() -> None:
    found = received(counters(counter_element(2003, 0.5, 0, 0, *range(17)), counter_element(1004, 255, 1)))
    assert lines(found, "cpu_load_one", "openflow_datapath_id") == ["0.500,00000000000000ff"]


def test_values_with_commas_are_quoted() -> None:
    found = received(counters(counter_element(1005, b'a,"b"')))
    assert next(csv.reader(lines(found, "agent", "ifName"))) == ["10.9.8.7", 'a,"b"']
    assert lines(found, "agent", "ifName", dialect=FAITHFUL) == ['10.9.8.7,a,"b"']


def test_what_is_not_whole_is_printed_by_default() -> None:
    found = received(flow(header()), cut=8)
    assert lines(found, "meanSkipCount") == ["400"]
    assert lines(found, "meanSkipCount", dialect=FAITHFUL) == []
