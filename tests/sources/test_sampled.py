# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from tests.exporting import halves
from tests.exports.sflowtool.received import PACKET

from fleutan.protocols.packet.names import layer_of
from fleutan.protocols.spans import joined
from fleutan.records import Records
from fleutan.sources.exported import FIELDS
from fleutan.sources.sampled import HEADERS, columns_of, with_headers

ETHERNET, IPV4 = 1, 11
IPV6_UDP = (
    bytes.fromhex("60000000 0009 11 40") + bytes(15) + b"\1" + bytes(15) + b"\2" + bytes.fromhex("0035d431000900 00 aa")
)


def numbers(*those: int) -> np.ndarray:
    return np.array(those, np.int64)


def test_names_are_those_of_packets_and_of_the_catalogue() -> None:
    for name, ours in HEADERS.items():
        layer_of(name)
        assert (ours or name) in (*FIELDS, "ip_bytes")
    with pytest.raises(KeyError):
        layer_of("no such name")


def test_headers_of_all_rows_become_columns() -> None:
    records = Records(2, {}, {})
    with_headers(records, numbers(0, 1), joined([PACKET, IPV6_UDP]), numbers(ETHERNET, 12))
    values = records.values
    assert values["src"].tolist() == halves("10.0.0.1", "::1").tolist()
    assert values["proto"].tolist() == [6, 17]
    assert values["sport"].tolist() == [1234, 53]
    assert values["dport"].tolist() == [443, 54321]
    assert values["ip_bytes"].tolist() == [40, 49]
    assert "src" not in records.known
    assert records.known["src_mac"].tolist() == [True, False]
    assert records.known["tcp_flags"].tolist() == [True, False]
    assert values["tcp_flags"][0] == 0x12
    assert values["src_mac"][0] == 0x020000000002


def test_headers_of_some_rows_say_nothing_of_the_others() -> None:
    records = Records(3, {}, {})
    with_headers(records, numbers(2), joined([PACKET[14:]]), numbers(IPV4))
    assert records.values["dport"].tolist() == [0, 0, 443]
    assert records.known["dport"].tolist() == [False, False, True]
    assert records.known["src"].tolist() == [False, False, True]


def test_what_a_record_knows_is_not_asked_of_its_header() -> None:
    records = Records(2, {"sport": numbers(9, 0), "vlan": numbers(5, 5)}, {"sport": np.array([True, False])})
    with_headers(records, numbers(0, 1), joined([PACKET, PACKET]), numbers(ETHERNET, ETHERNET))
    assert records.values["sport"].tolist() == [9, 1234]
    assert records.values["vlan"].tolist() == [5, 5]
    assert "sport" not in records.known


def test_headers_that_are_not_read_say_nothing() -> None:
    records = Records(1, {}, {})
    with_headers(records, numbers(0), joined([PACKET]), numbers(999))
    assert records.values == {}
    with_headers(Records(0, {}, {}), numbers(), joined([]), numbers())


def test_columns_are_given_under_the_other_name() -> None:
    found = Records(1, {"a": numbers(1), "b": numbers(2)}, {"b": np.array([False])})
    assert [(name, values[0], known) for name, values, known in columns_of(found, {"b": "", "c": "d", "a": "z"})] == [
        ("b", 2, found.known["b"]),
        ("z", 1, None),
    ]
