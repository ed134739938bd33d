# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.captures import CAPTURES, needs_captures, udp_payloads
from tests.protocols.sflow.columns.agreement import APART, agree
from tests.protocols.sflow.generated import element_of, sample_of

from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode
from fleutan.protocols.sflow.layouts import (
    COUNTERS,
    COUNTERS_SAMPLE,
    COUNTERS_SAMPLE_EXPANDED,
    DISCARDED_PACKET,
    FLOW_SAMPLE,
    FLOW_SAMPLE_EXPANDED,
    FLOWS,
)
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.samples import Sample

UNKNOWN = st.builds(lambda tag, rest: Element(tag, None, (), rest), st.sampled_from([99, 9999]), st.binary(max_size=9))
IN_FLOWS = st.sampled_from([layout for layout in FLOWS if layout.tag not in APART]).flatmap(element_of) | UNKNOWN
IN_COUNTERS = st.sampled_from(COUNTERS).flatmap(element_of) | UNKNOWN


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    form = draw(
        st.sampled_from(
            [FLOW_SAMPLE, FLOW_SAMPLE_EXPANDED, DISCARDED_PACKET, COUNTERS_SAMPLE, COUNTERS_SAMPLE_EXPANDED]
        )
    )
    inner = IN_COUNTERS if form in (COUNTERS_SAMPLE, COUNTERS_SAMPLE_EXPANDED) else IN_FLOWS
    elements = draw(st.lists(inner, max_size=3, unique_by=lambda element: element.tag))
    return draw(sample_of(form, tuple(elements)))


@st.composite
def datagrams(draw: st.DrawFn) -> bytes:
    agent = draw(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16) | st.just(b""))
    numbers = draw(st.tuples(*[st.integers(0, 2**32 - 1)] * 3))
    inside = tuple(draw(st.lists(samples(), max_size=4)))
    return encode(Message(5, agent, numbers[0], numbers[1], numbers[2], len(inside), inside))


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(datagrams(), max_size=4), st.integers(0, 7))
def test_any_datagrams(payloads: list[bytes], gap: int) -> None:
    agree(payloads, gap)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(datagrams(), min_size=1, max_size=3), st.data())
def test_any_datagrams_that_were_broken(payloads: list[bytes], data: st.DataObject) -> None:
    broken = []
    for payload in payloads:
        octets = bytearray(payload)
        for at in data.draw(st.lists(st.integers(0, len(octets) - 1), max_size=3)):
            octets[at] = data.draw(st.sampled_from([0, 1, 2, 3, 5, 12, 64, 255]))
        broken.append(bytes(octets[: data.draw(st.integers(0, len(octets)))]))
    agree(broken, data.draw(st.integers(0, 5)))


@needs_captures
@pytest.mark.parametrize("name", sorted(path.name for path in CAPTURES.glob("sflow/*.pcap")))
def test_recorded_datagrams(name: str) -> None:
    payloads = udp_payloads(f"sflow/{name}")
    agree(payloads)
    agree(payloads, 3)


@needs_captures
@pytest.mark.parametrize("name", ["every-structure.pcap", "host-sflow-live.pcap"])
def test_recorded_datagrams_cut_at_every_octet(name: str) -> None:
    for payload in udp_payloads(f"sflow/{name}")[:40:3]:
        agree([payload[:end] for end in range(len(payload) + 1)])
