# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.exports.sflowtool.received import counter_element, flow_element

from fleutan.exports.sflowtool.shapes import LINE
from fleutan.exports.sflowtool.structures import Place, by_table, unknown
from fleutan.exports.sflowtool.text import style_of
from fleutan.protocols.sflow.elements import Element


def lines(element: Element, block: str = "flow", faithful: bool = False) -> list[str]:
    assert element.layout
    pieces = by_table(element.layout, Place(block, faithful=faithful))(element)
    return style_of(faithful).write(pieces).splitlines()


def test_names_in_wire_order_and_in_another() -> None:
    assert lines(flow_element(1001, 1, 2, 3, 4)) == [
        *("flowBlock_tag 0:1001", "extendedType SWITCH", "in_vlan 1", "in_priority 2", "out_vlan 3", "out_priority 4")
    ]
    assert lines(flow_element(2, 64, b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2", 2048)) == [
        *("flowBlock_tag 0:2", "flowSampleType ETHERNET", "ethernet_type 2048", "ethernet_len 64"),
        *("ethernet_src 020000000001", "ethernet_dst 020000000002"),
    ]


def test_a_shorter_form_has_the_first_names() -> None:
    found = lines(counter_element(2003, 0.5, 1, 1.5, *range(4, 18), form=1), "counters")
    assert found[1:4] == ["cpu_load_one 0.500", "cpu_load_five 1.000", "cpu_load_fifteen 1.500"]
    assert found[-1] == "cpu_contexts 17"


def test_empty_strings_are_left_out_but_where_they_never_are() -> None:
    assert lines(flow_element(2203, b"web", b"", b"a=1")) == [
        *("flowBlock_tag 0:2203", "server_context_application web", "server_context_attributes a=1")
    ]
    assert lines(flow_element(2204, b"")) == ["flowBlock_tag 0:2204"]
    assert lines(flow_element(1005, 1, b"", b"h"))[-2:] == ["url ", "host h"]


@pytest.mark.parametrize(
    ("element", "block", "right", "faithful"),
    [
        (flow_element(2209, 9, *range(11)), "flow", "tcpinfo_direction <bad value>", None),
        (flow_element(2209, 2, *range(11)), "flow", "tcpinfo_direction sent", None),
        (flow_element(2202, b"a", b"b", b"c", b"d", 1, 2, 3, 10), "flow", "status UNAUTHORIZED", "status UNATHORIZED"),
        (flow_element(2202, b"a", b"b", b"c", b"d", 1, 2, 3, 11), "flow", "status <out-of-range=11>", None),
        (flow_element(2200, 1, 2, b"a b/", 1, 1, 1, 1), "flow", "memcache_op_key a+b%2F", "memcache_op_key a+b%F2"),
        (counter_element(1001, -1, 50, 0, 1, 2), "counters", "5s_cpu unknown", None),
        (counter_element(1004, 2**32 + 2, 3), "counters", "openflow_datapath_id 0000000100000002", None),
        (
            counter_element(2201, *range(15)),
            "counters",
            "http_method_connect_count 7",
            "http_methd_connect_count 7",
        ),
        (flow_element(1002, b"", 24, 16), "flow", "nextHop -", None),
    ],
)
def test_values_with_a_print_of_their_own(element: Element, block: str, right: str, faithful: str | None) -> None:
    assert right in lines(element, block)
    assert (faithful or right) in lines(element, block, faithful=True)


def test_structures_that_sflowtool_does_not_know_have_the_names_of_the_specification() -> None:
    acl = flow_element(1037, 7, b"deny", 1)
    assert lines(acl) == [
        "flowBlock_tag 0:1037",
        *(f"extended_acl_{word}" for word in ("number 7", "name deny", "direction 1")),
    ]
    assert lines(acl, faithful=True)[-1] == "skipping unknown flow_sample_element: 0:1037 len=16"
    assert lines(flow_element(1034, (1, 2)))[-1] == "extended_vlanin_stack 1-2"
    assert lines(flow_element(1016, (((),), ((),))))[-1] == "extended_80211_aggregation_pdus 2"


def test_unknown_structures_say_how_long_they_are() -> None:
    pieces = unknown(Element(9 << 12 | 1, None, (), b"octets"), Place("counters", "discarded_"))
    assert style_of(False).write(pieces).splitlines() == [
        *("discarded_counterBlock_tag 9:1", "skipping unknown counters_sample_element: 9:1 len=6")
    ]
    assert pieces[1][0] is LINE


def test_what_was_cut_says_what_it_has() -> None:
    assert lines(flow_element(1001, 1, 2)) == [
        "flowBlock_tag 0:1001",
        "extendedType SWITCH",
        "in_vlan 1",
        "in_priority 2",
    ]
    assert lines(flow_element(2, 64)) == ["flowBlock_tag 0:2", "flowSampleType ETHERNET"]
