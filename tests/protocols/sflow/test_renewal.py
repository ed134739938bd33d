# SPDX-License-Identifier: Apache-2.0
"""Older datagrams, byte by byte from the specifications of their versions, and what columns make of them."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest
from tests.protocols.sflow.columns.agreement import rows_of, scattered
from tests.protocols.sflow.test_earlier import FLOW, HEAD, HEADER, counters, datagram, flow

from fleutan.protocols.sflow import columns
from fleutan.protocols.sflow.cursor import Reason
from fleutan.protocols.sflow.encoder import encode
from fleutan.protocols.sflow.messages import Message, parse
from fleutan.protocols.sflow.renewal import in_version_5, renewed

IPV4 = struct.pack("!9I", 2, 60, 17, 0x0A000001, 0x0A000002, 53, 5353, 0, 8)
GATEWAY_4 = struct.pack("!11I", 3, 65001, 65002, 65003, 1, 2, 2, 1, 2, 1, 77) + b"\0\0\0\x09"
GATEWAY_2 = struct.pack("!7I", 3, 65001, 65002, 65003, 2, 8, 9)
SAID = (
    struct.pack("!5I", 1, 10, 1, 20, 2),
    struct.pack("!5I", 2, 1, 0x0A0000FE, 24, 16),
    struct.pack("!II", 4, 2) + b"me\0\0" + struct.pack("!I", 0),
    struct.pack("!III", 5, 1, 1) + b"/\0\0\0",
)
WHOLE = datagram(4, flow(HEADER, struct.pack("!I", 5), *SAID, GATEWAY_4), counters(2, *range(35)), flow(IPV4, bytes(4)))


def mapped(number: int) -> tuple[int, int]:
    return 0, 0xFFFF_0000_0000 | number


def read(*payloads: bytes) -> columns.Walk:
    spans, _ = renewed(scattered(payloads, 3), np.ones(len(payloads), np.bool_))
    return columns.walk(spans)


def packets(*payloads: bytes) -> list[dict[str, Any]]:
    found = columns.flows(read(*payloads))
    return rows_of(found.records, found.strings)


def test_a_sample_has_the_same_fields_and_structures() -> None:
    first, second = packets(WHOLE)
    expected = {
        "sequence_number": 1,
        "ds_class": 0,
        "ds_index": 3,
        "sampling_rate": 400,
        "sample_pool": 8000,
        "drops": 2,
        "input_format": 0,
        "input_value": 5,
        "output_format": 0,
        "output_value": 6,
        "sampled_header.protocol": 1,
        "sampled_header.frame_length": 64,
        "sampled_header.header": b"abcde",
        "extended_switch.src_vlan": 10,
        "extended_switch.dst_vlan": 20,
        "extended_router.nexthop": mapped(0x0A0000FE),
        "extended_router.src_mask_len": 24,
        "extended_gateway.as": 65001,
        "extended_gateway.src_as": 65002,
        "extended_gateway.dst_as": 2,
        "extended_gateway.localpref": 9,
        "extended_user.src_user": b"me",
        "extended_user.dst_user": b"",
        "extended_url.url": b"/",
        "extended_url.host": b"",
    }
    assert first | expected == first
    assert "extended_gateway.nexthop" not in first
    assert second["sampled_ipv4.src_ip"] == mapped(0x0A000001)
    assert (second["sampled_ipv4.src_port"], second["sampled_ipv4.dst_port"], second["sampled_ipv4.tos"]) == (
        *(53, 5353),
        8,
    )


def test_a_path_of_version_2_is_one_of_numbers_in_order() -> None:
    path = packets(datagram(2, flow(IPV4, struct.pack("!I", 1), GATEWAY_2)))[0]
    assert (path["extended_gateway.src_as"], path["extended_gateway.dst_as"]) == (65002, 9)
    assert path["extended_gateway.dst_peer_as"] == 8
    empty = packets(datagram(2, flow(IPV4, struct.pack("!6I", 1, 3, 1, 2, 3, 0))))[0]
    assert empty["extended_gateway.src_as"] == 2
    assert "extended_gateway.dst_as" not in empty


def test_counters_keep_their_structures() -> None:
    found = columns.counters(read(WHOLE))
    assert found.samples.values["ds_index"].tolist() == [3]
    assert found.samples.values["sequence_number"].tolist() == [9]
    assert sorted(found.structures) == [1, 2]
    assert found.structures[1].records.values["ifSpeed"].tolist() == [(2 << 32) + 3]


@pytest.mark.parametrize(
    ("number", "form", "value"), [(7, 0, 7), (0x80000003, 2, 3), (0x80000000, 2, 0), (0x7FFFFFFF, 0, 0x7FFFFFFF)]
)
def test_interfaces_are_numbers_of_31_bits_or_several(number: int, form: int, value: int) -> None:
    head = struct.pack("!7I", 1, 2 << 24 | 3, 400, 8000, 2, number, number)
    row = packets(datagram(4, struct.pack("!I", 1) + head + IPV4 + bytes(4)))[0]
    assert (row["ds_class"], row["ds_index"]) == (2, 3)
    for name in ("input", "output"):
        assert (row[f"{name}_format"], row[f"{name}_value"]) == (form, value)


def test_only_older_ones_are_changed() -> None:
    new = encode(Message(5, bytes([10, 0, 0, 1]), 1, 2, 3, 0))
    spans = scattered([new, WHOLE, new], 5)
    same, problems = renewed(spans, np.zeros(3, np.bool_))
    assert same is spans
    assert not problems
    changed = renewed(spans, np.array([False, True, False]))[0].strings()
    assert changed[0] == changed[2] == new
    again = parse(changed[1])
    assert again == parse(encode(in_version_5(parse(WHOLE))))
    assert again.problems == ()
    assert again[:6] == (5, bytes([10, 0, 0, 1]), 0, 7, 1000, 3)


def test_what_is_broken_is_left_out_and_counted() -> None:
    unknown = datagram(4, flow(IPV4, bytes(4)), flow(struct.pack("!I", 9)))
    cut = datagram(4, flow(HEADER, bytes(4)))[:-8]
    short = datagram(4, flow())[:-4]
    headless = WHOLE[:14]
    payloads = [unknown, cut, short, headless]
    spans, problems = renewed(scattered(payloads), np.ones(4, np.bool_))
    assert problems == {(Reason.TAG, "flow_sample"): 1, (Reason.CUT, "flow_sample"): 2}
    assert spans.strings()[3] == headless
    walk = columns.walk(spans)
    found = columns.flows(walk)
    assert found.records.values["datagram"].tolist() == [0, 0, 1]
    assert "sampled_header.header" not in found.strings
    assert walk.datagrams.known["sequence_number"].tolist() == [True, True, True, False]


def test_nothing_raises_whatever_is_cut_or_changed() -> None:
    choice = random.Random(4)  # noqa: S311
    cuts = [WHOLE[:size] for size in range(len(WHOLE))]
    changed = []
    for _ in range(2000):
        octets = bytearray(choice.choice((WHOLE, datagram(2, flow(IPV4, struct.pack("!I", 1), GATEWAY_2)))))
        for _ in range(choice.randint(1, 4)):
            octets[choice.randrange(4, len(octets))] = choice.choice((0, 1, 2, 0x7F, 0xFF, choice.randrange(256)))
        changed.append(bytes(octets))
    forged = struct.pack("!II", 4, 1) + HEAD + struct.pack("!I", 0xFFFFFFFF) + struct.pack("!I", 1) + FLOW
    payloads = [*cuts, *changed, forged]
    spans, _ = renewed(scattered(payloads), np.ones(len(payloads), np.bool_))
    columns.flows(columns.walk(spans))
    assert (spans.sizes <= 4 * np.fromiter(map(len, payloads), np.int64) + 64).all()
