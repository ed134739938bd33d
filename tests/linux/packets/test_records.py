# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
import pytest

from fleutan.errors import FleutanError
from fleutan.linux.packets import records
from fleutan.linux.packets.records import CGROUP, LAST, OWNER, SOCKET, TCP, parse, room_for


def entry(known: int = 0, room: int = 128, header: bytes = b"", **more: int) -> bytes:
    """A struct sample behind its head, its members different from each other."""
    first = {"at_ns": 50, "packets": 11, "cookie": 12, "cgroup_id": 13, "sent": 14, "received": 15, "retrans": 16}
    names = "ifindex one_in cpu hits segments length last_length kept input output known netns inode uid"
    words = {name: 20 + place for place, name in enumerate(names.split())} | {"known": known, "kept": len(header)}
    rest = {"protocol": 0x0800, "tpid": 0, "tci": 0, "egress": 1, "ethernet": 1, "network": 14, "way": 2, "state": 1}
    tcp = range(40, 53)
    assert not set(more) - {*first, *words, *rest}
    first, words, rest = ({name: more.get(name, was) for name, was in said.items()} for said in (first, words, rest))
    protocol, tpid, *others = rest.values()
    packed = struct.pack("=II7q14I13I", 184 + room, 0, *first.values(), *words.values(), *tcp)
    packed += struct.pack(">HH", protocol, tpid) + struct.pack("=H5B9x", *others)
    return (packed + header).ljust(8 + 184 + room, b"\0")


def octets(*entries: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(entries), np.uint8).copy()


def test_a_record_has_the_kernels_words() -> None:
    found = parse(octets(entry(SOCKET | OWNER | TCP | CGROUP | LAST, header=b"abc")), 128, 5000)
    values = {name: column.tolist() for name, column in found.values.items()}
    assert values == {
        "at_ns": [5050],
        "packets": [11],
        "cookie": [12],
        "cgroup_id": [13],
        "tcpi_bytes_sent": [14],
        "tcpi_bytes_received": [15],
        "tcpi_bytes_retrans": [16],
        "ifindex": [20],
        "one_in": [21],
        "cpu": [22],
        "hits": [23],
        "segments": [24],
        "length": [25],
        "last_length": [26],
        "kept": [3],
        "input": [28],
        "output": [29],
        "known": [31],
        "netns_inode": [31],
        "idiag_inode": [32],
        "idiag_uid": [33],
        "tcpi_snd_mss": [40],
        "tcpi_rcv_mss": [41],
        "tcpi_unacked": [42],
        "tcpi_lost": [43],
        "tcpi_total_retrans": [44],
        "tcpi_pmtu": [45],
        "tcpi_rtt": [46],
        "tcpi_rttvar": [47],
        "tcpi_snd_cwnd": [48],
        "tcpi_reordering": [49],
        "tcpi_min_rtt": [50],
        "tcpi_segs_out": [51],
        "tcpi_segs_in": [52],
        "protocol": [0x0800],
        "vlan_tpid": [0],
        "vlan_tci": [0],
        "egress": [1],
        "ethernet": [1],
        "network": [14],
        "way": [2],
        "idiag_state": [1],
        "header_at": [192],
    }
    assert all(known.all() for known in found.known.values())


def test_what_a_record_lacks_is_unknown() -> None:
    found = parse(octets(entry(SOCKET), entry(OWNER | SOCKET), entry(TCP | SOCKET), entry()), 128, 0)
    assert found.known["cookie"].tolist() == [True, True, True, False]
    assert found.known["idiag_uid"].tolist() == [False, True, False, False]
    assert found.known["tcpi_rtt"].tolist() == [False, False, True, False]
    assert not found.known["cgroup_id"].any()
    assert found.values["header_at"].tolist() == [192, 512, 832, 1152]


def test_records_with_more_room_are_longer() -> None:
    assert [room_for(octets) for octets in (1, 128, 129, 256)] == [128, 128, 256, 256]
    found = parse(octets(entry(room=256, header=b"x" * 256), entry(room=256)), 256, 0)
    assert (found.rows, found.values["kept"].tolist()) == (2, [256, 0])
    assert records.record(256).itemsize == 448


def test_octets_are_whole_records_or_an_error() -> None:
    assert parse(octets(), 128, 0).rows == 0
    with pytest.raises(FleutanError, match="samples: 319 octets are left over after 1 records of 320"):
        parse(octets(entry(), entry())[:-1], 128, 0)
