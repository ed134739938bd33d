# SPDX-License-Identifier: Apache-2.0
"""Datagrams of version 5, read again as messages: what stays, what is replaced, and that no name is left."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.captures import needs_captures, udp_payloads
from tests.protocols.anonymous.keyed import image, mac_image, made
from tests.protocols.sflow.generated import element_of

from fleutan.protocols.anonymous import Remembered
from fleutan.protocols.anonymous.structures import KEPT_TEXT
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import element, encode, sample
from fleutan.protocols.sflow.layouts import COUNTERS as COUNTER_LAYOUTS
from fleutan.protocols.sflow.layouts import (
    COUNTERS_SAMPLE,
    COUNTERS_SAMPLE_EXPANDED,
    DISCARDED_PACKET,
    FLOW_SAMPLE,
    FLOW_SAMPLE_EXPANDED,
    RTMETRIC,
    xdr,
)
from fleutan.protocols.sflow.layouts import FLOWS as FLOW_LAYOUTS
from fleutan.protocols.sflow.messages import Message, parse
from fleutan.protocols.sflow.samples import Sample

AGENT, SIX = bytes.fromhex("c6336407"), bytes.fromhex("20010db8000000000000000000000009")
FLOW_KINDS = (FLOW_SAMPLE, FLOW_SAMPLE_EXPANDED, DISCARDED_PACKET)
COUNTER_KINDS = (COUNTERS_SAMPLE, COUNTERS_SAMPLE_EXPANDED)


def sampled(layout: xdr.Layout, *elements: Element) -> Sample:
    numbers = {field.name: place for place, field in enumerate(layout.fields)}
    return sample(layout, numbers, elements)


def datagram(*samples: Sample, agent: bytes = AGENT) -> bytes:
    return encode(Message(5, agent, 3, 4, 5, len(samples), samples))


def read(*samples: Sample, agent: bytes = AGENT, remembered: Remembered | None = None) -> Message:
    return parse(made(datagram(*samples, agent=agent), remembered=remembered)[0])


def expected(kind: xdr.Type, name: str, value: Any) -> Any:  # noqa: PLR0911
    """What becomes of a value, said another way than by places."""
    match kind:
        case xdr.Fixed("mac"):
            return mac_image(value)
        case xdr.Fixed("ipv4" | "ipv6" | "gid" | "uuid"):
            return image(value)
        case xdr.Fixed("u64") if name == "datapath_id":
            return value >> 48 << 48 | int.from_bytes(mac_image((value & (1 << 48) - 1).to_bytes(6)))
        case xdr.Address() if value:
            return image(value)
        case xdr.Octets(text=True):
            return value if name in KEPT_TEXT else bytes(120 if octet else 0 for octet in value)
        case xdr.Octets():
            return bytes(len(value))
        case xdr.Array(item) if isinstance(item, tuple):
            return tuple(
                tuple(expected(field.type, field.name, one) for field, one in zip(item, row, strict=True))
                for row in value
            )
        case xdr.Array(item) if not isinstance(item, tuple):
            return tuple(expected(item, name, one) for one in value)
    return value


@pytest.mark.parametrize("agent", [AGENT, SIX])
def test_the_head_stays_but_for_the_agent(agent: bytes) -> None:
    found = read(agent=agent)
    assert found[:6] == (5, image(agent), 3, 4, 5, 0)
    assert not found.problems


def test_an_unknown_agent_stays_unknown() -> None:
    message = read(agent=b"")
    assert message.agent in (None, b"")


@pytest.mark.parametrize("layout", [*FLOW_KINDS, *COUNTER_KINDS])
def test_the_fields_of_samples_stay(layout: xdr.Layout) -> None:
    (found,) = read(sampled(layout)).samples
    assert found.values == sampled(layout).values
    assert found.whole


# Of structures in structures only the count is left, none; packets are for the tests of packets, and of
# two forms the first one is read.
PLAIN = [
    one
    for one in FLOW_LAYOUTS
    if one.name not in ("sampled_header", "extended_80211_aggregation") and one.names[-1] != "header"
]


@given(st.data(), st.sampled_from(FLOW_KINDS), st.sampled_from(PLAIN))
def test_the_structures_of_packets(data: st.DataObject, kind: xdr.Layout, layout: xdr.Layout) -> None:
    check(kind, data.draw(element_of(layout)))


@given(st.data(), st.sampled_from(COUNTER_KINDS), st.sampled_from(COUNTER_LAYOUTS))
def test_the_structures_of_counters(data: st.DataObject, kind: xdr.Layout, layout: xdr.Layout) -> None:
    check(kind, data.draw(element_of(layout)))


def check(kind: xdr.Layout, given_: Element) -> None:
    message = read(sampled(kind, given_, given_))
    assert given_.layout
    wanted = tuple(
        expected(field.type, field.name, value)
        for field, value in zip(given_.layout.fields, given_.values, strict=True)
    )
    for found in message.samples[0].elements:
        assert found.layout is not None
        # Not-a-number is what it was, and no equal of itself.
        assert repr(found.values) == repr(wanted) or found.layout is not given_.layout, found
    assert len(message.samples[0].elements) == 2


def test_structures_in_structures_are_left_out() -> None:
    layout = next(one for one in FLOW_LAYOUTS if one.name == "extended_80211_aggregation")
    remembered = Remembered()
    inner = Element(layout.tag, layout, ((((Element(1002, None, (), b"\0\0\0\1" + AGENT + bytes(8)),),),),))
    octets = made(datagram(sampled(FLOW_SAMPLE, inner)), remembered=remembered)[0]
    assert AGENT not in octets
    assert parse(octets).samples[0].elements[0].values == ((),)
    assert remembered.removed["structure in a structure"] == 1


def test_a_sampled_header_is_painted_as_a_packet() -> None:
    frame = bytes.fromhex("4500001c00000000401100 00".replace(" ", "")) + AGENT + AGENT + b"\0\1\0\2\0\x08\xbe\xef"
    values = {"protocol": 11, "frame_length": 28, "stripped": 0, "header": frame}
    found = read(sampled(FLOW_SAMPLE, element(FLOW_LAYOUTS[0], values))).samples[0].elements[0]
    assert found.values[:3] == (11, 28, 0)
    assert found.values[3][12:] == image(AGENT) * 2 + b"\0\1\0\2\0\x08\0\0"


def test_what_is_not_known_keeps_its_number_and_its_length_only() -> None:
    remembered = Remembered()
    unknown = Element(2999, None, (), AGENT * 3)
    foreign = Element(777 << 12 | 1, None, (), AGENT)
    behind = Element(1036, FLOW_LAYOUTS[0], (), b"\0\0\0\7" + AGENT)._replace(layout=None)
    metric = Sample(RTMETRIC.tag, RTMETRIC, (AGENT, ((b"name", (0, AGENT)),)))
    other = Sample(9 << 12 | 9, None, (), rest=AGENT)
    octets = made(datagram(sampled(FLOW_SAMPLE, unknown, foreign, behind), metric, other), remembered=remembered)[0]
    assert AGENT not in octets
    message = parse(octets)
    first = message.samples[0].elements
    assert [(one.tag, len(one.rest)) for one in first] == [(2999, 12), (0, 4), (1036, 4)]
    assert [one.tag for one in message.samples] == [1, RTMETRIC.tag, 0]
    assert +remembered.removed == {
        "sFlow structure that is not known": 2,
        "octets behind what is known": 1,
        "sFlow sample that is not known": 2,
    }


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("extended_router", b"\0\0\0\7" + AGENT * 3),  # no kind of address
        ("extended_user", b"\0\0\0\1" + AGENT * 3),  # a length that is none
        ("extended_gateway", b"\0\0\0\1" + AGENT + bytes(12) + AGENT * 4),  # no count of segments
        ("extended_gateway", b"\0\0\0\1" + AGENT + bytes(12) + b"\0\0\0\1\0\0\0\2" + AGENT * 3),  # nor of their items
        ("extended_mpls", b"\0\0\0\1" + AGENT + AGENT * 2),  # nor of labels
        ("sampled_ipv4", bytes(8) + AGENT + AGENT[:2]),  # cut
    ],
)
def test_what_is_broken_stays_broken_and_empty(name: str, body: bytes) -> None:
    layout = next(one for one in FLOW_LAYOUTS if one.name == name)
    whole = datagram(sampled(FLOW_SAMPLE, Element(layout.tag, None, (), body)))
    octets = made(whole)[0]
    assert AGENT not in octets
    reasons = [problem.reason for problem in parse(whole).problems]
    assert [problem.reason for problem in parse(octets).problems] == reasons


@pytest.mark.parametrize("size", range(0, 200, 3))
def test_cut_datagrams(size: int) -> None:
    user = element(FLOW_LAYOUTS[7], {"src_charset": 0, "src_user": AGENT, "dst_charset": 0, "dst_user": AGENT})
    router = element(FLOW_LAYOUTS[5], {"nexthop": AGENT, "src_mask_len": 1, "dst_mask_len": 2})
    whole = datagram(sampled(FLOW_SAMPLE, router, user), sampled(FLOW_SAMPLE_EXPANDED, router, user))
    octets = made(whole[:size])[0]
    assert len(octets) == len(whole[:size])
    assert AGENT not in octets
    assert len(parse(octets).samples) <= len(parse(whole[:size]).samples)


def test_a_head_that_cannot_be_read() -> None:
    remembered = Remembered()
    assert made(datagram()[:24], remembered=remembered) == [bytes(24)]
    assert +remembered.removed == {"datagram of an unknown protocol": 1}


@needs_captures
@pytest.mark.parametrize("name", ["every-structure", "host-sflow-live"])
def test_recorded_datagrams_have_as_many_samples_and_structures_as_before(name: str) -> None:
    before = udp_payloads(f"sflow/{name}.pcap")
    for one, other in zip(before, made(*before), strict=True):
        was, now = parse(one), parse(other)
        assert [len(each.elements) for each in now.samples] == [len(each.elements) for each in was.samples]
        assert now[2:6] == was[2:6]
