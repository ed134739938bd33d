# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.captures import needs_captures, udp_payloads
from tests.protocols.sflow.generated import element_of, sample_of

from fleutan.protocols.sflow.cursor import Reason
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import element, encode, encode_element, encode_sample, sample
from fleutan.protocols.sflow.layouts import (
    COUNTER_FORMS,
    COUNTERS,
    COUNTERS_SAMPLE,
    COUNTERS_SAMPLE_EXPANDED,
    FLOW_FORMS,
    FLOW_SAMPLE,
    FLOWS,
    RTFLOW,
    RTMETRIC,
    SAMPLES,
)
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.sflow.messages import Message, parse
from fleutan.protocols.sflow.samples import Sample

AGENT = bytes([10, 0, 0, 1])


def message(*samples: Sample) -> Message:
    return Message(5, AGENT, 3, 7, 1000, len(samples), samples)


@pytest.mark.parametrize("layout", [*FLOWS, *COUNTERS], ids=lambda layout: f"{layout.tag}-{layout.name}")
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_structure_comes_back(layout: Layout, data: st.DataObject) -> None:
    found = data.draw(element_of(layout))
    around = COUNTERS_SAMPLE if layout in COUNTERS else FLOW_SAMPLE
    whole = message(data.draw(sample_of(around, (found,))))
    again = parse(encode(whole))
    back = again.samples[0].elements[0]
    if len((COUNTER_FORMS if layout in COUNTERS else FLOW_FORMS)[layout.tag]) == 1:
        assert again == whole
    else:
        # Two forms of changing length can have the same octets.
        assert encode_element(back) == encode_element(found)
        assert again.problems == ()


@pytest.mark.parametrize("layout", SAMPLES, ids=lambda layout: layout.name)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_sample_comes_back(layout: Layout, data: st.DataObject) -> None:
    kind = COUNTERS if layout in (COUNTERS_SAMPLE, COUNTERS_SAMPLE_EXPANDED) else FLOWS
    inner = () if layout in (RTMETRIC, RTFLOW) else (data.draw(element_of(kind[1])), Element(99, None, (), b"abcd"))
    whole = message(data.draw(sample_of(layout, inner)), Sample(9 << 12, None, (), rest=b"octets.."))
    assert parse(encode(whole)) == whole


def test_values_are_put_in_order_by_name() -> None:
    switch = FLOW_FORMS[1001][0]
    inner = element(switch, {"dst_priority": 4, "src_vlan": 1, "src_priority": 2, "dst_vlan": 3})
    assert inner == Element(1001, switch, (1, 2, 3, 4))
    names = FLOW_SAMPLE.names[:-1]
    assert sample(FLOW_SAMPLE, dict(zip(names, range(7), strict=True)), [inner]) == Sample(
        1, FLOW_SAMPLE, tuple(range(7)), (inner,), 1
    )
    with pytest.raises(KeyError, match="src_priority"):
        element(switch, {"src_vlan": 1})


def test_octets_that_are_sent() -> None:
    inner = Element(1005, COUNTER_FORMS[1005][0], (b"eth0!",))
    assert encode_element(inner) == bytes.fromhex("000003ed 0000000c 00000005 6574683021 000000")
    assert encode_sample(Sample(2, COUNTERS_SAMPLE, (1, 2), (inner,))) == bytes.fromhex(
        "00000002 00000020 00000001 00000002 00000001"
    ) + encode_element(inner)
    assert encode(message()) == bytes.fromhex("00000005 00000001 0a000001 00000003 00000007 000003e8 00000000")


@pytest.mark.parametrize(
    ("tag", "values", "complaint"),
    [
        (1029, (2**32,), "extended_vni_egress"),
        (1029, ("seven",), "extended_vni_egress"),
        (1029, (), "extended_vni_egress"),
        (1002, (b"abc", 1, 2), "extended_router: an address has 4 or 16 octets, not 3"),
        (1007, (AGENT,), "extended_nat"),
        (1038, ("text",), "extended_function"),
    ],
)
def test_values_that_cannot_be_sent_are_refused(tag: int, values: tuple[object, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        encode_element(Element(tag, FLOW_FORMS[tag][0], values))


def test_samples_and_datagrams_that_cannot_be_sent_are_refused() -> None:
    with pytest.raises(ValueError, match="rtmetric: there is no value type 7"):
        encode_sample(Sample(RTMETRIC.tag, RTMETRIC, (b"", ((b"a", (7, 1)),))))
    with pytest.raises(ValueError, match="version 5"):
        encode(message()._replace(version=4))
    with pytest.raises(ValueError, match="version 5"):
        encode(message()._replace(agent=None))
    with pytest.raises(ValueError, match="datagram"):
        encode(message()._replace(uptime=-1))


@needs_captures
@pytest.mark.parametrize(
    "name",
    [
        "every-structure.pcap",
        "host-sflow-live.pcap",
        "tcpdump_sflow-print-v6.pcap",
        "tcpdump_sflow_expanded.pcap",
        "tcpdump_sflow_multiple_counter_30_pdus.pcap",
        "goflow2_TestExpandedSFlowDecode_0.pcap",
        "telegraf_sflow_issue_15918.pcap",
    ],
)
def test_recorded_datagrams_are_written_as_they_were_sent(name: str) -> None:
    """Octet for octet, but that agents leave what they like in padding, and we zeros."""
    compared = 0
    for payload in udp_payloads(f"sflow/{name}"):
        found = parse(payload)
        if any(problem.reason is Reason.VERSION for problem in found.problems):
            continue
        again = encode(found)
        assert len(again) == len(payload)
        assert all(ours in (theirs, 0) for ours, theirs in zip(again, payload, strict=True))
        assert parse(again) == found
        compared += 1
    assert compared
