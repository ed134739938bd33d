# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.netflow.capturing import datagrams
from tests.protocols.netflow.flowing import MAPPED, MOMENT, NOW_NS, VALUES, flow_columns, rows_of
from tests.protocols.netflow.making import read, reasons

from fleutan.protocols.netflow.accounts import accounts
from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.encoding import SHAPES, Encoded, Sender, encode
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.flows import flows
from fleutan.records import Records

#: What needs an address beside it to have a family, or has no element in version 9.
FAMILIES = {"src_mask": "src", "dst_mask": "dst", "icmp": "src"}
NOT_IN_9 = {"reverse_tcp_flags"}


def written(sender: Sender, columns: Records, **asked: Any) -> tuple[Encoded, Records]:
    encoded = encode(sender, columns, MOMENT, **asked)
    batch = decode(datagrams(*encoded.datagrams), State())
    assert reasons(batch) == {}
    return encoded, flows(batch)


def as_sorted(rows: list[dict[str, Any]]) -> list[list[tuple[str, Any]]]:
    return sorted(sorted(row.items()) for row in rows)


@given(flow_columns(), st.sampled_from([9, 10]))
def test_flows_come_back_with_what_was_known_of_them(columns: Records, version: int) -> None:
    encoded, found = written(Sender(version, 7), columns)
    assert (encoded.saturated, found.rows + encoded.unsent) == ({}, columns.rows)
    names = set(VALUES)
    expected = [row for row in rows_of(columns, names) if row]
    assert as_sorted(rows_of(found, names)) == as_sorted(expected)
    assert found.rows == 0 or set(found.values["domain"].tolist()) == {7}


@given(flow_columns(names=("src", "dst", "bytes", "start"), most=40), st.integers(100, 400), st.sampled_from([9, 10]))
def test_datagrams_are_no_longer_than_asked_and_numbered_without_a_gap(
    columns: Records, mtu: int, version: int
) -> None:
    sender = Sender(version, 1, sequence=2**32 - 3)
    encoded, found = written(sender, columns, mtu=mtu)
    assert all(len(one) <= mtu for one in encoded.datagrams)
    assert found.rows + encoded.unsent == columns.rows
    if version == 9:
        assert all(len(one) % 4 == 0 for one in encoded.datagrams)
    told = accounts(read(*encoded.datagrams))
    sequences = [*told.values["sequence"].tolist(), sender.sequence] if encoded.datagrams else []
    ahead = [(later - sooner) % 2**32 for sooner, later in pairwise(sequences)]
    assert ahead == told.values["advance"].tolist()[: len(ahead)]


def some(rows: int = 3, **columns: Any) -> Records:
    values: dict[str, Any] = {"src": np.full((rows, 2), (0, MAPPED | 1)), "bytes": [1] * rows} | columns
    return Records(rows, {name: np.array(value, np.int64) for name, value in values.items()}, {})


OWNED = st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=40).filter(lambda text: not text.endswith(b"\0")))


@given(st.lists(OWNED, min_size=1, max_size=40), st.integers(100, 400))
def test_owners_of_sockets_come_back_in_datagrams_no_longer_than_asked(rows: list[tuple[int, bytes]], mtu: int) -> None:
    numbers, texts = (np.array(column) for column in zip(*rows, strict=True))
    owned = Records(len(rows), {"pid": numbers.astype(np.int64), "comm": texts}, {})
    encoded, found = written(Sender(10, 7), owned, mtu=mtu)
    assert all(len(one) <= mtu for one in encoded.datagrams)
    known = found.known.get("comm", np.array(["comm" in found.values] * found.rows))
    comm = found.values.get("comm", np.zeros(found.rows, "S1"))
    assert (found.values["pid"].tolist(), comm.tolist()) == (numbers.tolist(), texts.tolist())
    assert known.tolist() == [text != b"" for text in texts.tolist()]


