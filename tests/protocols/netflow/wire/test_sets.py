# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.netflow.capturing import datagrams
from tests.protocols.netflow.making import record_5, set_of, v5, v9, v10

from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.headers import read_headers
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.netflow.wire.sets import SETS, alike, chained, numbered, walk

Row = tuple[int, int, bytes]


def sets_in(*strings: bytes) -> tuple[list[Row], dict[str, int]]:
    noted = Rejects()
    these = datagrams(*strings)
    found = walk(these.spans.octets, *read_headers(these, noted), noted)
    octets = these.spans.octets
    rows = zip(*(column.tolist() for column in found), strict=True)
    return [(head, kind, bytes(octets[at : at + size])) for head, kind, at, size in rows], dict(noted.counts)


SET = st.tuples(st.sampled_from([0, 1, 256, 300, 65535]), st.binary(max_size=12))


@given(st.lists(st.lists(SET, max_size=5), max_size=5))
def test_sets_come_in_order_whatever_stands_beside(strings: list[list[tuple[int, bytes]]]) -> None:
    found, reasons = sets_in(*(v9(*(set_of(*one) for one in sets)) for sets in strings))
    assert found == [(head, *one) for head, sets in enumerate(strings) for one in sets]
    assert reasons == {}


def test_in_the_chain_are_those_of_reserved_numbers_too() -> None:
    noted = Rejects()
    these = datagrams(v10(set_of(77, b"abcd"), set_of(256, b"ef")))
    heads, bodies = read_headers(these, noted)
    found = chained(these.spans.octets, heads, bodies, noted)
    assert (found.number.tolist(), found.size.tolist(), dict(noted.counts)) == ([77, 256], [4, 2], {})
    assert numbered(found, heads, noted).number.tolist() == [256]
    assert dict(noted.counts) == {rejects.SET_NUMBER: 1}


def test_all_records_of_a_version_without_sets_are_one() -> None:
    found, _ = sets_in(v9(set_of(256, b"abcd")), v5(record_5(), record_5()), v10(set_of(2, b"")))
    assert found == [(0, 256, b"abcd"), (1, 0, record_5() * 2), (2, 2, b"")]


def test_zeros_at_the_end_are_padding() -> None:
    found, reasons = sets_in(v9(set_of(256, b"abcd")) + bytes(50))
    assert (found, reasons) == ([(0, 256, b"abcd")], {})


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"\x01\x00\x00\x03abcd", rejects.SET_LENGTH),
        (b"\x01\x00\x00\x20abcd", rejects.SET_BEYOND),
        (b"\x00\x00\x00\x01abcd", rejects.SET_LENGTH),
    ],
)
def test_where_a_length_makes_no_sense_the_rest_is_left(octets: bytes, reason: str) -> None:
    found, reasons = sets_in(v9(set_of(256, b"good"), octets, set_of(257, b"lost")), v9(set_of(258, b"good")))
    assert found == [(0, 256, b"good"), (1, 258, b"good")]
    assert reasons == {reason: 1}


@pytest.mark.parametrize(("datagram", "number"), [(v9, 2), (v9, 255), (v10, 0), (v10, 1), (v10, 4)])
def test_reserved_numbers_are_passed_over(datagram: object, number: int) -> None:
    assert callable(datagram)
    found, reasons = sets_in(datagram(set_of(number, b"what"), set_of(256, b"good")))
    assert found == [(0, 256, b"good")]
    assert reasons == {rejects.SET_NUMBER: 1}


def test_a_message_that_ends_amid_its_last_set_knows_its_length_badly() -> None:
    whole = v10(set_of(256, b"abcdefgh"))
    found, reasons = sets_in(whole[:2] + (len(whole) - 2).to_bytes(2) + whole[4:])
    assert found == [(0, 256, b"abcdefgh")]
    assert reasons == {rejects.TRAILING: 1}


def test_of_one_datagram_so_many_sets_are_read() -> None:
    found, reasons = sets_in(v9(*[set_of(256, b"")] * (SETS + 1)), v9(*[set_of(256, b"")] * SETS))
    assert len(found) == 2 * SETS
    assert reasons == {rejects.SETS: 1}


def test_what_was_not_captured_of_the_last_set_is_not_there() -> None:
    whole = v9(set_of(256, b"abcdefgh"))
    these = datagrams(whole[:-3])._replace(sizes=np.array([len(whole)]))
    noted = Rejects()
    found = walk(these.spans.octets, *read_headers(these, noted), noted)
    assert found.size.tolist() == [5]
    assert dict(noted.counts) == {rejects.CUT: 1}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3))))
def test_pairs_that_are_alike_come_together_in_order(pairs: list[tuple[int, int]]) -> None:
    ones, others = (np.array([pair[place] for pair in pairs], np.int64) for place in (0, 1))
    found = {(one, other): rows.tolist() for rows, one, other in alike(ones, others)}
    assert found == {pair: [at for at, one in enumerate(pairs) if one == pair] for pair in set(pairs)}
