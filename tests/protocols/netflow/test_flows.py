# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from tests.protocols.netflow.capturing import AT_NS, EXPORTER
from tests.protocols.netflow.making import (
    PLAIN,
    RECORD,
    SECONDS,
    UPTIME_MS,
    read,
    record_5,
    set_of,
    template,
    v5,
    v9,
    v10,
)

from fleutan.protocols.netflow.elements import OWN, element, named
from fleutan.protocols.netflow.flows import ADDRESSES, LABELS, MASKS, NUMBERS, flows
from fleutan.records import Records

MAPPED = 0xFFFF_0000_0000
SIX = struct.pack("!qq", 0x2001_0DB8 << 32, 5)
FOUR = bytes([10, 0, 0, 9])


def flow(*fields: tuple[tuple[int, ...], bytes]) -> dict[str, Any]:
    """The columns of one flow of these elements; what is unknown is None."""
    shape = template(256, *((number, len(octets), *own) for (number, *own), octets in fields))
    return row(flows(read(v10(set_of(2, shape), set_of(256, *(octets for _, octets in fields))))))


def row(found: Records, place: int = 0) -> dict[str, Any]:
    return {
        name: column[place].tolist() if name not in found.known or found.known[name][place] else None
        for name, column in found.values.items()
    }


ORIGIN = {"exporter": list(EXPORTER), "datagram": 0, "received": AT_NS}


def test_version_5_has_all_that_it_knows() -> None:
    exported = SECONDS * 10**9 + 5
    assert row(flows(read(v5(record_5(), sampling=0x4000 | 100)))) == ORIGIN | {
        "protocol": 5,
        "domain": 0x0102,
        "template": 0,
        "exported": exported,
        "src": [0, MAPPED | 0x0A000001],
        "dst": [0, MAPPED | 0x0A000002],
        "next_hop": [0, MAPPED | 0x0A0000FE],
        "in_if": 1,
        "out_if": 2,
        "packets": 3,
        "bytes": 100,
        "start": exported - 2000 * 10**6,
        "end": exported - 500 * 10**6,
        "sport": 1234,
        "dport": 80,
        "tcp_flags": 0x12,
        "proto": 6,
        "tos": 4,
        "src_as": 65001,
        "dst_as": 65002,
        "src_mask": 24,
        "dst_mask": 16,
        "sampling_rate": 100,
    }


def test_a_record_of_version_9_and_one_of_ipfix_are_alike_but_for_where_they_come_from() -> None:
    nine = row(flows(read(v9(set_of(0, template(256, *PLAIN)), set_of(256, RECORD)))))
    ten = row(flows(read(v10(set_of(2, template(256, *PLAIN)), set_of(256, RECORD)))))
    assert nine == ten | {"protocol": 9}
    assert ten == ORIGIN | {
        "protocol": 10,
        "domain": 7,
        "template": 256,
        "exported": SECONDS * 10**9,
        "src": [0, MAPPED | 0x0A000001],
        "dst": [0, MAPPED | 0x0A000002],
        "bytes": 100,
        "packets": 3,
    }


@pytest.mark.parametrize(("column", "elements"), NUMBERS, ids=[column for column, _ in NUMBERS])
def test_each_number_comes_of_the_first_of_its_elements_that_is_there(column: str, elements: tuple[str, ...]) -> None:
    numbers = [number_of(name) for name in elements]
    assert flow(*((number, b"\0\0\1\2") for number in numbers[-1:]))[column] == 0x0102
    fields = [(number, bytes([0, 0, 0, place])) for place, number in enumerate(reversed(numbers), 1)]
    assert flow(*fields)[column] == len(numbers)


def number_of(name: str) -> tuple[int, ...]:
    if name.startswith("reverse"):
        return named(name[7].lower() + name[8:]).number, 29305
    if name.startswith("ixia"):
        return next(number for number in range(500) if element(3054, number).name == name), 3054
    own = {element(OWN, number).name: number for number in range(1, 20)}
    return (own[name], OWN) if name in own else (named(name).number,)