@pytest.mark.parametrize("version", [9, 10])
def test_templates_go_out_once_and_when_they_are_due(version: int) -> None:
    sender, state = Sender(version, 7), State()
    first = encode(sender, some(), MOMENT).datagrams
    assert len(first) == 2
    assert flows(decode(datagrams(*first), state)).rows == 3
    second = encode(sender, some(), MOMENT).datagrams
    assert len(second) == 1
    assert flows(decode(datagrams(*second), state)).rows == 3
    third = encode(sender, some(), MOMENT, refresh=True).datagrams
    assert flows(decode(datagrams(*third), State())).rows == 3
    # All templates are due, also those of flows that are not there now.
    six = some(src=[[1, 1]] * 3)
    encode(sender, six, MOMENT)
    due = decode(datagrams(*encode(sender, some(), MOMENT, refresh=True).datagrams), State())
    assert due.templates.sum() == 2
    assert list(sender.shapes.values()) == [256, 257]


@pytest.mark.parametrize("version", [9, 10])
def test_many_templates_go_into_several_datagrams(version: int) -> None:
    sender = Sender(version, 7)
    names = ("proto", "sport", "dport", "in_if", "out_if", "tos", "vlan")
    for mark in range(1, 128):
        columns = {name: [1] for place, name in enumerate(names) if mark >> place & 1}
        encode(sender, some(1, **columns), MOMENT)
    encoded = encode(sender, some(0), MOMENT, mtu=500, refresh=True)
    assert max(map(len, encoded.datagrams)) <= 500
    assert decode(datagrams(*encoded.datagrams), State()).templates.sum() == 127


def test_rows_of_more_shapes_than_there_may_be_are_counted() -> None:
    sender = Sender(10, 7)
    sender.shapes = {(): 256} | {(one,): 257 for one in range(SHAPES)}  # type: ignore[misc]
    encoded = encode(sender, some(), MOMENT)
    assert (encoded.datagrams, encoded.unsent) == ([], 3)


def test_rows_of_which_nothing_is_known_are_counted() -> None:
    nothing = Records(2, {"bytes": np.array([1, 2])}, {"bytes": np.array([True, False])})
    encoded, found = written(Sender(10, 7), nothing)
    assert (encoded.unsent, found.rows) == (1, 1)
    assert encode(Sender(10, 7), Records(2, {}, {}), MOMENT).datagrams == []


def test_what_is_larger_than_its_field_is_the_largest_that_fits_and_counted() -> None:
    encoded, found = written(Sender(10, 7), some(sport=[70_000, 5, -1], in_if=[2**32, 1, 2], tos=[256, 1, 2]))
    assert encoded.saturated == {"sport": 2, "in_if": 1, "tos": 1}
    assert found.values["sport"].tolist() == [65535, 5, 65535]
    assert found.values["in_if"].tolist() == [2**32 - 1, 1, 2]


def test_columns_that_have_no_element_are_left_out() -> None:
    _, found = written(Sender(9, 7), some(reverse_tcp_flags=[1, 2, 3], exporter=[[0, 1]] * 3))
    assert "reverse_tcp_flags" not in found.values
    _, found = written(Sender(10, 7), some(reverse_tcp_flags=[1, 2, 3]))
    assert found.values["reverse_tcp_flags"].tolist() == [1, 2, 3]


def test_times_are_whole_milliseconds_by_the_second_of_the_header_in_version_9() -> None:
    ends = [NOW_NS - 1_500_000_000, NOW_NS + 2_500_000_000, NOW_NS]
    late = MOMENT._replace(now_ns=NOW_NS + 700_000_000)
    encoded = encode(Sender(9, 7), some(end=ends), late)
    assert flows(decode(datagrams(*encoded.datagrams), State())).values["end"].tolist() == ends


def test_a_record_that_is_longer_than_a_datagram_goes_alone() -> None:
    encoded, found = written(Sender(10, 7), some(), mtu=30)
    assert (len(encoded.datagrams), found.rows) == (4, 3)
