# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
from tests.sources.packets.kit import ETH4, ipv4, made

from fleutan.linux.packets.records import CGROUP, LAST, OWNER, SOCKET, TCP
from fleutan.sources.packets.columns import INTERNAL, Packets, Tap, Totals, of_records

TAGGED = bytes(12) + b"\x81\x00" + (3 << 13 | 42).to_bytes(2) + b"\x08\x00"


def packets(*rows: dict[str, Any], **more: Any) -> Packets:
    found, untold = of_records(*made(*rows), more.get("totals", {}))
    assert untold == more.get("untold", 0)
    return found


def test_a_frame_has_its_check_sequence_which_was_taken_off() -> None:
    found = packets({"header": ETH4 + ipv4(86), "length": 99, "last_length": 100, "known": LAST, "egress": 1})
    values = found.columns.values
    assert [values[name].tolist() for name in ("protocol", "length", "stripped")] == [[1], [104], [4]]
    assert values["egress"].tolist() == [True]
    assert found.header.strings() == [ETH4 + ipv4(86)]
    assert not values["is_own"].any()
    for name in ("cookie", "uid", "rtt_us", "direction", "in_vlan", "anything"):
        assert not found.known(name).any()


def test_without_a_frame_it_begins_with_what_its_type_says_or_cannot_be_told() -> None:
    bare = {"ethernet": 0, "network": 0, "length": 60, "header": b"E" * 60}
    rows = [{**bare, "protocol": kind, "ifindex": kind} for kind in (0x0800, 0x86DD, 0x8847, 0x0806)]
    found = packets(*rows, untold=1)
    values = found.columns.values
    assert values["protocol"].tolist() == [11, 12, 13]
    assert values["ifindex"].tolist() == [0x0800, 0x86DD, 0x8847]
    assert (values["length"].tolist(), values["stripped"].tolist()) == ([60] * 3, [0] * 3)
    assert found.header.rows == found.rows == 3


def test_pool_and_drops_are_those_of_the_rows_sampler() -> None:
    totals = {Tap(3, egress=True): Totals(900, 5), Tap(3, egress=False): Totals(80, 0)}
    rows = [{"ifindex": 3, "egress": 1}, {"ifindex": 3}, {"ifindex": 4}, {"ifindex": 3, "egress": 1}]
    values = packets(*rows, totals=totals).columns.values
    assert values["pool"].tolist() == [900, 80, 0, 900]
    assert values["drops"].tolist() == [5, 0, 0, 5]


def test_a_tag_is_of_the_side_where_the_device_is() -> None:
    rows = [{"header": header, "egress": way} for header in (TAGGED + bytes(20), ETH4) for way in (0, 1)]
    found = packets(*rows, {"header": TAGGED[:15]}, {"header": TAGGED, "ethernet": 0, "network": 0})
    values = found.columns.values
    assert found.known("in_vlan").tolist() == [True, *[False] * 5]
    assert found.known("out_vlan").tolist() == [False, True, *[False] * 4]
    assert [values[name][0] for name in ("in_vlan", "in_priority")] == [42, 3]
    assert [values[name][1] for name in ("out_vlan", "out_priority")] == [42, 3]


def test_a_socket_and_its_connection_have_our_words() -> None:
    tcp = {"way": 2, "tcpi_rtt": 300, "tcpi_rttvar": 7, "tcpi_min_rtt": 20, "tcpi_total_retrans": 9}
    everything = {"known": SOCKET | OWNER | TCP | CGROUP, "cookie": 5, "idiag_inode": 6, "idiag_uid": 0, **tcp}
    young = {**everything, "cookie": 0, "tcpi_rtt": 0, "tcpi_min_rtt": 0xFFFF_FFFF, "idiag_inode": 0}
    found = packets(everything, young, {"known": SOCKET | OWNER, "way": 1, "cookie": 8}, {"known": SOCKET})
    values = found.columns.values
    assert values["is_own"].all()
    assert found.known("cookie").tolist() == [True, False, True, False]
    assert found.known("inode").tolist() == [True, False, False, False]
    assert found.known("uid").tolist() == [True, True, True, False]
    assert found.known("direction").tolist() == [True, True, False, False]
    for name in ("rtt_us", "rttvar_us", "min_rtt_us"):
        assert found.known(name).tolist() == [True, False, False, False]
    assert found.known("retrans").tolist() == [True, True, False, False]
    first = {name: values[name][0] for name in ("direction", "rtt_us", "rttvar_us", "min_rtt_us", "retrans")}
    assert first == {"direction": 2, "rtt_us": 300, "rttvar_us": 7, "min_rtt_us": 20, "retrans": 9}


def test_rows_can_be_taken() -> None:
    found = packets({"input": INTERNAL, "output": 3}, {"input": 4, "output": 0}).take(np.array([1]))
    assert (found.rows, found.header.rows, found.columns.values["input"].tolist()) == (1, 1, [4])
    assert found.known("input").all()
