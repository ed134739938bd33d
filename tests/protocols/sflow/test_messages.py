# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.captures import CAPTURES, needs_captures, udp_payloads
from tests.protocols.sflow.test_elements import tagged
from tests.protocols.sflow.test_samples import VCPU, VNI

from fleutan.protocols.sflow.cursor import Problem, Reason
from fleutan.protocols.sflow.messages import Message, parse

FLOW = tagged(1, struct.pack("!8I", *range(7), 1) + VNI)
COUNTERS = tagged(2, struct.pack("!3I", 1, 2, 1) + VCPU)


def datagram(*samples: bytes, count: int | None = None, version: int = 5) -> bytes:
    number = len(samples) if count is None else count
    return struct.pack("!7I", version, 1, 0x0A000001, 3, 7, 1000, number) + b"".join(samples)


def test_a_datagram_and_its_samples() -> None:
    message = parse(datagram(FLOW, COUNTERS))
    assert message[:6] == (5, bytes([10, 0, 0, 1]), 3, 7, 1000, 2)
    assert [sample.tag for sample in message.samples] == [1, 2]
    assert (message.problems, message.rest) == ((), b"")


def test_an_agent_at_an_ipv6_address() -> None:
    agent = bytes.fromhex("20010db8000000000000000000000001")
    assert parse(struct.pack("!II", 5, 2) + agent + struct.pack("!4I", 3, 7, 1000, 0))[:6] == (5, agent, 3, 7, 1000, 0)


@pytest.mark.parametrize("version", [0, 1, 3, 6, 9, 2**32 - 1])
def test_other_versions_are_named(version: int) -> None:
    message = parse(datagram(version=version))
    assert message.version == version
    assert message.agent is None
    assert message.problems == (Problem(Reason.VERSION, 0, "datagram"),)


def test_a_head_that_is_cut() -> None:
    whole = datagram()
    assert parse(b"") == Message(None, None, None, None, None, None, problems=(Problem(Reason.CUT, 0, "datagram"),))
    assert parse(whole[:14])[:6] == (5, bytes([10, 0, 0, 1]), None, None, None, None)
    assert parse(whole[:18])[:6] == (5, bytes([10, 0, 0, 1]), 3, None, None, None)
    assert parse(whole).problems == ()
    message = parse(struct.pack("!7I", 5, 3, 0, 0, 0, 0, 0))
    assert message.problems == (Problem(Reason.ADDRESS, 4, "datagram"),)


def test_samples_that_are_missing_and_octets_that_are_too_many() -> None:
    message = parse(datagram(FLOW, count=2**32 - 1))
    assert len(message.samples) == 1
    assert message.problems == (Problem(Reason.MISSING, 28 + len(FLOW), "datagram"),)
    message = parse(datagram(FLOW, b"tail", count=1))
    assert message.problems == (Problem(Reason.TRAILING, 28 + len(FLOW), "datagram"),)
    assert message.rest == b"tail"


def test_a_sample_that_is_longer_than_the_datagram_is_read_as_far_as_it_goes() -> None:
    message = parse(datagram(FLOW[:4] + b"\xff\xff\xff\xff" + FLOW[8:]))
    assert message.problems == (Problem(Reason.OVERRUN, 32, "0:1"),)
    assert message.samples[0].elements[0].values == (7,)


def test_a_broken_sample_does_not_hide_the_next() -> None:
    message = parse(datagram(tagged(1, b"abcd"), COUNTERS))
    assert message.problems == (Problem(Reason.CUT, 40, "flow_sample"),)
    assert [sample.whole for sample in message.samples] == [False, True]
    assert message.samples[1].elements[0].values == (1, 2, 3)


def test_the_last_padding_may_be_missing() -> None:
    body = struct.pack("!8I", *range(7), 1) + struct.pack("!III", 1038, 10, 6) + b"foobar"
    message = parse(datagram(struct.pack("!II", 5, len(body)) + body))
    assert message.samples[0].elements[0].values == (b"foobar",)
    assert message.problems == ()


