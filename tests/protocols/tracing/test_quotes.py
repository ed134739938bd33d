# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.tracing.packets import ECHO, FAR, IP_SIZE, NEAR, ROUTER, flow, ip, probes

from fleutan.protocols.tracing.probes import ACK, SYN, Probe, packet
from fleutan.protocols.tracing.quotes import LEAST, Quote, read_quote

SYN_PROBE = Probe(flow(4, 6, tos=8), 3, 0x1234, seq=0xAABB0000, window=64240, flags=SYN)
UDP_PROBE = Probe(flow(4, 17), 3, 0x1234, payload=bytes(range(1, 9)))
UDP6_PROBE = UDP_PROBE._replace(flow=flow(6, 17, label=5))


def swapped(data: bytes, at: int) -> bytes:
    return data[:at] + data[at + 1 : at + 2] + data[at : at + 1] + data[at + 2 :]


def replaced(data: bytes, at: int, by: bytes) -> bytes:
    return data[:at] + by + data[at + len(by) :]


def test_a_whole_quote_tells_all() -> None:
    found = read_quote(packet(SYN_PROBE), 4)
    assert found
    assert (found.flow, found.number, found.seq) == (SYN_PROBE.flow, 0x1234, 0xAABB1234)
    assert found.quote == Quote(ttl=3, tos=8, length=44, intact=True, mss=1460)


@pytest.mark.parametrize("padding", [b"", bytes(100)])
def test_eight_octets_of_the_segment_are_enough(padding: bytes) -> None:
    found = read_quote(packet(SYN_PROBE)[:28] + padding, 4)
    assert found
    assert (found.flow, found.number, found.seq) == (SYN_PROBE.flow, 0x1234, 0xAABB1234)
    assert found.quote == Quote(3, 8, 44, None, None)


@given(probes(), st.data())
def test_any_cut_gives_flow_and_number_back(probe: Probe, data: st.DataObject) -> None:
    whole = packet(probe)
    least = IP_SIZE[probe.flow.family] + LEAST
    cut = whole[: data.draw(st.integers(least, len(whole)))]
    quoted = cut + bytes(data.draw(st.integers(0, 128)) if len(cut) in {least, len(whole)} else 0)
    found = read_quote(quoted, probe.flow.family)
    assert found
    assert found.flow == probe.flow
    assert found.quote.length == len(whole)
    assert found.quote.intact in (True, None)
    if probe.flow.family == 4 or probe.flow.proto == 58:
        assert found.number == probe.number


def test_padding_is_no_part_of_the_packet() -> None:
    found = read_quote(packet(UDP_PROBE) + bytes(88), 4)
    assert found
    assert found.quote.intact is True


def test_a_nat_that_changed_the_quote_back_left_its_checksum_wrong() -> None:
    rewritten = replaced(packet(UDP_PROBE), 12, ROUTER[4])
    found = read_quote(rewritten, 4)
    assert found
    assert found.flow == UDP_PROBE.flow._replace(src=ROUTER[4])
    assert (found.number, found.quote.intact) == (0x1234, False)


def test_a_datagram_without_a_checksum_says_nothing_of_it() -> None:
    found = read_quote(replaced(packet(UDP_PROBE), 26, b"\0\0"), 4)
    assert found
    assert found.quote.intact is None


@pytest.mark.parametrize("probe", [SYN_PROBE, UDP_PROBE])
def test_a_length_in_the_hosts_own_order_is_no_length(probe: Probe) -> None:
    found = read_quote(swapped(packet(probe), 2), 4)
    assert found
    assert (found.flow, found.number) == (probe.flow, 0x1234)
    assert (found.quote.length, found.quote.intact) == (None, None)


def test_a_length_without_the_header_is_none_either() -> None:
    found = read_quote(replaced(packet(SYN_PROBE), 2, b"\0\x18"), 4)
    assert found
    assert found.quote.length is None


def test_a_length_that_contradicts_the_datagrams_is_none() -> None:
    found = read_quote(replaced(packet(UDP_PROBE), 2, b"\0\x2c"), 4)
    assert found
    assert found.quote.length is None


