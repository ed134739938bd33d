# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from tests.exporting import AGENT, AT_NS, EXPORTER, batch, halves, sflow
from tests.exports.sflowtool.received import PACKET, counter_element, counters, discard, flow, flow_element, header

from fleutan.protocols.sflow.columns import Read, walk
from fleutan.protocols.sflow.columns.packets import NAMES as STRUCTURE_NAMES
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.samples import Sample
from fleutan.records import Records
from fleutan.sources.exported import FIELDS
from fleutan.sources.packetsamples import NAMES, SUMMED_UP, discarded_packets, packet_samples

FOUR = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
SIX = bytes(15) + b"\1", bytes(15) + b"\2"
MACS = PACKET[6:12], PACKET[:6]


def samples(*those: Sample) -> Records:
    datagrams = batch(sflow(*those))
    return packet_samples(Read(walk(datagrams.spans)), datagrams)


def expanded(*elements: Any, ends: tuple[int, int, int, int] = (0, 3, 0, 4), rate: int = 400) -> Sample:
    return Sample(3, FLOW_SAMPLE_EXPANDED, (9, 1, 70_000, rate, 4000, 2, *ends), elements, len(elements))


def column(found: Records, name: str) -> list[Any]:
    """The values, None where they are not known."""
    if name not in found.values:
        return [None] * found.rows
    known = found.known[name].tolist() if name in found.known else [True] * found.rows
    return [one if there else None for one, there in zip(found.values[name].tolist(), known, strict=True)]


def one(found: Records) -> dict[str, Any]:
    """What is known of the only row."""
    assert found.rows == 1
    row = {name: column(found, name)[0] for name in found.values}
    return {name: value for name, value in row.items() if value is not None}


def test_names_are_those_of_structures_and_of_the_catalogue() -> None:
    structures = set(STRUCTURE_NAMES.values())
    for name, ours in {**NAMES, **SUMMED_UP}.items():
        assert "." not in name or name.partition(".")[0] in structures, name
        assert (ours or name) in (*FIELDS, "datagram")


def test_a_sample_says_where_it_is_from_and_what_its_packet_is() -> None:
    found = one(samples(expanded(header())))
    assert found == {
        "exporter": halves(EXPORTER)[0].tolist(),
        "agent": halves(AGENT)[0].tolist(),
        "domain": 0,
        "received": AT_NS,
        "packets": 1,
        "in_if": 3,
        "out_if": 4,
        "datagram": 0,
        "ds_class": 1,
        "ds_index": 70_000,
        "sampling_rate": 400,
        "sample_pool": 4000,
        "sampler_drops": 2,
        "bytes": len(PACKET) + 4,
        "ip_bytes": 40,
        "src_mac": 0x020000000002,
        "dst_mac": 0x020000000001,
        "ethertype": 0x0800,
        "src": halves("10.0.0.1")[0].tolist(),
        "dst": halves("10.0.0.2")[0].tolist(),
        "proto": 6,
        "sport": 1234,
        "dport": 443,
        "tos": 0x28,
        "ttl": 64,
        "tcp_flags": 0x12,
        "header_at": sflow(expanded(header())).index(PACKET),
        "header_size": len(PACKET),
        "header_kind": 1,
    }


def test_samples_of_both_forms_stand_in_their_order() -> None:
    found = samples(flow(header(), input=1), expanded(ends=(0, 2, 0, 9)), counters(), flow(input=3))
    assert column(found, "in_if") == [1, 2, 3]
    assert column(found, "sport") == [1234, None, None]
    assert column(found, "packets") == [1, 1, 1]


@pytest.mark.parametrize(
    ("ends", "known"),
    [
        ((0, 3, 0, 4), (3, 4)),
        ((0, 0, 0, 0), (None, None)),
        ((0, 0x3FFF_FFFF, 0, 2**31), (None, 2**31)),
        ((1, 256, 2, 5), (None, None)),
    ],
)
def test_an_interface_is_one_or_unknown(ends: tuple[int, int, int, int], known: tuple[int | None, ...]) -> None:
    found = samples(expanded(ends=ends))
    assert (column(found, "in_if")[0], column(found, "out_if")[0]) == known


