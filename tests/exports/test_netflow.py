# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import pytest

from fleutan.exports.netflow import Export, Record, Writer

AT_NS = 1_700_000_000 * 10**9 + 5_000
HERE = Writer(UTC)


def export(*records: Record, **more: Any) -> Export:
    made = Export("192.0.2.1", 100, AT_NS, 9, 7, 3, AT_NS - 10**9, records)
    return made._replace(**more)


FLOW = Record(False, 256, {"sourceIPv4Address": "10.0.0.1", "octetDeltaCount": 5})
OPTIONS = Record(True, 257, {"samplerName": "a\nb", "mac": b"\x01\xff", "list": [1, b"\x02"], "sub": {"x": 1}})


def test_text_has_a_line_for_each_field() -> None:
    assert HERE.text(export(FLOW)).decode() == (
        "startDatagram =================================\n"
        "datagramSourceIP 192.0.2.1\n"
        "datagramSize 100\n"
        "unixSecondsUTC 1700000000\n"
        "unixSecondsUTC_uS 5\n"
        "localtime 2023-11-14T22:13:20+0000\n"
        "datagramVersion 9\n"
        "sourceId 7\n"
        "packetSequenceNo 3\n"
        "exportTime 2023-11-14T22:13:19+0000\n"
        "recordsInPacket 1\n"
        "startRecord ----------------------\n"
        "recordType FLOW\n"
        "template 256\n"
        "sourceIPv4Address 10.0.0.1\n"
        "octetDeltaCount 5\n"
        "endRecord   ----------------------\n"
        "endDatagram   =================================\n"
    )


def test_what_is_not_known_of_a_datagram_has_no_line_and_what_is_wrong_has_one() -> None:
    text = HERE.text(export(domain=None, sequence=None, exported_ns=None, rejected="set beyond the datagram")).decode()
    assert "sourceId" not in text
    assert "packetSequenceNo" not in text
    assert "exportTime" not in text
    assert "\ndecodeProblem set beyond the datagram\nendDatagram" in text


def test_ipfix_has_its_own_word_for_the_domain() -> None:
    assert "\nobservationDomainId 7\n" in HERE.text(export(version=10)).decode()


def test_values_cannot_break_a_line() -> None:
    lines = HERE.text(export(OPTIONS)).decode().splitlines()
    assert "samplerName a\\nb" in lines
    assert "mac 01ff" in lines
    assert 'list [1, "02"]' in lines
    assert 'sub {"x": 1}' in lines
    assert "recordType OPTIONS" in lines


def test_every_line_for_grep_says_whose_it_is() -> None:
    lines = HERE.grep(export(Record(False, 0, {"a": 1}), version=5)).decode().splitlines()
    assert all(line.startswith("2023-11-14T22:13:20+0000 192.0.2.1 7 3 ") for line in lines)
    assert "2023-11-14T22:13:20+0000 192.0.2.1 7 3 5:0 a 1" in lines
    assert not any("template" in line for line in lines)


@pytest.mark.parametrize("write", [Writer.json, Writer.indented_json])
def test_json_is_typed_and_whole(write: Any) -> None:
    found = json.loads(write(HERE, export(FLOW, OPTIONS, Record(False, 0, {"f": float("nan"), "ok": True}))))
    assert (found["datagramVersion"], found["recordsInPacket"]) == (9, 3)
    flow, options, last = found["records"]
    assert flow == {"recordType": "FLOW", "template": 256, "sourceIPv4Address": "10.0.0.1", "octetDeltaCount": 5}
    assert options["samplerName"] == "a\nb"
    assert (options["mac"], options["list"], options["sub"]) == ("01ff", [1, "02"], {"x": 1})
    assert last == {"recordType": "FLOW", "f": None, "ok": True}
    assert "decodeProblem" not in found
    assert json.loads(write(HERE, export(rejected="x")))["decodeProblem"] == "x"


def test_json_lines_are_lines() -> None:
    assert HERE.json(export(OPTIONS)).count(b"\n") == 1
    assert HERE.indented_json(export(OPTIONS)).endswith(b"}\n\n")


def test_chosen_fields_are_those_of_the_record_before_those_of_the_datagram() -> None:
    names = ["datagramSourceIP", "octetDeltaCount", "nothing"]
    assert HERE.chosen(export(FLOW, Record(False, 256, {"other": 1})), names) == b"192.0.2.1,5,\n"
    assert HERE.chosen(export(OPTIONS), ["list"]) == b'"[1, ""02""]"\n'