def test_cut_at_every_octet() -> None:
    whole = datagram(FLOW, COUNTERS)
    for end in range(len(whole)):
        assert parse(whole[:end]).problems
    assert parse(whole).problems == ()


def test_versions_before_5_have_no_sub_agent_and_no_lengths() -> None:
    vlan = struct.pack("!5I", 2, 1, 3, 20, 7) + bytes(28)
    head = struct.pack("!5I", 4, 1, 0x0A000001, 7, 1000)
    message = parse(head + struct.pack("!I", 2) + vlan * 2)
    assert message[:6] == (4, bytes([10, 0, 0, 1]), None, 7, 1000, 2)
    assert [sample.named()["source_id"] for sample in message.samples] == [3, 3]
    assert parse(head + struct.pack("!I", 3) + vlan).problems == (Problem(Reason.MISSING, 72, "datagram"),)
    broken = parse(head + struct.pack("!I", 2) + struct.pack("!I", 9) + vlan)
    assert broken.problems == (Problem(Reason.TAG, 24, "0:9"),)
    assert not broken.samples[0].whole


@given(st.binary(max_size=200), st.sampled_from([2, 4, 5]))
def test_any_octets_give_a_message(octets: bytes, version: int) -> None:
    message = parse(struct.pack("!I", version) + octets)
    assert all(problem.at <= 4 + len(octets) for problem in message.problems)


@needs_captures
@pytest.mark.parametrize("name", sorted(path.name for path in CAPTURES.glob("sflow/*.pcap")))
def test_recorded_datagrams_with_any_bit_flipped(name: str) -> None:
    for payload in udp_payloads(f"sflow/{name}")[:20]:
        for at in range(0, min(len(payload), 400), 3):
            flipped = bytearray(payload)
            flipped[at] ^= 1 << at % 8
            parse(bytes(flipped))
            parse(payload[:at])


def problems(name: str) -> Counter[tuple[Reason, str]]:
    return Counter(
        (problem.reason, problem.structure)
        for payload in udp_payloads(f"sflow/{name}")
        for problem in parse(payload).problems
    )


@needs_captures
@pytest.mark.parametrize(
    ("name", "datagrams", "samples"),
    [
        ("host-sflow-live.pcap", 63, 282),
        ("every-structure.pcap", 106, 106),
        ("tcpdump_sflow-print-v6.pcap", 25, 61),
        ("tcpdump_sflow_expanded.pcap", 1, 1),
        ("goflow2_TestSFlowDecode_0.pcap", 1, 1),
        ("goflow2_TestSFlowDecodeDropEgressQueue_0.pcap", 1, 1),
        ("goflow2_TestSFlowDecodeDropExtendedACL_0.pcap", 1, 1),
        ("goflow2_TestSFlowDecodeDropExtendedFunction_0.pcap", 1, 1),
        ("telegraf_sflow_issue_15918.pcap", 1, 7),
        ("telegraf_sflow_issue_18876.pcap", 1, 1),
    ],
)
def test_real_datagrams_are_read_to_their_last_octet(name: str, datagrams: int, samples: int) -> None:
    messages = [parse(payload) for payload in udp_payloads(f"sflow/{name}")]
    assert (len(messages), sum(len(message.samples) for message in messages)) == (datagrams, samples)
    assert problems(name) == {}


@needs_captures
def test_broken_and_foreign_datagrams_are_named() -> None:
    assert problems("malformed.pcap") == {
        (Reason.OVERRUN, "0:1"): 1,
        (Reason.CUT, "flow_sample"): 2,
        (Reason.OVERRUN, "0:2101"): 1,
        (Reason.ADDRESS, "datagram"): 1,
        (Reason.VERSION, "datagram"): 1,
    }
    # Thirty datagrams on sFlow's port, five of which are NetFlow's.
    assert problems("tcpdump_sflow_multiple_counter_30_pdus.pcap") == {(Reason.VERSION, "datagram"): 5}
