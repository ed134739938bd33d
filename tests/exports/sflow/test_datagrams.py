# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.exports.sflow.counters import sample
from fleutan.exports.sflow.datagrams import Datagrams, Samples
from fleutan.observed import Counters, Source
from fleutan.protocols.sflow.messages import Message, parse


def named(name: str) -> bytes:
    return sample(Counters(Source(0, 1), {"port_name": {"name": name}}), 1)


def read(datagrams: list[bytes]) -> list[Message]:
    found = [parse(one) for one in datagrams]
    assert all(one.problems == () for one in found)
    return found


@pytest.mark.parametrize("agent", [bytes([192, 0, 2, 1]), bytes(range(16))])
def test_what_waits_goes_when_it_is_flushed(agent: bytes) -> None:
    made = Datagrams(agent, 100_000, 1400)
    assert made.add([named("a"), named("b")], 5) == []
    assert made.waiting == 2
    (one,) = read(made.flush((1 << 32) + 9))
    assert (one.agent, one.sub_agent_id, one.sequence_number, one.uptime) == (agent, 100_000, 1, 9)
    assert one.sample_count == len(one.samples) == 2
    assert made.flush(10) == []
    assert (made.sent, made.samples, made.waiting) == (1, 2, 0)


@given(st.lists(st.integers(1, 250), max_size=30), st.integers(200, 1400))
def test_datagrams_have_room_for_what_is_in_them(sizes: list[int], octets: int) -> None:
    made = Datagrams(bytes(4), 0, octets)
    datagrams = made.add([named("x" * size) for size in sizes], 0) + made.flush(0)
    found = read(datagrams)
    assert sum(len(one.samples) for one in found) == len(sizes)
    assert [one.sequence_number for one in found] == [*range(1, len(found) + 1)]
    assert all(len(one) <= octets or parse(one).sample_count == 1 for one in datagrams)


@given(st.lists(st.lists(st.integers(1, 250), max_size=9), max_size=5), st.integers(200, 1400))
def test_it_is_the_same_whether_samples_come_together_or_one_by_one(batches: list[list[int]], octets: int) -> None:
    together, apart = Datagrams(bytes(4), 0, octets), Datagrams(bytes(4), 0, octets)
    for sizes in batches:
        each = [named("x" * size) for size in sizes]
        many = Samples(b"".join(each), [*accumulate(map(len, each))])
        assert many.each() == each
        assert together.add_many(many, 0) == apart.add(each, 0)
        assert together.waiting == apart.waiting
    assert together.flush(0) == apart.flush(0)
