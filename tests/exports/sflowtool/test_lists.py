# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.exports.sflowtool.received import PACKET, counter_element, flow_element, header

from fleutan.exports.sflowtool.lists import Printers
from fleutan.exports.sflowtool.structures import Place
from fleutan.exports.sflowtool.text import style_of
from fleutan.protocols.sflow import earlier
from fleutan.protocols.sflow.elements import Element

AGENT = bytes([1, 2, 3, 4])
LANES = (tuple(range(10, 20)), tuple(range(30, 40)))


def lines(
    element: Element, block: str = "flow", faithful: bool = False, prefix: str = "", numbered: bool = True
) -> list[str]:
    pieces = Printers(Place(block, prefix, faithful, numbered=numbered))[element.layout](element)
    return style_of(faithful).write(pieces).splitlines()


def test_a_header_and_its_packet() -> None:
    found = lines(header())
    assert found[:6] == [
        *("flowBlock_tag 0:1", "flowSampleType HEADER", "headerProtocol 1", "sampledPacketSize 58"),
        *("strippedBytes 4", "headerLen 54"),
    ]
    assert found[6] == "headerBytes " + PACKET.hex("-").upper()
    assert found[-1] == "TCPFlags 18"
    assert lines(header(), prefix="discarded_")[-1] == "discarded_TCPFlags 18"
    long = header(PACKET + bytes(1000))
    assert len(lines(long)[6].split("-")) == 1054
    assert len(lines(long, faithful=True)[6].split("-")) == 682


def test_a_header_of_an_earlier_version() -> None:
    layout = earlier.PACKETS[1]
    found = lines(Element(1, layout, (1, 54, PACKET)), numbered=False)
    assert found[:4] == ["flowSampleType HEADER", "headerProtocol 1", "sampledPacketSize 54", "headerLen 54"]
    assert "IPSize 40" in found


def test_a_wireless_payload_of_octets_and_with_a_header() -> None:
    assert lines(flow_element(1013, 2, b"ab"))[1:] == ["cipher_suite 2", "payloadBytes 61-62"]
    found = lines(flow_element(1013, 2, 1, 58, 4, PACKET, form=1))
    assert found[:3] == ["flowBlock_tag 0:1013", "cipher_suite 2", "flowSampleType HEADER"]
    assert found[-1] == "TCPFlags 18"


@pytest.mark.parametrize(
    ("protocol", "last"),
    [
        (6, ["TCPSrcPort 10", "TCPDstPort 20", "TCPFlags 18"]),
        (17, ["UDPSrcPort 10", "UDPDstPort 20"]),
        (1, ["ICMPType 20"]),
        (47, []),
    ],
)
def test_sampled_ipv4_names_the_ports_by_the_protocol(protocol: int, last: list[str]) -> None:
    found = lines(flow_element(3, 60, protocol, AGENT, AGENT, 10, 20, 18, 40))
    assert found[1:] == [
        *("flowSampleType IPV4", "sampledPacketSize 60", "IPSize 60", "srcIP 1.2.3.4", "dstIP 1.2.3.4"),
        *(f"IPProtocol {protocol}", "IPTOS 40", *last),
    ]


def test_sampled_ipv6_and_tunnels() -> None:
    values = (60, 58, bytes(16), bytes(16), 10, 20, 18, 40)
    assert lines(flow_element(4, *values))[-2:] == ["priority 40", "ICMPType 20"]
    assert lines(flow_element(4, *values), faithful=True)[-1] == "priority 40"
    assert lines(flow_element(1025, *values))[1:3] == [
        *("flowSampleType tunnel_ipv6_out_IPV6", "tunnel_ipv6_out_sampledPacketSize 60")
    ]


