# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.captures import CAPTURES, needs_captures, udp_payloads
from tests.exports.sflowtool.received import AT, PACKET, counter_element, counters, discard, flow, flow_element, header

from fleutan.exports.sflowtool.heads import Dialect, Received
from fleutan.exports.sflowtool.json import write_json
from fleutan.exports.sflowtool.plans import Plans
from fleutan.exports.sflowtool.text import write_text
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode
from fleutan.protocols.sflow.layouts import RTMETRIC
from fleutan.protocols.sflow.messages import Message, extents, parse
from fleutan.protocols.sflow.samples import Sample

IPV6 = bytes.fromhex("62812345 0014 06 3c") + bytes(15) + b"\1" + bytes(15) + b"\2"
TAGGED = PACKET[:12] + bytes.fromhex("8100 6064") + PACKET[12:]
SIX = PACKET[:12] + b"\x86\xdd" + IPV6 + PACKET[34:]
UDP = PACKET[:23] + b"\x11" + PACKET[24:]
ELEMENTS = (
    *(header(), header(TAGGED), header(SIX), header(UDP), header(PACKET[:30]), header(b""), header(PACKET, 11)),
    *(header(PACKET[:12] + bytes.fromhex("8100 6064 86dd") + IPV6[:6] + b"\x11" + IPV6[7:] + PACKET[34:]),),
    *(header(PACKET[:20] + b"\x20\1" + PACKET[22:]), header(SIX[:18] + bytes(2) + SIX[20:])),
    *(flow_element(1001, 1, 2, 3, 4), flow_element(1043, 7), flow_element(2209, 2, *range(11))),
    *(flow_element(1002, b"", 24, 16), flow_element(1002, bytes([10, 0, 0, 1]), 24, 16)),
    *(flow_element(1002, bytes(16), 24, 16), flow_element(1007, bytes(4), bytes(16)), flow_element(1038, b"tcp_v4")),
    *(flow_element(2, 64, PACKET[6:12], PACKET[:6], 2048), flow_element(1004, 1, b"", 2, b"me")),
    *(flow_element(3, 60, 6, bytes(4), bytes(4), 10, 20, 18, 40), Element(77, None, (), b"abcd")),
)
COUNTERS = (
    counter_element(1, *range(19)),
    counter_element(2101, 1, 2, 3),
    counter_element(1005, b"eth0"),
    counter_element(2102, 5, 6),
)


def datagram(*samples: Sample, agent: bytes = bytes([10, 9, 8, 7])) -> bytes:
    return encode(Message(5, agent, 0, 7, 1000, len(samples), samples))


def laid_out(octets: bytes, known: Plans, recorded: bool = True) -> Received | None:
    found = extents(octets)
    laid = found and known.laid(octets, found[1])
    return Received(found[0], len(octets), b"", AT, recorded, laid) if found and laid is not None else None


def assert_same(octets: bytes) -> bool:
    """Whether there are plans for a datagram, whose output is then that of messages."""
    found = False
    for faithful in (True, False):
        dialect, message = Dialect(faithful), Received(parse(octets), len(octets), b"", AT, True)
        for write, nested in ((write_text, False), (write_json, True)):
            known = Plans(faithful, nested)
            for _ in range(2):
                received = laid_out(octets, known)
                found = received is not None
                if received:
                    assert list(write([received], dialect)) == list(write([message], dialect))
    return found


@given(
    st.lists(
        st.one_of(
            st.builds(lambda some: flow(*some), st.lists(st.sampled_from(ELEMENTS), max_size=4)),
            st.builds(lambda some: discard(*some), st.lists(st.sampled_from(ELEMENTS), max_size=4)),
            st.builds(lambda some: counters(*some), st.lists(st.sampled_from(COUNTERS), max_size=3)),
        ),
        max_size=5,
    ),
    st.sampled_from([bytes([10, 9, 8, 7]), bytes(15) + b"\1"]),
)
def test_plans_print_what_messages_print(samples: list[Sample], agent: bytes) -> None:
    assert assert_same(datagram(*samples, agent=agent))


@settings(max_examples=200)
@given(st.lists(st.sampled_from(ELEMENTS), max_size=4), st.data())
def test_what_is_broken_is_printed_as_messages_print_it(some: list[Element], data: st.DataObject) -> None:
    octets = bytearray(datagram(flow(*some), flow(header())))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.sampled_from([0, 1, 4, 16, 128, 255]))
    assert_same(bytes(octets[: data.draw(st.one_of(st.just(len(octets)), st.integers(0, len(octets))))]))


#: Captures of one datagram each, that octets follow, that lacks its padding, and that is cut.
LEFT_TO_MESSAGES = {
    "goflow2_TestExpandedSFlowDecode_0.pcap",
    "goflow2_TestSFlowDecodeDropExtendedFunction_0.pcap",
    "tcpdump_sflow_print-segv.pcap",
}


@needs_captures
@pytest.mark.parametrize("name", sorted(path.name for path in (CAPTURES / "sflow").glob("*.pcap")))
def test_captures_are_printed_as_by_messages(name: str) -> None:
    planned = {assert_same(octets) for octets in udp_payloads(f"sflow/{name}")}
    assert (True in planned) == (name not in LEFT_TO_MESSAGES)


def test_samples_of_one_size_may_differ() -> None:
    """The plan that the last of a size had is not taken for one of other structures."""
    known = Plans(faithful=False, nested=False)
    first, second = datagram(flow(flow_element(1036, 7))), datagram(flow(flow_element(1039, 7)))
    for octets in (first, second, first, datagram(flow(flow_element(1040, 9)))):
        received = laid_out(octets, known)
        assert received
        message = Received(parse(octets), len(octets), b"", AT, True)
        assert list(write_text([received], Dialect())) == list(write_text([message], Dialect()))


def test_what_has_no_plan_is_for_messages() -> None:
    known = Plans(faithful=False, nested=False)
    assert laid_out(datagram(Sample(RTMETRIC.tag, RTMETRIC, (b"", ()))), known) is None
    assert laid_out(datagram(flow(*[flow_element(1036, 7)] * 17)), known) is None
    assert laid_out(datagram(flow(header()))[:-4], known) is None
    assert laid_out(b"", known) is None


def test_plans_are_bounded() -> None:
    known = Plans(faithful=False, nested=False, most=4)
    for many in range(1, 12):
        assert laid_out(datagram(flow(*[flow_element(1036, 7)] * many)), known)
        assert len(known._plans) <= 4
        assert len(known._likely) <= 4
