# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

from tests.protocols.netflow.capturing import datagrams
from tests.protocols.netflow.making import PLAIN, RECORD, record_5, set_of, template, v5, v9, v10

from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.exporters.state import State
from fleutan.records import Records
from fleutan.sources.flowrecords import flow_records

IPV4_UDP = bytes.fromhex("4500001c00000000401100000a0000010a000002") + struct.pack("!HHHH", 53, 99, 8, 0)
ETHERNET = bytes.fromhex("0200000000020200000000010800") + IPV4_UDP


def read(*strings: bytes) -> Records:
    return flow_records(decode(datagrams(*strings), State()))


def test_plain_names_stay_and_others_are_the_catalogues() -> None:
    found = read(v10(set_of(2, template(256, (8, 4), (59, 2), (70, 3))), set_of(256, b"\x0a\0\0\x01\0\x07\0\0\x51")))
    assert found.values["src"].tolist() == [[0, 0xFFFF_0A00_0001]]
    assert found.values["out_vlan"].tolist() == [7]
    assert found.values["mpls_label"].tolist() == [5]
    assert "post_vlan" not in found.values


def test_nothing_is_no_row() -> None:
    assert read(v9(set_of(0, template(256, *PLAIN)))).rows == 0
    assert read(v9(set_of(0, template(256, *PLAIN)), set_of(256, RECORD))).rows == 1


def test_type_and_code_of_icmp_stand_in_a_field_of_their_own_or_where_the_port_does() -> None:
    fields = ((4, 1), (7, 2), (11, 2))
    own = template(257, (4, 1), (32, 2), (5, 1))
    found = read(
        v9(
            set_of(0, template(256, *fields), own),
            set_of(256, b"\x01\0\0\x08\x01" + b"\x06\0\x50\x01\xbb" + bytes(2)),
            set_of(257, b"\x01\x03\x01\0"),
        )
    )
    known = found.known["icmp_type"].tolist()
    assert known == [True, False, True]
    assert found.values["icmp_type"].tolist() == [8, 0, 3]
    assert found.values["icmp_code"].tolist() == [1, 0, 1]
    assert found.known["dport"].tolist() == [False, True, False]
    assert found.values["dport"].tolist()[1] == 443


def test_where_nothing_is_icmp_ports_stay() -> None:
    found = read(v5(record_5()))
    assert "icmp_type" not in found.values
    assert found.rows == 1
    no_proto = read(v9(set_of(0, template(256, (7, 2), (11, 2))), set_of(256, b"\0\x50\x01\xbb")))
    assert no_proto.values["dport"].tolist() == [443]


def test_packets_in_records_are_read() -> None:
    layout = template(256, (2, 4), (315, len(ETHERNET)))
    found = read(v10(set_of(2, layout), set_of(256, b"\0\0\0\x01" + ETHERNET)))
    assert found.values["dport"].tolist() == [99]
    assert found.values["src_mac"].tolist() == [0x0200_0000_0001]
    layout = template(256, (2, 4), (313, len(IPV4_UDP)))
    found = read(v10(set_of(2, layout), set_of(256, b"\0\0\0\x01" + IPV4_UDP)))
    assert found.values["sport"].tolist() == [53]
    layout = template(256, (2, 4), (316, 4))
    assert "sport" not in read(v10(set_of(2, layout), set_of(256, b"\0\0\0\x01" + bytes(4)))).values
