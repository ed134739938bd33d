# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.packets.kit import ETH4, checksum, ipv4, made

from fleutan.linux.packets.records import LAST
from fleutan.sources.packets.segments import segments

ETH6 = bytes(12) + b"\x86\xdd"


def headers(found: object) -> list[bytes]:
    values = found.records.values  # type: ignore[attr-defined]
    ends = zip(values["header_at"].tolist(), values["kept"].tolist(), strict=True)
    return [bytes(found.octets[at : at + size]) for at, size in ends]  # type: ignore[attr-defined]


def test_a_packet_that_is_one_stays_as_it_is() -> None:
    records, octets = made({"header": ETH4 + ipv4(86), "length": 100, "last_length": 100, "known": LAST})
    found = segments(records, octets)
    assert found.length.tolist() == [100]
    assert headers(found) == [ETH4 + ipv4(86)]


def test_a_segment_says_its_own_length_and_its_checksum_is_right() -> None:
    many = {"segments": 3, "length": 1514, "last_length": 200, "header": ETH4 + ipv4(3000)}
    records, octets = made(many, {**many, "known": LAST})
    found = segments(records, octets)
    assert found.length.tolist() == [1514, 200]
    assert headers(found) == [ETH4 + ipv4(1500), ETH4 + ipv4(186)]


def test_a_packet_that_was_hit_several_times_is_several_rows() -> None:
    many = {"segments": 5, "hits": 3, "length": 1514, "last_length": 200, "header": ETH4 + ipv4(6000)}
    records, octets = made({"length": 60, "cookie": 7}, {**many, "known": LAST}, many, {"length": 61})
    found = segments(records, octets)
    assert found.length.tolist() == [60, 1514, 1514, 200, 1514, 1514, 1514, 61]
    assert found.records.rows == 8
    assert headers(found)[3:5] == [ETH4 + ipv4(186), ETH4 + ipv4(1500)]
    assert found.records.values["cookie"].tolist() == [7, *[0] * 7]


def test_ipv6_and_udp_say_their_lengths_too() -> None:
    def six(length: int, udp: int) -> bytes:
        head = b"\x60" + bytes(3) + length.to_bytes(2) + bytes((17, 64)) + bytes(32)
        return ETH6 + head + bytes(4) + udp.to_bytes(2) + bytes(2)

    def four(length: int, udp: int) -> bytes:
        return ETH4 + ipv4(length, 17, bytes(4) + udp.to_bytes(2) + bytes(2))

    many = {"segments": 3, "length": 1014}
    records, octets = made(
        {**many, "protocol": 0x86DD, "header": six(3000, 3000)},
        {**many, "header": four(3000, 2980)},
        {**many, "header": four(3000, 2980)[:-4]},
    )
    assert headers(segments(records, octets)) == [six(960, 960), four(1000, 980), four(1000, 980)[:-4]]


def test_what_is_not_kept_is_not_written() -> None:
    many = {"segments": 3, "length": 1014}
    short = (ETH4 + ipv4(3000))[:30]
    records, octets = made({**many, "header": short}, {**many, "protocol": 0x0806, "header": ETH4 + bytes(40)})
    assert headers(segments(records, octets)) == [short, ETH4 + bytes(40)]


@given(st.integers(20, 0xFFFF), st.integers(20, 0xFFFF))
def test_checksums_are_right_whatever_the_lengths(before: int, after: int) -> None:
    records, octets = made({"segments": 2, "length": after + 14, "header": ETH4 + ipv4(before)})
    [header] = headers(segments(records, octets))
    assert int.from_bytes(header[16:18]) == after
    assert checksum(header[14:34]) == 0xFFFF


def test_nothing_is_nothing() -> None:
    records, octets = made()
    assert segments(records, octets).length.tolist() == np.zeros(0).tolist()