def test_texts_are_read_as_octets_and_empty_ones_are_unknown() -> None:
    fields = [(number_of(name), text) for name, text in (("processName", b"curl"), ("systemdUnit", b""))]
    found = flow(*fields, ((1,), b"\0\0\0\1"))
    assert (found["comm"], "unit" in found) == (b"curl", False)


@pytest.mark.parametrize(("column", "four", "six"), ADDRESSES, ids=[column for column, *_ in ADDRESSES])
def test_addresses_are_of_either_family(column: str, four: tuple[str, ...], six: tuple[str, ...]) -> None:
    for name in four:
        assert flow((number_of(name), FOUR))[column] == [0, MAPPED | 0x0A000009]
    for name in six:
        assert flow((number_of(name), SIX))[column] == [0x2001_0DB8 << 32, 5]


def test_a_template_of_both_families_has_zeros_in_the_one_that_the_flow_is_not_of() -> None:
    shape = template(256, (8, 4), (27, 16), (9, 1), (29, 1))
    records = (FOUR + bytes(16) + b"\x18\0", bytes(4) + SIX + b"\0\x30", bytes(20) + b"\1\2")
    found = flows(read(v10(set_of(2, shape), set_of(256, *records))))
    assert found.values["src"].tolist() == [[0, MAPPED | 0x0A000009], [0x2001_0DB8 << 32, 5], [0, MAPPED]]
    assert found.values["src_mask"].tolist() == [0x18, 0x30, 1]
    assert "src" not in found.known


def test_addresses_of_strange_lengths_are_unknown() -> None:
    assert "src" not in flow(((8,), b"\1\2\3"), ((1,), b"\1"))
    assert "src" not in flow(((27,), b"\1\2\3\4"), ((1,), b"\1"))
    assert flow(((8,), b"\1\2\3"), ((27,), SIX))["src"] == [0x2001_0DB8 << 32, 5]


@pytest.mark.parametrize(("column", "of", "four", "six"), MASKS)
def test_masks_are_of_the_family_of_their_address(column: str, of: str, four: str, six: str) -> None:
    names = {name: (v4[0], v6[0]) for name, v4, v6 in ADDRESSES}[of]
    masks = ((number_of(four), b"\x18"), (number_of(six), b"\x30"))
    assert flow(*masks, (number_of(names[0]), FOUR))[column] == 0x18
    assert flow(*masks, (number_of(names[1]), SIX))[column] == 0x30
    for name, octet in zip((four, six), (b"\x18", b"\x30"), strict=True):
        assert flow((number_of(name), octet), ((1,), b"\0\0\0\1"))[column] == octet[0]


def test_labels_of_mpls_are_20_bits() -> None:
    stack = [(number_of(name), (16000 + depth << 4 | 1).to_bytes(3)) for depth, name in enumerate(LABELS)]
    found = flow(*stack)
    assert [found[f"mpls_{depth}"] for depth in range(1, 11)] == [16000 + depth for depth in range(10)]


def test_a_number_may_have_fewer_octets_than_its_type_and_not_more_than_eight() -> None:
    assert flow(((1,), b"\1\2\3"), ((2,), b"\1" * 5))["bytes"] == 0x010203
    assert "bytes" not in flow(((1,), bytes(9)))


def test_numbers_of_64_bits_are_reinterpreted() -> None:
    assert flow(((1,), b"\xff" * 8))["bytes"] == -1


def test_firewalls_of_cisco_before_8_4_number_their_addresses_otherwise() -> None:
    shape = template(256, (40001, 4), (40003, 2), (40005, 1))
    found = row(flows(read(v9(set_of(0, shape), set_of(256, FOUR + b"\0\x50\2")))))
    assert (found["post_src"], found["post_sport"], found["firewall_event"]) == ([0, MAPPED | 0x0A000009], 80, 2)


def test_columns_that_only_some_records_have_are_unknown_in_the_others() -> None:
    found = flows(read(v9(set_of(0, template(256, *PLAIN)), set_of(256, RECORD)), v5(record_5())))
    assert found.known["sport"].tolist() == [False, True]
    assert found.values["sport"].tolist() == [0, 1234]
    assert found.values["protocol"].tolist() == [9, 5]
    assert np.array_equal(found.values["bytes"], [100, 100])
    assert UPTIME_MS > 2000
