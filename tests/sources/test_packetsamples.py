# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from typing import Any

from tests.protocols.netflow.capturing import AT_NS, datagrams
from tests.sources.test_exporters import HEADER, flow, sflow

from fleutan.protocols.sflow import columns
from fleutan.protocols.sflow.encoder import element, sample
from fleutan.protocols.sflow.layouts import DISCARDED_PACKET, FLOW_FORMS, FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.samples import Sample
from fleutan.records import Records
from fleutan.sources.packetsamples import discarded_packets, packet_samples

UDP4 = bytes.fromhex("4500001c00000000401100000a0000010a000002") + struct.pack("!HHHH", 53, 99, 8, 0)
_EXPANDED = {
    "sequence_number": 1,
    "ds_class": 0,
    "ds_index": 3,
    "sampling_rate": 400,
    "sample_pool": 400,
    "drops": 7,
    "input_format": 0,
    "input_value": 5,
    "output_format": 0,
    "output_value": 6,
}


def expanded(*elements: Any, **more: int) -> Sample:
    return sample(FLOW_SAMPLE_EXPANDED, _EXPANDED | more, list(elements))


def of(tag: int, **values: Any) -> Any:
    layout = FLOW_FORMS[tag][0]
    return element(layout, {name: values.get(name, 0) for name in layout.names})


def read(*samples: Sample) -> Records:
    batch = datagrams(sflow(*samples))
    return packet_samples(columns.walk(batch.spans), batch)


def known(found: Records, name: str) -> list[Any]:
    mask = found.known.get(name)
    return [value if mask is None or mask[row] else None for row, value in enumerate(found.values[name].tolist())]


def test_a_sample_is_one_packet_as_long_as_it_was() -> None:
    found = read(flow(), expanded(element(FLOW_FORMS[1][0], HEADER | {"frame_length": 1514})))
    assert (found.values["packets"].tolist(), found.values["bytes"].tolist()) == ([1, 1], [100, 1514])
    assert found.values["received"].tolist() == [AT_NS, AT_NS]
    assert found.values["sampler_drops"].tolist() == [0, 7]
    assert found.values["agent"].tolist() == [[0, 0xFFFF_0A00_0001]] * 2


def test_interfaces_are_indices_or_unknown() -> None:
    internal, several, dropped = (0, 0x3FFF_FFFF), (2, 4), (1, 258)
    found = read(
        *(expanded(output_format=kind, output_value=value) for kind, value in ((0, 6), internal, several, dropped)),
        expanded(input_format=0, input_value=0),
    )
    assert known(found, "out_if") == [6, None, None, None, 6]
    assert known(found, "in_if") == [5, 5, 5, 5, None]


def test_structures_beside_the_header_are_told() -> None:
    four = b"\x0a\0\0\x09"
    found = read(
        expanded(
            of(1001, src_vlan=10, dst_vlan=0xFFFF_FFFF),
            of(1002, nexthop=four, src_mask_len=24, dst_mask_len=16),
            of(1043, nanoseconds=AT_NS + 5),
            of(2209, rtt=1500, min_rtt=1000, snd_cwnd=10, retrans=2, rttvar=3),
        )
    )
    assert (known(found, "vlan"), known(found, "out_vlan")) == ([10], [None])
    assert known(found, "next_hop") == [[0, 0xFFFF_0A00_0009]]
    assert (known(found, "src_mask"), known(found, "dst_mask")) == ([24], [16])
    assert known(found, "end") == [AT_NS + 5]
    names = ("rtt", "min_rtt", "cwnd", "retrans", "rtt_var")
    assert [known(found, name) for name in names] == [[1500], [1000], [10], [2], [3]]


def test_headers_are_read_and_what_is_summed_up_only_where_there_is_none() -> None:
    header = of(1, protocol=11, frame_length=60, header=UDP4)
    summed = of(3, length=40, protocol=6, src_ip=b"\x01\x02\x03\x04", dst_ip=b"\x05\x06\x07\x08", dst_port=80, tos=4)
    found = read(expanded(header, summed), expanded(summed), expanded())
    assert known(found, "dport") == [99, 80, None]
    assert known(found, "proto") == [17, 6, None]
    assert known(found, "bytes") == [60, 40, None]
    assert known(found, "tos") == [0, 4, None]


def test_discarded_packets_have_a_reason() -> None:
    values = {"sequence_number": 1, "ds_class": 0, "ds_index": 3, "drops": 2, "input": 4, "output": 0, "reason": 258}
    batch = datagrams(sflow(sample(DISCARDED_PACKET, values, [element(FLOW_FORMS[1][0], HEADER)]), flow()))
    found = discarded_packets(columns.walk(batch.spans), batch)
    assert (found.rows, found.values["reason"].tolist()) == (1, [258])
    assert (known(found, "in_if"), known(found, "out_if")) == ([4], [None])
