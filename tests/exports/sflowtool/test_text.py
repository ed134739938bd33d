# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.captures import needs_captures
from tests.exports.sflowtool.received import (
    FAITHFUL,
    RIGHT,
    answer,
    counter_element,
    counters,
    flow,
    header,
    of_octets,
    received,
    recorded,
)

from fleutan.exports.sflowtool.text import write_grep, write_text

NAME = counter_element(1005, b"eth0\nendSample")
START = "2023-11-14T22:13:20+0000 "


@needs_captures
@pytest.mark.parametrize("name", ["every-structure", "host-sflow-live"])
def test_text_is_that_of_sflowtool(name: str) -> None:
    assert b"".join(write_text(recorded(name), FAITHFUL)) == answer(name, "text")


@needs_captures
def test_grep_lines_are_those_of_sflowtool() -> None:
    assert b"".join(write_grep(recorded("every-structure"), FAITHFUL)) == answer("every-structure", "grep")


@needs_captures
def test_what_differs_by_default_is_what_sflowtool_gets_wrong() -> None:
    ours = b"".join(write_text(recorded("every-structure"), RIGHT)).decode().splitlines()
    theirs = answer("every-structure", "text").decode().splitlines()
    differing = {line.split()[0] for line in set(ours) - set(theirs)}
    lanes = {line.split()[0] for line in ours if line.startswith("sfp_lane_")}
    assert differing - lanes == {
        *("unixSecondsUTC", "unixSecondsUTC_uS", "localtime", "IPID", "discarded_IPID", "discardReason"),
        *("ICMPType", "http_method_connect_count"),
    }
    assert not any("%" in line for line in lanes)


def text(*found: object, dialect: object = RIGHT) -> list[str]:
    return b"".join(write_text(found, dialect)).decode().splitlines()  # type: ignore[arg-type]


def test_datagrams_and_samples_begin_and_end() -> None:
    found = text(received(flow(header()), counters(NAME)))
    assert found[0] == "startDatagram ================================="
    assert found[-1] == "endDatagram   ================================="
    assert found.count("startSample ----------------------") == found.count("endSample   ----------------------") == 2
    assert "ifName eth0\\x0aendSample" in found
    assert "ifName eth0" in text(received(counters(NAME)), dialect=FAITHFUL)


def test_what_is_broken_is_said() -> None:
    broken = received(counters(), flow(), cut=4)
    assert text(broken)[-3:] == [
        "decodeProblem overrun in 0:1 at octet 52",
        "decodeProblem cut in flow_sample at octet 84",
        "endDatagram   =================================",
    ]
    faithful = text(broken, dialect=FAITHFUL)
    assert faithful.count("endSample   ----------------------") == 1
    assert not any(line.startswith("decodeProblem") for line in faithful)


def grep(found: object) -> list[str]:
    return b"".join(write_grep([found], RIGHT)).decode().splitlines()  # type: ignore[list-item]


def test_each_line_has_the_context_of_what_was_read() -> None:
    found = grep(received(flow(header()), counters(NAME)))
    assert all(line.startswith(START) for line in found)
    lines = [line.removeprefix(START) for line in found]
    assert lines[0] == "- 0 0 0:0 0:0 0:0 startDatagram ================================="
    assert "10.9.8.7 0 0 0:0 0:0 0:0 agentSubId 0" in lines
    assert "10.9.8.7 0 7 0:0 0:1 0:0 sampleType FLOWSAMPLE" in lines
    assert "10.9.8.7 0 7 0:3 0:1 0:0 sampleSequenceNo 1" in lines
    assert "10.9.8.7 0 7 0:3 0:1 0:1 TCPFlags 18" in lines
    assert "10.9.8.7 0 7 0:0 0:2 0:0 sampleSequenceNo 1" in lines
    assert lines[-1] == "10.9.8.7 0 7 2:1 0:2 0:1005 endDatagram   ================================="


def test_grep_lines_of_what_is_broken_and_of_earlier_versions() -> None:
    assert grep(of_octets(b""))[-1].endswith("- 0 0 0:0 0:0 0:0 endDatagram   =================================")
    found = grep(received(flow(), cut=4))
    assert found[-2].endswith("0:3 0:1 0:0 decodeProblem cut in flow_sample at octet 64")
    old = bytes.fromhex(
        "00000004 00000001 0a090807 00000007 000003e8 00000001"
        "00000002 00000001 00000003 00000014 00000007 00000001 0000000000000002 00000003 00000004 00000005 00000006"
    )
    lines = [line.removeprefix(START) for line in grep(of_octets(old))]
    assert "10.9.8.7 0 7 0:3 0:2 0:0 discards 6" in lines