def test_in_the_compact_form_too() -> None:
    compact = flow(input=0x3FFF_FFFF, output=2 << 30 | 5), flow(input=7, output=1 << 30 | 258)
    found = samples(*compact)
    assert (column(found, "in_if"), column(found, "out_if")) == ([None, 7], [None, None])


def test_a_rate_of_nothing_is_unknown() -> None:
    assert column(samples(expanded(), expanded(rate=0)), "sampling_rate") == [400, None]


def test_structures_of_switches_and_routers() -> None:
    found = one(
        samples(
            flow(
                header(),
                flow_element(1001, 7, 0, 8, 0),
                flow_element(1002, FOUR[1], 24, 16),
                flow_element(1003, FOUR[0], 1, 65001, 65002, ((2, (65003, 65004)),), (), 100),
                flow_element(1007, *FOUR),
                flow_element(1020, 5000, 80),
                flow_element(1030, 4096),
                flow_element(1036, 6),
                flow_element(1043, AT_NS + 5),
            )
        )
    )
    assert (found["vlan"], found["out_vlan"]) == (7, 8)
    assert (found["next_hop"], found["src_mask"], found["dst_mask"]) == (halves("10.0.0.2")[0].tolist(), 24, 16)
    assert (found["src_as"], found["dst_as"]) == (65001, 65004)
    assert (found["post_src"], found["post_sport"]) == (halves("10.0.0.1")[0].tolist(), 5000)
    assert (found["post_dst"], found["post_dport"]) == (halves("10.0.0.2")[0].tolist(), 80)
    assert (found["tunnel_id"], found["queue"], found["end"]) == (4096, 6, AT_NS + 5)


@pytest.mark.parametrize(
    "element", [flow_element(1006, FOUR[1], (), ()), flow_element(1003, FOUR[1], *(1,) * 3, (), (), 1)]
)
def test_the_next_hop_stands_in_one_of_several(element: Any) -> None:
    assert one(samples(flow(element)))["next_hop"] == halves("10.0.0.2")[0].tolist()
    router = flow_element(1002, FOUR[0], 24, 16)
    assert one(samples(flow(element, router)))["next_hop"] == halves("10.0.0.1")[0].tolist()


def test_a_vlan_that_is_none_is_asked_of_the_header() -> None:
    tagged = header(PACKET[:12] + bytes.fromhex("8100 6064") + PACKET[12:])
    none, some = flow_element(1001, 2**32 - 1, 0, 2**32 - 1, 0), flow_element(1001, 7, 0, 8, 0)
    found = samples(flow(tagged, none), flow(tagged, some), flow(tagged), flow(header()))
    assert column(found, "vlan") == [100, 7, 100, None]
    assert column(found, "out_vlan") == [None, 8, None, None]


def test_what_tcp_says_of_a_connection() -> None:
    found = one(samples(flow(flow_element(2209, 1, *range(10, 21)))))
    names = ("mss", "rcv_mss", "unacked", "lost", "retrans", "pmtu", "rtt", "rtt_var", "cwnd", "reordering", "min_rtt")
    assert [found[name] for name in names] == list(range(10, 21))


def owner(*numbers: int, texts: tuple[bytes, ...] = (b"curl", b"web.service", b"")) -> Any:
    return flow_element(32473 << 12 | 1, *numbers, *texts)


def test_who_holds_the_socket() -> None:
    many = b"x" * 400
    found = samples(
        flow(owner(77, 1000, 9, 5)),
        flow(owner(2**32 - 1, 2**32 - 1, 0, 0, texts=(b"", b"", b""))),
        flow(header()),
        flow(owner(78, 0, 10, 6, texts=(many, b"\xff", many))),
    )
    assert column(found, "pid") == [77, None, None, 78]
    assert column(found, "uid") == [1000, None, None, 0]
    assert column(found, "cookie") == [9, None, None, 10]
    assert column(found, "cgroup_id") == [5, None, None, 6]
    assert column(found, "comm") == [b"curl", None, None, b"x" * 16]
    assert column(found, "unit") == [b"web.service", None, None, b"\xff"]
    assert column(found, "container") == [None, None, None, b"x" * 255]


