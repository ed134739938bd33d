# SPDX-License-Identifier: Apache-2.0
"""Packets as lines: what headers say, what rows say, and nothing that neither does."""

from __future__ import annotations

import pytest
from tests.exports.como.answers import AT, ETHERNET, RAW, TCP_PACKET, TRACE, UDP_PACKET, addresses, ints, octets, text

from fleutan.column import text_column
from fleutan.table import Table


def line(**columns: object) -> str:
    table = Table("trace", {"time": ints(AT), **columns})  # type: ignore[dict-item]
    (found,) = text("trace", "pretty", [table]).splitlines()
    return found.removeprefix("18:25:00.154005 ")


def test_a_header_is_read() -> None:
    assert line(header=octets(TCP_PACKET), link_type=ints(ETHERNET)) == (
        "IP | tcp - tos 0x10 ttl 64 id 7 length: 1500 - 10.0.0.1:5000 > 10.0.0.2:80 SA seq 1000 ack 2000 win 512"
    )
    assert line(header=octets(UDP_PACKET), link_type=ints(RAW)) == (
        "IP6 | udp - tos 0x0 ttl 61 length: 48 - [::1]:53 > [::2]:1053"
    )


def test_what_was_cut_off_is_not_said() -> None:
    assert line(header=octets(TCP_PACKET[: 14 + 20 + 4]), link_type=ints(ETHERNET)) == (
        "IP | tcp - tos 0x10 ttl 64 id 7 length: 1500 - 10.0.0.1:5000 > 10.0.0.2:80"
    )
    for size in range(len(TCP_PACKET)):
        assert line(header=octets(TCP_PACKET[:size]), link_type=ints(ETHERNET))


def test_where_there_is_no_header_the_row_says_what_it_knows() -> None:
    ends = {"src": addresses("192.0.2.1"), "dst": addresses("192.0.2.2")}
    assert line(bytes=ints(99), proto=text_column(["udp"]), **ends) == "IP | udp - length: 99 - 192.0.2.1 > 192.0.2.2"
    assert line(**ends, sport=ints(1), dport=ints(2), tcp_flags=ints(0)) == "IP | - 192.0.2.1:1 > 192.0.2.2:2 ."
    assert line(proto=text_column(["tcp"])) == "? | tcp -"
    assert line(bytes=ints(60), ethertype=ints(0x0806)) == "ARP | length: 60"
    assert line() == "? |"


def test_the_header_goes_before_the_row() -> None:
    found = line(header=octets(TCP_PACKET), link_type=ints(ETHERNET), tcp_flags=ints(0xFF), bytes=ints(1514))
    assert " SA " in found
    assert "length: 1500" in found


@pytest.mark.parametrize(("flags", "letters"), [(0xFF, "FSRPAUEC"), (2, "S"), (0x100, ".")])
def test_flags_are_letters(flags: int, letters: str) -> None:
    found = line(src=addresses("::1"), dst=addresses("::2"), tcp_flags=ints(flags))
    assert found == f"IP6 | - ::1 > ::2 {letters}"


def test_each_packet_has_one_line() -> None:
    lines = text("trace", "pretty", [TRACE]).splitlines()
    assert len(lines) == len(TRACE)
    assert lines[5].startswith("--:--:--.------ IP | tcp")
