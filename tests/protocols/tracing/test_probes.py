# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from tests.protocols.tracing.packets import ECHO, FAR, IP_SIZE, NEAR, flow, folded, probes, pseudo

from fleutan.protocols.tracing.probes import ACK, SYN, Flow, Probe, number_in, packet


def transport(made: Probe) -> bytes:
    return packet(made)[IP_SIZE[made.flow.family] :]


def test_a_syn_octet_by_octet() -> None:
    probe = Probe(flow(4, 6, tos=8), 3, 0x1234, seq=0xAABB0000, window=64240, flags=SYN)
    assert packet(probe) == bytes.fromhex(
        "45 08 002c  1234 4000  03 06 7959  c0000201 c6336402"
        "9c40 01bb  aabb1234  00000000  60 02 faf0  5613 0000  02 04 05b4"
    )


def test_a_segment_of_a_flow_octet_by_octet() -> None:
    probe = Probe(flow(6, 6, label=0x12345), 3, 2, seq=1, ack=0x01020304, window=501, flags=ACK)
    assert packet(probe) == bytes.fromhex(
        "60012345 0014 06 03 20010db8000000000000000000000001 20010db8ffff00000000000000000002"
        "9c40 01bb  ffffffff  01020304  50 10 01f5  b069 0000"
    )


def test_a_datagram_octet_by_octet() -> None:
    assert packet(Probe(flow(4, 17), 3, 0x1234, payload=b"odd")) == bytes.fromhex(
        "45 00 0023  1234 4000  03 11 795f  c0000201 c63364029c40 01bb 000f 1234  1234 7dd0  6f6464"
    )


def test_a_bare_datagram_octet_by_octet() -> None:
    probe = Probe(flow(4, 17), 3, 0x1234, payload=b"odd", bare=True)
    assert packet(probe) == bytes.fromhex("45 00 001c  1234 4000  03 11 7966  c0000201 c63364029c40 01bb 0008 75ab")


@pytest.mark.parametrize("family", [4, 6])
def test_bare_datagrams_have_a_checksum_and_the_right_one(family: int) -> None:
    covered = pseudo(NEAR[family], FAR[family], 17, 8)
    for port in range(1 << 16):
        body = transport(Probe(flow(family, 17, sport=port), 9, 1, bare=True))
        assert len(body) == 8
        assert body[6:] != b"\0\0"
        assert sum(struct.unpack(f"!{(len(covered) + 8) // 4}I", covered + body)) % 0xFFFF == 0


@pytest.mark.parametrize(("family", "kind"), [(4, 8), (6, 128)])
def test_an_echo_request_octet_by_octet(family: int, kind: int) -> None:
    body = transport(Probe(flow(family, ECHO[family], sport=7, dport=0xBEEF), 3, 0x1234))
    assert body[:8] == struct.pack("!BBHHH", kind, 0, 0xBEEF, 7, 0x1234)
    assert len(body) == 10


@given(probes())
def test_checksums_are_right_whatever_the_probe(probe: Probe) -> None:
    data, made = packet(probe), probe.flow
    body = data[IP_SIZE[made.family] :]
    if made.family == 4:
        assert folded(data[:20]) == 0xFFFF
        assert struct.unpack_from("!H", data, 2)[0] == len(data)
    else:
        assert struct.unpack_from("!H", data, 4)[0] == len(body)
    covered = b"" if made.proto == 1 else pseudo(made.src, made.dst, made.proto, len(body))
    assert folded(covered + body) == 0xFFFF


@given(probes(), probes())
def test_what_routers_hash_is_the_same_in_every_probe_of_a_flow(one: Probe, other: Probe) -> None:
    other = other._replace(flow=one.flow)
    first, second = transport(one), transport(other)
    hashed = 4 if one.flow.proto in {6, 17} else 6  # the ports; type, code, checksum and identifier
    assert first[:hashed] == second[:hashed]


@pytest.mark.parametrize("family", [4, 6])
def test_datagrams_have_every_number_for_checksum_but_none(family: int) -> None:
    probe, covered = Probe(flow(family, 17), 9, 0), pseudo(NEAR[family], FAR[family], 17, 12)
    for number in range(1 << 16):
        body = transport(probe._replace(number=number))
        assert struct.unpack_from("!HH", body, 6) == (number or 0xFFFF, number)
        # By arithmetic of its own kind, and quick: RFC 1071 (2) (B), any word size gives the sum.
        assert sum(struct.unpack(f"!{(len(covered) + 12) // 4}I", covered + body)) % 0xFFFF == 0


@pytest.mark.parametrize("flags", [SYN, ACK])
@pytest.mark.parametrize("seq", [0, 5, 0xFFFF_FFFF])
def test_sequence_numbers_give_every_number_back(flags: int, seq: int) -> None:
    probe = Probe(flow(6, 6), 9, 0, seq=seq, flags=flags)
    for number in range(1 << 16):
        written = struct.unpack_from("!I", transport(probe._replace(number=number)), 4)[0]
        assert number_in(written, probe) == number


def test_sequence_numbers_of_others_give_none() -> None:
    probe = Probe(flow(6, 6), 9, 0, seq=0x10000, flags=ACK)
    assert number_in(0x10001, probe) is None
    assert number_in(0x20001, probe._replace(flags=SYN)) is None


def test_a_flow_is_told_by_its_ends() -> None:
    marked = flow(6, 6, label=5, tos=9)
    assert marked.ends == flow(6, 6).ends == (6, NEAR[6], FAR[6], 6, 40000, 443)
    assert marked != Flow(*marked.ends)


def test_what_does_not_fit_its_field_is_an_error() -> None:
    with pytest.raises(struct.error):
        packet(Probe(flow(4, 17), 3, 1 << 16))
