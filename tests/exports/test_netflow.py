# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.exports.netflow import Export, Record, Writer

#: 2023-11-14 22:13:20 UTC, and a bit.
AT_NS = 1_700_000_000_123_456_789
FLOW = Record(False, 256, {"sourceIPv4Address": "10.0.0.1", "octetDeltaCount": 100})
OPTIONS = Record(True, 257, {"samplingInterval": 400})
WRITER = Writer(UTC)
#: A list in a record, as text and as JSON.
LIST = '{"semantic": "allOf", "y": [{"x": "01"}]}', {"semantic": "allOf", "y": [{"x": "01"}]}


def export(*records: Record, **values: Any) -> Export:
    known = {"source": "192.0.2.1", "size": 64, "at_ns": AT_NS, "version": 9, "domain": 7, "sequence": 3}
    return Export(**{**known, "exported_ns": AT_NS - 10**9, "records": records, **values})


def fields(**values: Any) -> Export:
    return export(Record(False, 256, values))


def test_text_has_a_line_for_each_field_in_the_layout_of_sflowtool() -> None:
    assert WRITER.text(export(FLOW, OPTIONS)).decode().splitlines() == [
        "startDatagram =================================",
        "datagramSourceIP 192.0.2.1",
        "datagramSize 64",
        "unixSecondsUTC 1700000000",
        "unixSecondsUTC_uS 123456",
        "localtime 2023-11-14T22:13:20+0000",
        "datagramVersion 9",
        "sourceId 7",
        "packetSequenceNo 3",
        "exportTime 2023-11-14T22:13:19+0000",
        "recordsInPacket 2",
        "startRecord ----------------------",
        "recordType FLOW",
        "template 256",
        "sourceIPv4Address 10.0.0.1",
        "octetDeltaCount 100",
        "endRecord   ----------------------",
        "startRecord ----------------------",
        "recordType OPTIONS",
        "template 257",
        "samplingInterval 400",
        "endRecord   ----------------------",
        "endDatagram   =================================",
    ]


def test_what_is_not_known_is_left_out_and_what_is_wrong_is_said() -> None:
    bare = export(domain=None, sequence=None, exported_ns=None, version=10, rejected="set beyond the datagram")
    assert WRITER.text(bare).decode().splitlines()[5:] == [
        "localtime 2023-11-14T22:13:20+0000",
        "datagramVersion 10",
        "recordsInPacket 0",
        "decodeProblem set beyond the datagram",
        "endDatagram   =================================",
    ]
    found = json.loads(WRITER.json(bare))
    assert (found["records"], found["decodeProblem"]) == ([], "set beyond the datagram")
    assert "observationDomainId" not in found
    assert WRITER.grep(bare).decode().splitlines()[-2] == (
        "2023-11-14T22:13:20+0000 192.0.2.1 0 0 0:0 decodeProblem set beyond the datagram"
    )


def test_a_domain_is_called_as_its_version_does() -> None:
    assert b"\nobservationDomainId 7\n" in WRITER.text(export(version=10))
    assert b"\nsourceId 7\n" in WRITER.text(export(version=5))


def test_lines_for_grep_say_whose_they_are() -> None:
    lines = WRITER.grep(export(FLOW, Record(False, 0, {"octetDeltaCount": 1}))).decode().splitlines()
    assert lines[0] == "2023-11-14T22:13:20+0000 192.0.2.1 7 3 0:0 startDatagram ================================="
    assert lines[15] == "2023-11-14T22:13:20+0000 192.0.2.1 7 3 9:256 octetDeltaCount 100"
    assert lines[-3] == "2023-11-14T22:13:20+0000 192.0.2.1 7 3 9:0 octetDeltaCount 1"
    assert [line.split(" ", 5)[5] for line in lines] == WRITER.text(
        export(FLOW, Record(False, 0, {"octetDeltaCount": 1}))
    ).decode().splitlines()