def test_routes_and_their_paths() -> None:
    segments = ((2, (1, 2)), (2, (3,)), (1, (8, 9)))
    route = flow_element(1003, AGENT, 65001, 65002, 65003, segments, (100, 200), 77)
    assert lines(route) == [
        *("flowBlock_tag 0:1003", "extendedType GATEWAY", "bgp_nexthop 1.2.3.4", "my_as 65001", "src_as 65002"),
        *("src_peer_as 65003", "dst_as_path 1-2-3(8-9)", "dst_as 9", "dst_peer_as 1", "BGP_communities 100-200"),
        "BGP_localpref 77",
    ]
    assert "dst_as_path 1-23(8-9)" in lines(route, faithful=True)
    assert lines(flow_element(1003, AGENT, 1, 2, 3, (), (), 77))[-3:] == [
        "dst_as 0",
        "dst_peer_as 0",
        "BGP_localpref 77",
    ]
    assert "dst_as_path " in lines(flow_element(1003, AGENT, 1, 2, 3, ((1, ()),), (), 77))


def test_routes_of_earlier_versions() -> None:
    found = lines(Element(1003, earlier.EXTENDED[3], (1, 2, 3, ((2, (7,)),), (), 9)), numbered=False)
    assert found[1:] == [
        "my_as 1",
        "src_as 2",
        "src_peer_as 3",
        "dst_as_path 7",
        "dst_as 7",
        "dst_peer_as 7",
        "BGP_localpref 9",
    ]
    found = lines(Element(1003, earlier.EXTENDED_2[3], (1, 2, 3, (7, 8))), numbered=False)
    assert found[4:] == ["dst_as 8", "dst_peer_as 7", "dst_as_path_len 2", "dst_as_path 7-8"]
    found = lines(Element(1003, earlier.EXTENDED_2[3], (1, 2, 3, ())), numbered=False)
    assert found[4:] == ["dst_as 0", "dst_peer_as 0", "dst_as_path_len 0"]


def test_stacks_of_labels_and_tags() -> None:
    found = lines(flow_element(1006, AGENT, (100 << 12 | 0x140, 200 << 12 | 0xFF), ()))
    assert found[1:] == ["extendedType MPLS", "mpls_nexthop 1.2.3.4", "mpls_input_stack 100.0.1.64-200.0.0.255"]
    assert lines(flow_element(1012, (0x81000064, 0x88A8B0C8)))[-1] == "vlan_tunnel 0x81000.0.100-0x88a85.1.200"


def test_adaptors_and_their_addresses() -> None:
    element = counter_element(2001, ((4, (b"\x02\0\0\0\0\1",)), (5, ())))
    assert lines(element, "counters")[1:] == [
        *("adaptor_0_ifIndex 4", "adaptor_0_MACs 1", "adaptor_0_MAC_0 020000000001"),
        *("adaptor_1_ifIndex 5", "adaptor_1_MACs 0"),
    ]
    nested = Printers(Place("counters", nested=True))[element.layout](element)
    assert nested[1][1] == (
        [{"ifIndex": 4, "MACs": 1, "mac_list": ["020000000001"]}, {"ifIndex": 5, "MACs": 0, "mac_list": []}],
    )


def test_optical_lanes() -> None:
    element = counter_element(10, 7, 4, 3300, -5, LANES)
    found = lines(element, "counters")
    assert found[4:7] == ["sfp_module_temperature -5", "sfp_module_active_lanes 2", "sfp_lane_index.0 10"]
    assert found[-1] == "sfp_lane_rx_wavelength_nM.1 39"
    found = lines(element, "counters", faithful=True)
    assert found[4] == "sfp_module_temperature 4294967291"
    assert found[-1] == "sfp_lane_rx_wavelength_nM.%u.1 39"
    for faithful, size in ((False, 10), (True, 20)):
        nested = Printers(Place("counters", nested=True, faithful=faithful))[element.layout](element)
        assert [len(lane) for lane in nested[1][1][0]] == [size, size]


def test_what_was_cut_says_its_number() -> None:
    assert lines(flow_element(1, 1, 58)) == ["flowBlock_tag 0:1"]
    assert lines(Element(99, None, (), b"abcd"))[-1] == "skipping unknown flow_sample_element: 0:99 len=4"
