# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.tracing.packets import (
    ECHO,
    FAR,
    IP_SIZE,
    NEAR,
    ROUTER,
    error,
    exceeded,
    flow,
    folded,
    ip,
    message,
    probes,
)

from fleutan.protocols.tracing.probes import ACK, FIN, PSH, RST, SYN, Probe, packet
from fleutan.protocols.tracing.replies import Interface, Label, Quote, Reply, parse

FAMILIES = pytest.mark.parametrize("family", [4, 6])
#: An MPLS entry, and an interface with index and name.
BEHIND = bytes.fromhex("0008 0101 03e84b01  0010 020a 0000002a 0865746830000000")


def echo_flow(family: int) -> Probe:
    return Probe(flow(family, ECHO[family], sport=7, dport=0xBEEF), 5, 99)


def segment(flags: int, seq: int = 0, ack: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack("!HHIIBBHHH", 443, 40000, seq, ack, 0x50, flags, 0, 0, 0) + payload


def answer(family: int, flags: int, **more: int | bytes) -> Reply | None:
    """What is read of a TCP segment of the destination."""
    return parse(ip(family, 6, segment(flags, **more), FAR[family], NEAR[family], 55))  # type: ignore[arg-type]


def test_an_error_octet_by_octet_as_a_router_sends_it() -> None:
    reply = parse(
        bytes.fromhex(
            "45c0 0038 0001 0000 3f01 0000 cb007107 c0000201"  # the kernel has verified this header's checksum
            "0b00 9a14 0000 0000"
            "4508 002c 1234 4000 0106 7b59 c0000201 c6336402  9c40 01bb aabb1234"
        )
    )
    assert reply == Reply(
        *(ROUTER[4], "time-exceeded", 0, flow(4, 6, tos=8), 0x1234, 63, Quote(1, 8, 44, None, None)),
        seq=0xAABB1234,
    )


@FAMILIES
def test_labels_and_interfaces_come_with_the_error(family: int) -> None:
    probe = echo_flow(family)
    quote = packet(probe).ljust(128, b"\0")
    behind = struct.pack("!BBH", 0x20, 0, 0xFFFF - folded(b"\x20\0\0\0" + BEHIND)) + BEHIND
    for rest in (b"\0\x20\0\0" if family == 4 else b"\x10\0\0\0", bytes(4)):
        reply = parse(exceeded(family, quote + behind, rest))
        assert reply
        assert (reply.flow, reply.number) == (probe.flow, 99)
        assert reply.labels == (Label(16004, 5, True, 1),)
        assert reply.interfaces == (Interface("incoming", 42, None, "eth0"),)


@pytest.mark.parametrize(
    ("family", "kind", "code", "read"),
    [
        (4, 3, 0, "unreachable"),
        (4, 3, 3, "unreachable"),
        (4, 3, 13, "unreachable"),
        (4, 3, 4, "too-big"),
        (4, 4, 0, "other"),
        (4, 5, 1, "other"),
        (4, 11, 0, "time-exceeded"),
        (4, 11, 1, "other"),
        (4, 12, 0, "other"),
        (6, 1, 4, "unreachable"),
        (6, 2, 0, "too-big"),
        (6, 3, 0, "time-exceeded"),
        (6, 3, 1, "other"),
        (6, 4, 1, "other"),
    ],
)
def test_errors_have_kind_and_code(family: int, kind: int, code: int, read: str) -> None:
    probe = echo_flow(family)
    reply = parse(error(family, packet(probe), kind, code))
    assert reply
    assert (reply.source, reply.kind, reply.code, reply.ttl) == (ROUTER[family], read, code, 61)
    assert (reply.flow, reply.number, reply.number_as(probe), reply.mtu) == (probe.flow, 99, 99, None)


@pytest.mark.parametrize(("family", "kind", "code"), [(4, 3, 4), (6, 2, 0)])
def test_too_big_tells_the_mtu_of_the_next_link(family: int, kind: int, code: int) -> None:
    for mtu in (1280, 0):
        reply = parse(error(family, packet(echo_flow(family)), kind, code, struct.pack("!I", mtu)))
        assert reply
        assert reply.mtu == (mtu or None)


def test_an_mtu_of_ipv6_may_need_more_than_sixteen_bits_and_is_no_length() -> None:
    reply = parse(error(6, packet(echo_flow(6)) + bytes(200), 2, 0, struct.pack("!I", 0x10010000)))
    assert reply
    assert reply.mtu == 0x10010000


@pytest.mark.parametrize(("family", "kind"), [(4, 0), (6, 129)])
@pytest.mark.parametrize("checksum", [0, 1, 0xFF, 0x7FF, 0x800, 0xBEEF, 0xFFFE])
def test_an_echo_is_turned_round_to_the_request_with_its_checksum(family: int, kind: int, checksum: int) -> None:
    probe = Probe(flow(family, ECHO[family], sport=7, dport=checksum), 5, 99, payload=b"abc")
    body = packet(probe)[IP_SIZE[family] :]
    reply = parse(message(family, bytes((kind, 0)) + body[2:8], body[8:], src=FAR[family]))
    assert reply == Reply(FAR[family], "echo", 0, probe.flow, 99, 61)
    assert reply.number_as(probe) == 99


@FAMILIES
@pytest.mark.parametrize(("flags", "kind"), [(SYN | ACK, "syn-ack"), (RST | ACK, "reset")])
def test_answers_to_a_syn_acknowledge_it(family: int, flags: int, kind: str) -> None:
    probe = Probe(flow(family, 6), 9, 0xFFFF, seq=0xFFFF_0000, flags=SYN)
    reply = answer(family, flags, ack=0)
    assert reply == Reply(FAR[family], kind, 0, probe.flow, 0xFFFF, 55, seq=0xFFFF_FFFF)
    assert reply.number_as(probe) == 0xFFFF
    assert reply.number_as(probe._replace(seq=0)) is None


@FAMILIES
@pytest.mark.parametrize(("flags", "kind"), [(ACK, "ack"), (RST, "reset"), (ACK | PSH, "ack")])
def test_answers_to_a_segment_of_a_flow_have_no_number(family: int, flags: int, kind: str) -> None:
    reply = answer(family, flags, seq=77, ack=0x10000)
    assert reply == Reply(FAR[family], kind, 0, flow(family, 6), None, 55)


def test_a_reset_that_acknowledges_tells_no_number_of_an_acknowledgement() -> None:
    reply = answer(4, RST | ACK, ack=100)
    assert reply
    assert reply.number_as(Probe(flow(4, 6), 9, 0, seq=100, flags=ACK)) is None


@pytest.mark.parametrize("flags", [0, SYN, FIN | ACK, SYN | FIN, SYN | RST])
def test_other_segments_answer_nothing(flags: int) -> None:
    assert answer(4, flags) is None


def test_a_segment_with_payload_answers_only_as_a_reset() -> None:
    assert answer(4, ACK, payload=b"x") is None
    assert answer(4, RST, payload=b"because") is not None


def test_a_datagram_of_the_other_end_answers_in_its_own_way() -> None:
    datagram = struct.pack("!HHHH", 443, 40000, 8, 0)
    assert parse(ip(4, 17, datagram, FAR[4], NEAR[4])) == Reply(FAR[4], "other", 0, flow(4, 17), None, 61)
    assert parse(ip(4, 17, datagram[:7], FAR[4], NEAR[4])) is None


def test_who_knows_the_probe_reads_the_number_from_what_was_quoted() -> None:
    probe = Probe(flow(4, 6), 9, 3, seq=1, flags=ACK)
    quote = packet(probe)
    renumbered = exceeded(4, quote[:4] + b"\x77\x77" + quote[6:])
    resequenced = exceeded(4, quote[:24] + b"\x77\x77\x77\x77" + quote[28:])
    for data, number in ((renumbered, 0x7777), (resequenced, 3)):
        reply = parse(data)
        assert reply
        assert (reply.number, reply.number_as(probe)) == (number, 3)


@given(probes(), st.data())
def test_a_router_brings_flow_and_number_back(probe: Probe, data: st.DataObject) -> None:
    family = probe.flow.family
    whole = packet(probe)
    size = data.draw(st.integers(IP_SIZE[family] + 8, len(whole)))
    reply = parse(exceeded(family, whole[:size]))
    assert reply
    assert reply.flow == probe.flow
    if (family, probe.flow.proto) == (6, 17) and size < 52 and probe.number in {0, 0xFFFF}:
        # Of these two the checksum is the same, and a 0 of the payload may be padding.
        assert reply.number in {None, probe.number}
    else:
        assert reply.number_as(probe._replace(number=0, ttl=9)) == probe.number


WHOLE = exceeded(4, packet(echo_flow(4)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        WHOLE[:-1],
        WHOLE[:-1] + b"x",
        WHOLE[:3] + b"\x13" + WHOLE[4:],
        ip(4, 47, bytes(40), FAR[4], NEAR[4]),
        ip(4, 1, bytes(7), FAR[4], NEAR[4]),
        ip(4, 6, bytes(19), FAR[4], NEAR[4]),
        message(4, b"\x08\0\0\0\0\0\0\0", b""),
        message(6, b"\x80\0\0\0\0\0\0\0", b""),
        exceeded(4, b""),
        exceeded(4, packet(echo_flow(6))),
        exceeded(4, WHOLE),
    ],
)
def test_what_is_cut_damaged_or_no_answer_is_none(data: bytes) -> None:
    assert parse(data) is None


def test_what_follows_the_packet_in_the_frame_is_ignored() -> None:
    assert parse(WHOLE + bytes(18)) == parse(WHOLE)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed(data: bytes) -> None:
    parse(data)


@given(st.sampled_from((4, 6)), st.sampled_from((1, 6, 17, 58, 43)), st.binary(max_size=200))
def test_any_payload_is_parsed(family: int, proto: int, body: bytes) -> None:
    parse(ip(family, proto, body, FAR[family], NEAR[family]))


@given(st.sampled_from((4, 6)), st.integers(0, 12), st.integers(0, 5), st.binary(max_size=4), st.binary(max_size=300))
def test_any_error_is_parsed(family: int, kind: int, code: int, rest: bytes, quote: bytes) -> None:
    parse(error(family, quote, kind, code, rest.ljust(4, b"\0")))


@given(probes(), st.data())
def test_damaged_quotes_are_parsed(probe: Probe, data: st.DataObject) -> None:
    quote = bytearray(packet(probe))
    for _ in range(data.draw(st.integers(1, 4))):
        quote[data.draw(st.integers(0, len(quote) - 1))] ^= data.draw(st.integers(1, 255))
    parse(exceeded(probe.flow.family, bytes(quote[: data.draw(st.integers(0, len(quote)))])))


@FAMILIES
def test_every_bit_of_a_quote_and_of_what_follows_may_be_wrong(family: int) -> None:
    behind = struct.pack("!BBH", 0x20, 0, 0) + BEHIND
    payload = packet(echo_flow(family)).ljust(128, b"\0") + behind
    for bit in range(len(payload) * 8):
        wrong = bytearray(payload)
        wrong[bit // 8] ^= 1 << bit % 8
        parse(exceeded(family, bytes(wrong), b"\x10\x20\0\0"))
    for size in range(len(payload)):
        parse(exceeded(family, payload[:size], b"\x10\x20\0\0"))
