# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np

from fleutan.protocols.spans import joined
from fleutan.records import Records, fill
from fleutan.sources.sampled import columns_of, with_headers

UDP = struct.pack("!HHHH", 53, 99, 8, 0)
IPV4 = bytes.fromhex("4500001c00000000401100000a0000010a000002")


def test_columns_come_under_the_name_beside_theirs() -> None:
    known = np.array([True])
    found = Records(1, {"a": np.array([1]), "b": np.array([2])}, {"b": known})
    assert list(columns_of(found, {"a": "", "b": "c", "d": ""})) == [
        ("a", found.values["a"], None),
        ("c", found.values["b"], known),
    ]


def test_headers_fill_only_what_their_rows_do_not_know() -> None:
    records = Records(3, {}, {})
    fill(records, "dport", np.array([1, 0, 0]), np.array([True, False, False]))
    with_headers(records, np.array([0, 2]), joined([IPV4 + UDP, IPV4 + UDP]), np.array([11, 11]))
    assert records.values["dport"].tolist() == [1, 0, 99]
    assert records.known["dport"].tolist() == [True, False, True]
    assert records.values["sport"].tolist() == [53, 0, 53]
    assert "vlan" not in records.values


def test_where_every_row_has_a_header_nothing_is_unknown() -> None:
    records = Records(2, {}, {})
    with_headers(records, np.array([0, 1]), joined([IPV4 + UDP, IPV4 + UDP]), np.array([11, 11]))
    assert records.values["ttl"].tolist() == [64, 64]
    assert "ttl" not in records.known