def test_json_is_typed() -> None:
    assert WRITER.json(export(FLOW, OPTIONS)) == (
        b'{"datagramSourceIP":"192.0.2.1","datagramSize":64,"unixSecondsUTC":1700000000,"unixSecondsUTC_uS":123456,'
        b'"localtime":"2023-11-14T22:13:20+0000","datagramVersion":9,"sourceId":7,"packetSequenceNo":3,'
        b'"exportTime":"2023-11-14T22:13:19+0000","recordsInPacket":2,"records":[{"recordType":"FLOW","template":256,'
        b'"sourceIPv4Address":"10.0.0.1","octetDeltaCount":100},{"recordType":"OPTIONS","template":257,'
        b'"samplingInterval":400}]}\n'
    )


def test_indented_json_is_the_same_object() -> None:
    found = WRITER.indented_json(export(FLOW))
    assert found.startswith(b'{\n "datagramSourceIP": "192.0.2.1",\n')
    assert found.endswith(b"\n}\n\n")
    assert json.loads(found) == json.loads(WRITER.json(export(FLOW)))


@pytest.mark.parametrize(
    ("value", "shown", "plain"),
    [
        ("eth0", "eth0", "eth0"),
        ("Grün", "Grün", "Grün"),
        ('a"b\\c', 'a"b\\c', 'a"b\\c'),
        ("a\nendRecord", "a\\x0aendRecord", "a\nendRecord"),
        ("\x1b[2J\x9b2J", "\\x1b[2J\\x9b2J", "\x1b[2J\x9b2J"),
        (b"\x00\xff", "00ff", "00ff"),
        (2**64 - 1, "18446744073709551615", 2**64 - 1),
        (-1, "-1", -1),
        (True, "true", True),
        (1.5, "1.5", 1.5),
        (float("nan"), "null", None),
        (float("inf"), "null", None),
        ([1, b"\x0a"], '[1, "0a"]', [1, "0a"]),
        ({"semantic": "allOf", "y": [{"x": b"\x01"}]}, *LIST),
        (["\x9b"], '["\\x9b"]', ["\x9b"]),
        (None, "null", None),
    ],
)
def test_values(value: Any, shown: str, plain: Any) -> None:
    assert WRITER.text(fields(x=value)).decode().splitlines()[-3] == f"x {shown}"
    assert json.loads(WRITER.json(fields(x=value)))["records"][0]["x"] == plain
    assert json.loads(WRITER.indented_json(fields(x=value)))["records"][0]["x"] == plain


def test_halves_of_signs_do_not_end_it() -> None:
    assert b"\nx a\\xdc80\n" in WRITER.text(fields(x="a\udc80"))
    assert json.loads(WRITER.json(fields(x="a\udc80")))["records"][0]["x"] == "a?"


def test_chosen_fields_have_a_line_where_a_record_has_one() -> None:
    names = ["localtime", "datagramSourceIP", "sourceIPv4Address", "octetDeltaCount", "nothing"]
    assert WRITER.chosen(export(FLOW, OPTIONS), names) == b"2023-11-14T22:13:20+0000,192.0.2.1,10.0.0.1,100,\n"
    assert WRITER.chosen(export(FLOW, OPTIONS), ["samplingInterval", "sourceId"]) == b"400,7\n"
    assert WRITER.chosen(export(FLOW, OPTIONS), ["datagramSourceIP"]) == b""
    assert WRITER.chosen(export(FLOW, OPTIONS), ["recordType", "template"]) == b"FLOW,256\nOPTIONS,257\n"
    assert WRITER.chosen(export(), names) == b""


@given(st.text(), st.text())
def test_chosen_fields_are_read_back(one: str, other: str) -> None:
    line = WRITER.chosen(fields(a=one, b=other), ["a", "b"]).decode()
    assert line.count("\n") == 1
    [cells] = csv.reader([line])
    for cell, text in zip(cells, (one, other), strict=True):
        if text.isprintable():
            assert cell == text


def test_times_are_those_of_the_zone() -> None:
    east = Writer(timezone(timedelta(hours=5, minutes=30)))
    assert b"\nlocaltime 2023-11-15T03:43:20+0530\n" in east.text(export())
    assert b"\nexportTime 2023-11-15T03:43:19+0530\n" in east.text(export())
    local = Writer().text(export()).decode()
    assert "\nlocaltime 2023-11-1" in local
