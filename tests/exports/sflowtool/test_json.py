# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.captures import needs_captures
from tests.exports.sflowtool.received import (
    FAITHFUL,
    RIGHT,
    answer,
    counter_element,
    counters,
    flow,
    flow_element,
    header,
    of_octets,
    received,
    recorded,
)

from fleutan.exports.sflowtool.heads import Received
from fleutan.exports.sflowtool.json import write_indented_json, write_json
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.layouts import RTMETRIC
from fleutan.protocols.sflow.samples import Sample


def objects(*found: Received) -> list[Any]:
    return [json.loads(line) for line in b"".join(write_json(found, RIGHT)).splitlines()]


@needs_captures
@pytest.mark.parametrize("name", ["every-structure", "host-sflow-live"])
def test_lines_are_those_of_sflowtool(name: str) -> None:
    assert b"".join(write_json(recorded(name), FAITHFUL)) == answer(name, "jsonl")


@needs_captures
@pytest.mark.parametrize("name", ["every-structure", "host-sflow-live", "malformed", "tcpdump_sflow_expanded"])
def test_indented_and_on_a_line_say_the_same(name: str) -> None:
    for dialect in (RIGHT, FAITHFUL):
        lines = b"".join(write_json(recorded(name), dialect)).split(b"\n")[:-1]
        indented = b"".join(write_indented_json(recorded(name), dialect)).split(b"\n\n")[:-1]
        stripped = [b"".join(line.lstrip() for line in text.split(b"\n")) for text in indented]
        assert stripped == lines


def test_indented_objects_are_laid_out_by_depth() -> None:
    # A MAC address has a blank behind it, for which ~ stands here.
    element = counter_element(2001, ((4, (b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2")), (5, ())))
    text = b"".join(write_indented_json([received(counters(element), counters())], FAITHFUL)).decode()
    assert (
        text[text.index(' "samples"') :].replace('" ', '"~')
        == """\
 "samples":[{
   "sampleType_tag":"0:2",
   "sampleType":"COUNTERSSAMPLE",
   "sampleSequenceNo":"1",
   "sourceId":"2:1",
   "elements":[{
     "counterBlock_tag":"0:2001",
     "adaptor_list":[{
       "ifIndex":"4",
       "MACs":"2",
       "mac_list":[
        "020000000001"~,
        "020000000002"~
       ]
      },
      {
       "ifIndex":"5",
       "MACs":"0",
       "mac_list":[
       ]
      }
     ]
    }
   ]
  },
  {
   "sampleType_tag":"0:2",
   "sampleType":"COUNTERSSAMPLE",
   "sampleSequenceNo":"1",
   "sourceId":"2:1",
   "elements":[
   ]
  }
 ]
}

"""
    )


@needs_captures
def test_every_structure_is_valid_and_typed() -> None:
    found = objects(*recorded("every-structure"), *recorded("malformed"), *recorded("host-sflow-live"))
    assert len(found) == 106 + 6 + 63
    elements = [
        element
        for datagram in found
        for sample in datagram.get("samples", ())
        for element in sample.get("elements", ())
    ]
    assert {type(element["TCPFlags"]) for element in elements if "TCPFlags" in element} == {int}
    assert {type(element["srcIP"]) for element in elements if "srcIP" in element} == {str}
    assert {type(element["cpu_load_one"]) for element in elements if "cpu_load_one" in element} <= {int, float}


def test_values_have_their_types() -> None:
    figures = ((b'"q"', (0, b'a"b\\c\xff')), (b"f", (5, float("inf"))), (b"d", (6, 0.1)), (b"g", (5, 0.25)))
    found = objects(
        received(
            flow(header(), input=1 << 30 | 258),
            counters(counter_element(1001, -1, 50, 10000, 2**63, 1), counter_element(2003, 0.1, 0, 1, *range(17))),
            Sample(RTMETRIC.tag, RTMETRIC, (b"", figures)),
        )
    )[0]
    first, second, third = found["samples"]
    assert (found["packetSequenceNo"], found["agent"], found["localtime"][:4]) == (7, "10.9.8.7", "2023")
    assert (first["inputPort"], first["outputPort"], first["sourceId"]) == ("dropCode 258", 4, "0:3")
    assert (first["elements"][0]["IPTTL"], first["elements"][0]["srcMAC"]) == (64, "020000000002")
    assert second["elements"][0] == {
        "counterBlock_tag": "0:1001",
        "5s_cpu": None,
        "1m_cpu": 0.5,
        "5m_cpu": 100.0,
        "total_memory_bytes": 2**63,
        "free_memory_bytes": 1,
    }
    assert second["elements"][1]["cpu_load_one"] == 0.1
    assert third['rtmetric_string_"q"'] == 'a"b\\c\ufffd'
    assert (third["rtmetric_gaugeFloat_f"], third["rtmetric_gaugeDouble_d"]) == (None, 0.1)
    assert "elements" not in third


def test_lists_are_lists() -> None:
    adaptors = counter_element(2001, ((4, (b"\x02\0\0\0\0\1",)),))
    lanes = counter_element(10, 7, 4, 3300, 40, (tuple(range(10)),))
    found = objects(received(counters(adaptors, lanes)))[0]["samples"][0]["elements"]
    assert found[0]["adaptor_list"] == [{"ifIndex": 4, "MACs": 1, "mac_list": ["020000000001"]}]
    assert found[1]["sfp_lanes"][0]["tx_power_uW"] == 2


def test_notes_are_no_fields() -> None:
    found = objects(received(flow(Element(99, None, (), b"abcd"), flow_element(1, 5, 60, 0, b"octets"))))
    assert found[0]["samples"][0]["elements"][0] == {"flowBlock_tag": "0:99"}
    assert found[0]["samples"][0]["elements"][1]["headerLen"] == 6


def test_what_is_broken_is_said_and_ends() -> None:
    found = objects(received(flow(header()), cut=8), of_octets(b""), of_octets(bytes.fromhex("00000009")))
    assert [problem["reason"] for problem in found[0]["problems"]] == ["overrun", "overrun", "cut"]
    assert found[1]["problems"] == [{"reason": "cut", "at": 0, "structure": "datagram"}]
    assert found[2]["datagramVersion"] == 9


def test_earlier_counters_have_a_place_for_what_is_not_there() -> None:
    head = bytes.fromhex("00000004 00000001 0a090807 00000007 000003e8 00000001 00000002 00000001 00000003 00000014")
    vlan = head + bytes.fromhex("00000007") + bytes(28)
    generic = head + bytes.fromhex("00000001") + bytes(88)
    for octets, place in ((vlan, 0), (generic, 1)):
        line = b"".join(write_json([of_octets(octets)], FAITHFUL))
        assert json.loads(line)["samples"][0]["elements"][place] == {}
        assert len(objects(of_octets(octets))[0]["samples"][0]["elements"]) == 1


@given(st.binary(max_size=120), st.sampled_from([2, 4, 5]))
def test_any_octets_give_valid_json(octets: bytes, version: int) -> None:
    head = version.to_bytes(4, "big") + bytes.fromhex("00000001 0a090807 00000000 00000000 00000000 00000002")
    assert len(objects(of_octets(head + octets))) == 1