def test_options_and_extension_headers_are_stepped_over() -> None:
    body = packet(UDP_PROBE)[20:]
    found = read_quote(ip(4, 17, body, NEAR[4], FAR[4], 1, options=b"\x94\x04\0\0"), 4)
    assert found
    assert (found.flow, found.number) == (UDP_PROBE.flow, 0x1234)
    assert found.quote == Quote(1, 0, 44, True, None)
    body, mobile = packet(UDP6_PROBE)[40:], bytes((17, 0, 1, 4, 0, 0, 0, 0))
    six = read_quote(ip(6, 60, body, NEAR[6], FAR[6], 1, options=mobile), 6)
    assert six
    assert (six.flow.ends, six.number) == (UDP6_PROBE.flow.ends, 0x1234)
    assert six.quote == Quote(1, 0, 68, True, None)


@pytest.mark.parametrize(
    ("number", "size", "read"),
    [
        (7, 48, 7),
        (7, 49, 7),
        (7, 50, 7),
        (0, 52, 0),
        (0, 50, None),
        (0xFFFF, 50, 0xFFFF),
        (0, 48, None),
        (0xFFFF, 48, None),
    ],
)
def test_of_ipv6_a_checksum_tells_all_numbers_but_two(number: int, size: int, read: int | None) -> None:
    found = read_quote(packet(UDP6_PROBE._replace(number=number))[:size], 6)
    assert found
    assert found.number == read


def test_datagrams_too_short_for_a_number_have_none_in_their_payload() -> None:
    short = struct.pack("!HHHH", 5, 6, 10, 77) + b"\1\2"
    six, four = read_quote(ip(6, 17, short, NEAR[6], FAR[6]), 6), read_quote(ip(4, 17, short, NEAR[4], FAR[4]), 4)
    assert six
    assert six.number == 77
    assert four
    assert four.number == 7  # the identification


def test_of_ipv6_a_syn_tells_its_number_and_other_segments_their_sequence_number() -> None:
    probe = SYN_PROBE._replace(flow=flow(6, 6))
    for size, number in ((54, 0x1234), (53, None)):
        found = read_quote(packet(probe)[:size], 6)
        assert found
        assert (found.number, found.seq, found.quote.mss) == (number, 0xAABB1234, None)
    found = read_quote(packet(probe._replace(flags=ACK, seq=0x11234)), 6)
    assert found
    assert (found.number, found.seq) == (None, 0x10000)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("proto", [6, 17, 1])
def test_every_number_comes_back(family: int, proto: int) -> None:
    template = Probe(flow(family, ECHO[family] if proto == 1 else proto), 5, 0, seq=77, flags=SYN)
    size = IP_SIZE[family] + 14
    for number in range(1 << 16):
        found = read_quote(packet(template._replace(number=number))[:size], family)
        assert found
        assert found.number == number


@pytest.mark.parametrize(
    ("options", "mss"),
    [
        ("0101 0204 0578 0000", 1400),
        ("0402 0204 0578 0303 07 000000", 1400),
        ("00 0204 0578 000000", None),
        ("03 00 0204 0578 0000", 1400),  # a length that stands still counts as the least
        ("01 02 04 05", None),
        ("", None),
    ],
)
def test_the_mss_is_found_among_the_options(options: str, mss: int | None) -> None:
    listed = bytes.fromhex(options)
    offset = (20 + len(listed)) // 4 << 4
    segment = struct.pack("!HHIIBBHHH", 1, 2, 3, 0, offset, SYN, 0, 0, 0) + listed
    found = read_quote(ip(4, 6, segment, NEAR[4], FAR[4]), 4)
    assert found
    assert found.quote.mss == mss


@pytest.mark.parametrize(
    "data",
    [
        b"",
        packet(SYN_PROBE)[:27],
        packet(UDP6_PROBE),  # IPv6 in an error of IPv4
        ip(4, 58, bytes(8), NEAR[4], FAR[4]),
        ip(4, 47, bytes(8), NEAR[4], FAR[4]),
        ip(4, ECHO[4], bytes(8), NEAR[4], FAR[4]),  # an echo reply
        ip(4, ECHO[4], b"\x08\x01" + bytes(6), NEAR[4], FAR[4]),
    ],
)
def test_what_cannot_be_a_probe_is_no_quote(data: bytes) -> None:
    assert read_quote(data, 4) is None


@given(st.binary(max_size=120), st.sampled_from((4, 6)))
def test_any_octets_are_read(octets: bytes, family: int) -> None:
    read_quote(octets, family)
    read_quote(bytes((family << 4 | 5,)) + octets, family)
