# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocols.netflow.capturing import AT_NS
from tests.protocols.netflow.making import (
    PLAIN,
    RECORD,
    options_9,
    read,
    reasons,
    record_5,
    set_of,
    template,
    v5,
    v9,
    v10,
)

from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.exporters import waiting
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.flows import flows
from fleutan.protocols.netflow.messages import messages
from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.spans import joined

SHAPE = set_of(2, template(256, *PLAIN))
OTHER = set_of(2, template(257, (1, 4), (2, 4)))
DATA = set_of(256, RECORD)


def numbered(octets: int) -> bytes:
    return RECORD[:8] + octets.to_bytes(4) + RECORD[12:]


def counted(octets: int) -> bytes:
    return octets.to_bytes(4) + bytes(4)


def test_an_empty_batch_says_nothing() -> None:
    nothing = np.zeros(0, np.int64)
    ends = np.zeros((0, 2), np.int64)
    state = State()
    batch = decode(Datagrams(joined([]), nothing, ends, nothing, ends, nothing, nothing), state)
    assert (batch.groups, batch.datagrams, flows(batch).rows, messages(batch, state)) == ([], 0, 0, [])


@given(st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=4), max_size=6))
def test_records_of_several_templates_come_in_order_of_arrival(strings: list[list[tuple[bool, int]]]) -> None:
    octets, made = 0, [v10(SHAPE, OTHER)]
    for sets in strings:
        parts = []
        for plain, count in sets:
            records = range(octets, octets + count)
            octets += count
            parts.append(set_of(256, *map(numbered, records)) if plain else set_of(257, *map(counted, records)))
        made += [v10(*parts), v5(record_5(octets=octets))]
        octets += 1
    state = State()
    batch = read(*made, state=state)
    found = flows(batch)
    assert found.values.get("bytes", np.zeros(0)).tolist() == list(range(octets))
    assert [message.fields["octetDeltaCount"] for message in messages(batch, state)] == list(range(octets))
    if octets:
        assert (np.diff(found.values["datagram"]) >= 0).all()


def test_sets_before_the_first_template_of_a_batch_are_read_by_it() -> None:
    batch = read(v10(DATA), v10(DATA, SHAPE, DATA))
    assert flows(batch).values["datagram"].tolist() == [0, 1, 1]
    assert not batch.unread.any()


def test_what_waited_since_an_earlier_batch_comes_first_with_its_own_header() -> None:
    state = State()
    first = read(v10(set_of(256, numbered(1)), domain=7), v10(set_of(256, numbered(2)), domain=8), state=state, at_ns=5)
    assert (flows(first).rows, first.unread.tolist(), reasons(first)) == (0, [True, True], {})
    second = read(v10(OTHER, set_of(257, counted(3))), v10(SHAPE, set_of(256, numbered(4))), state=state, at_ns=9)
    found = flows(second)
    assert found.values["bytes"].tolist() == [1, 3, 4]
    assert found.values["received"].tolist() == [5, 9, 9]
    assert found.known["datagram"].tolist() == [False, True, True]
    assert found.values["datagram"].tolist() == [0, 0, 1]
    assert [message.datagram for message in messages(second, state)] == [None, 0, 1]
    assert len(state.waiting) == 1
    third = read(v10(SHAPE, domain=8), state=state, at_ns=10)
    assert flows(third).values["bytes"].tolist() == [2]
    assert not len(state.waiting)


def test_what_waited_in_vain_is_counted() -> None:
    state = State()
    read(v10(DATA), state=state, at_ns=AT_NS)
    late = read(v10(SHAPE), state=state, at_ns=AT_NS + waiting.NS + 1)
    assert (flows(late).rows, reasons(late)) == (0, {rejects.WAITED: 1})


def test_what_there_is_no_room_for_is_counted() -> None:
    state = State()
    batch = read(*[v10(set_of(256, bytes(60_000)))] * 20, state=state)
    kept = len(state.waiting)
    assert 0 < kept < 20
    assert reasons(batch) == {rejects.NO_TEMPLATE: 20 - kept}
    assert batch.unread.all()


def test_options_are_apart_from_flows() -> None:
    told = set_of(1, options_9(300, ((1, 4),), (34, 4)))
    batch = read(v9(told, set_of(300, bytes(16)), set_of(0, template(256, *PLAIN)), set_of(256, RECORD)))
    assert [group.rows for group in batch.of(options=True)] == [2]
    assert [group.rows for group in batch.of(options=False)] == [1]
    assert batch.ranks(batch.of(options=True)[0]).tolist() == [0, 1]
    assert batch.ranks(batch.of(options=False)[0]).tolist() == [0]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_batches_of_any_size_say_the_same(size: int) -> None:
    strings = [v10(SHAPE), v10(DATA, OTHER), v10(set_of(257, counted(5)), DATA), v5(record_5()), v10(DATA)]
    state = State()
    found = []
    for at in range(0, len(strings), size):
        found += flows(read(*strings[at : at + size], state=state)).values.get("bytes", np.zeros(0)).tolist()
    assert found == [100, 5, 100, 100, 100]


@settings(max_examples=50)
@given(
    st.lists(st.binary(max_size=200), max_size=5), st.sampled_from([b"\0\1", b"\0\5", b"\0\7", b"\0\x09", b"\0\x0a"])
)
def test_any_octets_are_read_to_an_end(strings: list[bytes], version: bytes) -> None:
    state = State()
    batch = read(*(version + string for string in strings), state=state)
    messages(batch, state)
    assert flows(batch).rows >= 0