def test_how_the_connection_fared_since_the_sample_before() -> None:
    deltas = (32473 << 12 | 2, 1500, 20, 2, 300)
    found = samples(flow(flow_element(*deltas, -7)), flow(flow_element(deltas[0], *[2**32 - 1] * 4, 0)))
    told = {name: column(found, name) for name in ("since_sample", "segs_out_since", "retrans_since", "rtt")}
    assert told == {
        "since_sample": [1_500_000, None],
        "segs_out_since": [20, None],
        "retrans_since": [2, None],
        "rtt": [300, None],
    }
    assert column(found, "rtt_change") == [-7, 0]
    ones = samples(flow(flow_element(2209, 1, *[2**32 - 1] * 11)))
    assert column(ones, "rtt") == column(ones, "mss") == [None]


def test_which_data_source_it_belongs_to() -> None:
    found = samples(flow(flow_element(2210, 3, 100_001, 0, 0)), flow(flow_element(2210, 0, 0, 3, 100_002)))
    assert (column(found, "src_entity"), column(found, "dst_entity")) == ([100_001, None], [None, 100_002])


def test_samples_without_a_header_sum_up_their_packet() -> None:
    ethernet = flow_element(2, 64, *MACS, 0x0800)
    four = one(samples(flow(ethernet, flow_element(3, 46, 6, *FOUR, 10, 20, 18, 40))))
    assert (four["src_mac"], four["dst_mac"], four["ethertype"]) == (0x020000000002, 0x020000000001, 0x0800)
    assert (four["bytes"], four["ip_bytes"], four["proto"], four["tos"]) == (64, 46, 6, 40)
    assert (four["src"], four["sport"], four["tcp_flags"]) == (halves("10.0.0.1")[0].tolist(), 10, 18)
    six = one(samples(flow(flow_element(4, 60, 17, *SIX, 53, 54, 0, 5))))
    assert (six["dst"], six["dport"], six["bytes"], six["ip_bytes"]) == (halves("::2")[0].tolist(), 54, 60, 60)
    assert (six["tos"], "tcp_flags" in six, "src_mac" in six) == (5, False, False)


def test_protocols_without_ports_have_none() -> None:
    found = samples(*(flow(flow_element(3, 60, proto, *FOUR, 0, 0, 0, 0)) for proto in (1, 6, 17, 47, 132)))
    assert column(found, "proto") == [1, 6, 17, 47, 132]
    assert column(found, "sport") == column(found, "dport") == [None, 0, 0, None, 0]
    assert column(found, "tcp_flags") == [None, 0, None, None, None]


def test_a_header_goes_before_what_sums_up() -> None:
    found = one(samples(flow(flow_element(3, 46, 17, *FOUR[::-1], 10, 20, 18, 40), header())))
    assert (found["proto"], found["sport"], found["src"]) == (6, 1234, halves("10.0.0.1")[0].tolist())


def test_headers_that_begin_with_ip() -> None:
    found = one(samples(flow(header(PACKET[14:], 11))))
    assert (found["dport"], "src_mac" in found) == (443, False)


def test_discarded_packets_have_their_reason() -> None:
    datagrams = batch(sflow(flow(header())), sflow(discard(header(), reason=258, output=0), discard(reason=2)))
    found = discarded_packets(Read(walk(datagrams.spans)), datagrams)
    assert column(found, "reason") == [258, 2]
    assert column(found, "datagram") == [1, 1]
    assert column(found, "in_if") == [3, 3]
    assert column(found, "out_if") == [None, 1]
    assert column(found, "received") == [AT_NS + 10**9] * 2
    assert column(found, "sport") == [1234, None]
    assert column(found, "sampling_rate") == [None, None]
    assert packet_samples(Read(walk(datagrams.spans)), datagrams).rows == 1


def test_counters_are_no_packets() -> None:
    datagrams = batch(sflow(counters(counter_element(1005, b"eth0"))))
    for read in (packet_samples, discarded_packets):
        assert read(Read(walk(datagrams.spans)), datagrams).rows == 0


def test_an_unknown_agent_is_unknown() -> None:
    whole = sflow(flow(header()))
    datagrams = batch(whole[:4] + bytes(4) + whole[12:])
    found = packet_samples(Read(walk(datagrams.spans)), datagrams)
    assert column(found, "agent") == [None]
    assert column(found, "exporter") == halves(EXPORTER).tolist()
