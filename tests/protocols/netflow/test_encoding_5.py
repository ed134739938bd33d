# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.netflow.flowing import MAPPED, MOMENT, NOW_NS
from tests.protocols.netflow.making import read, reasons

from fleutan.protocols.netflow.accounts import accounts
from fleutan.protocols.netflow.encoding_5 import RECORDS, encode_5
from fleutan.protocols.netflow.flows import flows
from fleutan.records import Records

BITS = {
    **dict.fromkeys(("in_if", "out_if", "sport", "dport", "src_as", "dst_as"), 16),
    **dict.fromkeys(("packets", "bytes"), 32),
    **dict.fromkeys(("tcp_flags", "proto", "tos", "src_mask", "dst_mask"), 8),
}


def some(rows: int = 2, known: dict[str, Any] | None = None, **columns: Any) -> Records:
    values = {"src": [[0, MAPPED | 1]] * rows, "dst": [[0, MAPPED | 2]] * rows} | columns
    masks = {name: np.array(mask, np.bool_) for name, mask in (known or {}).items()}
    return Records(rows, {name: np.array(value, np.int64) for name, value in values.items()}, masks)


@given(st.integers(0, 70), st.data())
def test_flows_of_ipv4_come_back(rows: int, data: st.DataObject) -> None:
    columns: dict[str, Any] = {
        name: data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=rows, max_size=rows))
        for name, bits in BITS.items()
    }
    for name in ("start", "end"):
        ago = data.draw(st.lists(st.integers(0, 2**31 - 1), min_size=rows, max_size=rows))
        columns[name] = [NOW_NS - one * 10**6 for one in ago]
    columns["next_hop"] = [[0, MAPPED | row] for row in range(rows)]
    for name in ("src", "dst", "next_hop"):
        columns[name] = np.array(columns.get(name, [[0, MAPPED | row] for row in range(rows)])).reshape(rows, 2)
    encoded, sequence = encode_5(some(rows, **columns), MOMENT, 5, engine=0x0203, interval=100)
    assert (encoded.saturated, encoded.unsent, sequence) == ({}, 0, 5 + rows)
    assert all(len(one) <= 24 + 48 * RECORDS for one in encoded.datagrams)
    batch = read(*encoded.datagrams)
    assert reasons(batch) == {}
    found = flows(batch)
    for name in columns if rows else ():
        assert found.values[name].tolist() == np.array(columns[name]).tolist(), name
    if rows:
        assert set(found.values["sampling_rate"].tolist()) == {100}
        assert set(found.values["domain"].tolist()) == {0x0203}


def test_what_is_larger_than_its_field_is_the_largest_that_fits_and_counted() -> None:
    wide = some(packets=[2**32, 7], bytes=[2**40, 2**32 - 1], in_if=[65536, 1], src_as=[4_200_000_000, 65001])
    encoded, _ = encode_5(wide, MOMENT, 0)
    assert encoded.saturated == {"packets": 1, "bytes": 1, "in_if": 1, "src_as": 1}
    found = flows(read(*encoded.datagrams)).values
    assert found["packets"].tolist() == [2**32 - 1, 7]
    assert found["bytes"].tolist() == [2**32 - 1, 2**32 - 1]
    assert found["in_if"].tolist() == [65535, 1]
    assert found["src_as"].tolist() == [23456, 65001]


def test_flows_that_are_not_of_ipv4_are_not_sent_but_counted() -> None:
    six = [[0x2001_0DB8 << 32, 1], [0, MAPPED | 1]]
    encoded, sequence = encode_5(some(src=six, bytes=[1, 2]), MOMENT, 0)
    assert (encoded.unsent, sequence) == (1, 1)
    assert flows(read(*encoded.datagrams)).values["bytes"].tolist() == [2]
    assert encode_5(some(known={"dst": [False, False]}), MOMENT, 0)[0].unsent == 2
    assert encode_5(Records(2, {}, {}), MOMENT, 0)[0].unsent == 2


def test_what_is_unknown_is_0_for_the_format_has_no_other_way() -> None:
    unknown = {"bytes": [True, False], "start": [False, True], "next_hop": [True, False]}
    columns = some(2, unknown, bytes=[5, 6], start=[1, NOW_NS], next_hop=[[0, MAPPED | 9]] * 2)
    found = flows(read(*encode_5(columns, MOMENT, 0)[0].datagrams)).values
    assert found["bytes"].tolist() == [5, 0]
    assert found["next_hop"].tolist() == [[0, MAPPED | 9], [0, MAPPED]]


def test_datagrams_are_numbered_by_flows_without_a_gap() -> None:
    encoded, sequence = encode_5(some(61), MOMENT, 2**32 - 10)
    told = accounts(read(*encoded.datagrams)).values
    assert told["sequence"].tolist() == [2**32 - 10, 20, 50]
    assert told["advance"].tolist() == [30, 30, 1]
    assert sequence == 51
