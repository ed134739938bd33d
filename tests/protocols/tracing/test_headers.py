# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.tracing.packets import FAR, NEAR, ROUTER, folded, ip, octets, pseudo

from fleutan.protocols.tracing import headers
from fleutan.protocols.tracing.headers import ICMP, ICMPV6, TCP, UDP, Header, read_header

BODY = bytes(range(8))


@given(st.binary(max_size=99))
def test_the_sum_is_that_of_the_words_one_by_one(data: bytes) -> None:
    assert headers.ones_sum(data) == folded(data) % 0xFFFF


@given(st.binary(max_size=50), octets(16), octets(16), st.sampled_from((TCP, UDP, ICMPV6)))
def test_checksums_cover_the_pseudo_header_except_icmps(data: bytes, src: bytes, dst: bytes, proto: int) -> None:
    assert headers.covered_sum(src, dst, proto, data) == folded(pseudo(src, dst, proto, len(data)) + data) % 0xFFFF
    assert headers.covered_sum(src[:4], dst[:4], ICMP, data) == folded(data) % 0xFFFF


def test_headers_are_written_octet_by_octet_as_the_rfcs_draw_them() -> None:
    assert headers.ipv4_header(NEAR[4], FAR[4], 17, 0xB9, 5, 0x1234, 12) == bytes.fromhex(
        "45 b9 0020  1234 4000  05 11 76a9  c0000201 c6336402"
    )
    assert headers.ipv6_header(NEAR[6], FAR[6], 6, 0xB9, 5, 0xABCDE, 24) == bytes.fromhex(
        "6b9abcde 0018 06 05 20010db8000000000000000000000001 20010db8ffff00000000000000000002"
    )


@given(octets(4), octets(4), *[st.integers(0, 255)] * 3, st.integers(0, 0xFFFF), st.integers(0, 1480))
def test_what_is_written_for_ipv4_is_read_back(
    src: bytes, dst: bytes, proto: int, tos: int, ttl: int, identification: int, size: int
) -> None:
    written = headers.ipv4_header(src, dst, proto, tos, ttl, identification, size)
    assert folded(written) == 0xFFFF
    assert read_header(written) == Header(4, src, dst, proto, tos, ttl, 0, identification, 20 + size, 20)


@given(octets(16), octets(16), *[st.integers(0, 255)] * 2, st.integers(0, 0xFFFFF), st.integers(0, 1480))
def test_what_is_written_for_ipv6_is_read_back(
    src: bytes, dst: bytes, tos: int, ttl: int, label: int, size: int
) -> None:
    written = headers.ipv6_header(src, dst, 58, tos, ttl, label, size)
    assert read_header(written) == Header(6, src, dst, 58, tos, ttl, label, None, 40 + size, 40)


def test_options_of_ipv4_belong_to_the_header() -> None:
    record_route = bytes((7, 7, 4)) + bytes(5)
    found = read_header(ip(4, UDP, BODY, NEAR[4], FAR[4], options=record_route))
    assert found
    assert (found.size, found.length, found.proto) == (28, 36, UDP)


EMPTY = struct.pack("!BBHI", UDP, 0, 0, 0)
LIST = ROUTER[6] + FAR[6]
EXTENSIONS = [
    ("hop-by-hop", 0, EMPTY, ROUTER[6]),
    ("destination", 60, EMPTY, ROUTER[6]),
    ("long", 60, struct.pack("!BB", UDP, 2) + bytes(22), ROUTER[6]),
    ("first fragment", 44, struct.pack("!BBHI", UDP, 9, 1, 77), ROUTER[6]),
    ("authentication", 51, struct.pack("!BB", UDP, 4) + bytes(22), ROUTER[6]),
    ("several", 0, struct.pack("!BBHI", 60, 0, 0, 0) + EMPTY, ROUTER[6]),
    ("type 0", 43, struct.pack("!BBBBI", UDP, 4, 0, 1, 0) + LIST, FAR[6]),
    ("type 2", 43, struct.pack("!BBBBI", UDP, 2, 2, 1, 0) + FAR[6], FAR[6]),
    ("segments", 43, struct.pack("!BBBBI", UDP, 4, 4, 1, 0) + FAR[6] + ROUTER[6], FAR[6]),
    ("no segments left", 43, struct.pack("!BBBBI", UDP, 4, 4, 0, 0) + LIST, ROUTER[6]),
    ("too short for an address", 43, struct.pack("!BBBBI", UDP, 0, 4, 1, 0), ROUTER[6]),
    ("unknown type", 43, struct.pack("!BBBBI", UDP, 2, 99, 1, 0) + FAR[6], ROUTER[6]),
]


@pytest.mark.parametrize(
    ("kind", "extension", "dst"), [row[1:] for row in EXTENSIONS], ids=[row[0] for row in EXTENSIONS]
)
def test_extension_headers_of_ipv6_are_stepped_over(kind: int, extension: bytes, dst: bytes) -> None:
    found = read_header(ip(6, kind, BODY, NEAR[6], ROUTER[6], options=extension))
    assert found
    assert (found.proto, found.size, found.dst) == (UDP, 40 + len(extension), dst)
    assert found.length == found.size + len(BODY)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(40),
        b"\x44" + bytes(39),  # a header of 16 octets
        b"\x46" + bytes(22),  # cut within the options
        b"\x45" + bytes(5) + b"\x00\x01" + bytes(12),  # a later fragment
        ip(6, 44, BODY, NEAR[6], FAR[6], options=struct.pack("!BBHI", UDP, 0, 8, 0)),
        ip(6, 44, BODY, NEAR[6], FAR[6], options=struct.pack("!BBHI", UDP, 0, 256, 0)),
        ip(6, 60, b"", NEAR[6], FAR[6], options=struct.pack("!BBHI", UDP, 1, 0, 0)),
        ip(6, 60, b"", NEAR[6], FAR[6], options=EMPTY[:7]),
        ip(6, UDP, b"", NEAR[6], FAR[6])[:39],
    ],
)
def test_what_is_cut_or_not_the_beginning_is_no_header(data: bytes) -> None:
    assert read_header(data) is None


def test_the_checksum_of_a_sum_that_is_all_ones_is_zero() -> None:
    assert headers.complement(0) == 0
    assert headers.complement(1) == 0xFFFE
