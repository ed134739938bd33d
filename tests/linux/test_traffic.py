# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bpf import FOLDER, needs_bpf, same_object_again

from fleutan.errors import FleutanError, NotSupported, UsageError
from fleutan.linux import libbpf, traffic
from fleutan.linux.iterators import ticks_per_second
from fleutan.linux.traffic import IP, NO_QUEUE, NOT_IP, OVERFLOW, RX, TX, Counting, Counts, parse
from fleutan.records import Records

ONE, TWO = (bytes(10) + b"\xff\xff" + socket.inet_aton(f"192.0.2.{number}") for number in (1, 2))
TCP, UDP, ICMP = 6, 17, 1

#: struct flow_key and struct counts of bpf/traffic.bpf.c, written down on their own.
KEY = struct.Struct("=16s16sqII5H6B")
COUNTS = struct.Struct("=5q2I")
ENDS = {"src": ONE, "dst": TWO, "sport": 1024, "dport": 53}


def key(**more: Any) -> bytes:
    said = {"cookie": 0, "netns": 7, "ifindex": 2, "cpu": 0, "queue": NO_QUEUE, "ethertype": 0x800, **ENDS, **more}
    ends = (said["src"], said["dst"], said["cookie"], said["netns"], said["ifindex"])
    numbers = (said[name] for name in ("cpu", "queue", "sport", "dport", "ethertype"))
    small = (said.get(name, 0) for name in ("kind", "direction", "proto", "icmp_type", "icmp_code"))
    return KEY.pack(*ends, *numbers, *small, 0)


def counts(packets: int, first_ns: int = 100, first_tick: int = 10, last_tick: int = 10) -> bytes:
    return COUNTS.pack(packets, packets * 100, packets * 110, packets * 2, first_ns, first_tick, last_tick)


def reading(rows: Mapping[bytes, bytes], cells: Mapping[bytes, bytes] | None = None) -> Counts:
    held = b"".join(key + value + bytes(16) for key, value in (cells or {}).items())
    return Counts(b"".join(rows), b"".join(rows.values()), held, 0, 1)


def rows(records: Records) -> list[dict[str, Any]]:
    names = [name for name in records.values if name not in ("src", "dst")]
    return [{name: int(records.values[name][row]) for name in names} for row in range(records.rows)]


# -- bytes into Records


def test_a_row_has_the_words_of_the_kernel() -> None:
    records = parse(reading({key(cookie=9, queue=3, cpu=1, direction=TX, proto=UDP): counts(5)}))
    (row,) = rows(records)
    assert row["cookie"] == 9
    assert (row["netns"], row["ifindex"], row["cpu"], row["queue"]) == (7, 2, 1, 3)
    assert (row["sport"], row["dport"], row["proto"], row["direction"]) == (1024, 53, UDP, TX)
    assert (row["packets"], row["bytes"], row["wire_bytes"], row["segments"]) == (5, 500, 550, 10)
    assert records.values["src"].tobytes() == ONE
    assert records.values["dst"].tobytes() == TWO
    assert all(records.known[name][0] for name in ("cookie", "queue"))
    assert not records.known["icmp_type"][0]


def test_what_was_not_recorded_is_unknown() -> None:
    known = parse(reading({key(proto=ICMP, icmp_type=3): counts(1), key(kind=NOT_IP, proto=ICMP): counts(1)})).known
    assert known["queue"].tolist() == known["cookie"].tolist() == [False, False]
    assert known["icmp_type"].tolist() == known["icmp_code"].tolist() == [True, False]


def test_the_last_packet_is_so_many_ticks_after_the_first_also_where_ticks_wrap() -> None:
    records = parse(reading({key(): counts(2, 1_000, 0xFFFF_FFFF, 4)}))
    assert records.values["last_ns"].tolist() == [1_000 + 5 * 1_000_000_000 // ticks_per_second()]


def test_readings_that_follow_each_other_are_one_with_a_row_of_each() -> None:
    first = reading({key(cookie=9): counts(5)}, {key(cookie=9): counts(2, 200, 20, 30), key(cookie=8): counts(1)})
    second = reading({key(cookie=9): counts(3)})._replace(began_ns=1, ended_ns=2, wall_ns=7, missed=4)
    found = traffic.together([first._replace(missed=1), second])
    assert (found.began_ns, found.ended_ns, found.wall_ns, found.missed) == (0, 2, 7, 5)
    assert found.rows == 4, "what stood in a cell has a row of its own"
    records = parse(found)
    packets = list(zip(*(records.values[name].tolist() for name in ("cookie", "packets")), strict=True))
    assert sorted(packets) == [(8, 1), (9, 2), (9, 3), (9, 5)]
    assert traffic.together([first]) is first


def test_a_flow_that_stands_in_a_cell_too_is_one_row() -> None:
    busy, idle, alone = key(sport=1), key(sport=2), key(sport=3)
    both = reading(
        {busy: counts(1, 50, 5, 6), idle: counts(2)},
        {busy: counts(3, 70, 7, 9), alone: counts(4), bytes(64): bytes(48)},
    )
    found = {row["sport"]: row for row in rows(parse(both))}
    assert {port: row["packets"] for port, row in found.items()} == {1: 4, 2: 2, 3: 4}
    assert found[1]["bytes"] == 400
    assert found[1]["first_ns"] == 50
    assert found[1]["last_ns"] == 50 + 4 * 1_000_000_000 // ticks_per_second()


def test_keys_with_the_same_number_are_told_apart() -> None:
    """What is made of all of a key is the same where its parts differ in the right way."""
    odd = 0x9E37_79B9_7F4A_7C15
    one, two, three = (
        struct.pack("=8Q", (5 + odd * times) % 2**64, 50 - times, *struct.unpack("=16x6Q", key())) for times in range(3)
    )
    found = parse(reading({one: counts(1), two: counts(2)}, {two: counts(3), three: counts(4), one: counts(5)}))
    assert sorted(row["packets"] for row in rows(found)) == [4, 5, 6]


def test_only_the_namespaces_that_are_meant_are_there_and_what_has_none() -> None:
    mine, theirs, nobodys = (key(netns=inode) for inode in (7, 8, 0))
    both = reading({mine: counts(1), theirs: counts(2)}, {theirs: counts(3), nobodys: counts(4)})
    assert sorted(row["netns"] for row in rows(parse(both, [7]))) == [0, 7]
    assert parse(both).rows == 3


def test_rows_that_counted_nothing_are_left_out() -> None:
    assert parse(reading({key(kind=OVERFLOW): counts(0)})).rows == 0
    assert parse(reading({})).rows == 0


@pytest.mark.parametrize("part", ["keys", "values", "cells"])
def test_bytes_that_are_no_whole_records_are_refused(part: str) -> None:
    whole = reading({key(): counts(1)}, {key(sport=1): counts(1)})
    for length in range(1, len(getattr(whole, part))):
        with pytest.raises(FleutanError, match=r"no whole records|1 keys, but"):
            parse(whole._replace(**{part: getattr(whole, part)[:length]}))


def test_keys_without_counts_are_refused() -> None:
    with pytest.raises(FleutanError, match="1 keys, but 0 counts"):
        parse(Counts(key(), b"", b"", 0, 1))


# -- counting


class Ours:
    """Datagrams on loopback between sockets of its own, and the rows that count them."""

    def __init__(self) -> None:
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind(("127.0.0.1", 0))
        self.port = self.receiver.getsockname()[1]
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, times: int, port: int | None = None) -> None:
        for _ in range(times):
            self.sender.sendto(b"x" * 100, ("127.0.0.1", port or self.port))
            if port is None:
                self.receiver.recv(200)

    def rows(self, counted: Counts) -> list[dict[str, Any]]:
        port = self.sender.getsockname()[1]
        return [row for row in rows(parse(counted)) if row["proto"] == UDP and row["sport"] == port]

    def close(self) -> None:
        self.receiver.close()
        self.sender.close()


def total(found: list[dict[str, Any]], direction: int, name: str = "packets") -> int:
    return sum(row[name] for row in found if row["direction"] == direction)


@needs_bpf
def test_every_packet_is_in_exactly_one_reading_with_the_senders_cookie() -> None:
    ours = Ours()
    with Counting() as counting:
        ours.send(3)
        first = counting.read()
        ours.send(5)
        second = counting.read()
        third = counting.read()
    assert [total(ours.rows(one), TX) for one in (first, second, third)] == [3, 5, 0]
    assert [total(ours.rows(one), RX) for one in (first, second, third)] == [3, 5, 0]
    assert total(ours.rows(first), TX, "bytes") == 3 * (100 + 8 + 20 + 14)
    assert {row["cookie"] for row in ours.rows(first) if row["direction"] == TX} == {
        int.from_bytes(ours.sender.getsockopt(socket.SOL_SOCKET, 57, 8), "little")
    }
    assert {row["netns"] for row in ours.rows(first)} == {os.stat("/proc/thread-self/ns/net").st_ino}
    assert {row["ifindex"] for row in ours.rows(first)} == {socket.if_nametoindex("lo")}
    assert all(before.ended_ns == after.began_ns for before, after in pairwise((first, second, third)))
    assert all(row["first_ns"] > first.began_ns for row in ours.rows(first))
    assert first.missed == 0
    ours.close()


@needs_bpf
def test_what_finds_no_row_is_added_up_by_device() -> None:
    ours = Ours()
    with Counting(entries=8) as counting:
        for port in range(20_000, 22_000):
            ours.send(1, port)
        found = rows(parse(counting.read()))
    lo, here = socket.if_nametoindex("lo"), os.stat("/proc/thread-self/ns/net").st_ino
    at_lo = [row for row in found if (row["ifindex"], row["netns"]) == (lo, here) and row["direction"] == TX]
    folded = [row for row in at_lo if row["kind"] == OVERFLOW]
    assert total(folded, TX) > 1_000
    assert all(row["sport"] == row["dport"] == row["cookie"] == 0 for row in folded)
    named = [row for row in at_lo if row["kind"] == IP and 20_000 <= row["dport"] < 22_000]
    assert total(named, TX) + total(folded, TX) >= 2_000
    ours.close()


@needs_bpf
def test_nothing_is_left_behind() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    counting = Counting()
    with counting:
        counting.read()
        assert len(os.listdir("/proc/self/fd")) > len(before)
    counting.close()
    assert sorted(os.listdir("/proc/self/fd")) == before


@needs_bpf
def test_runs_are_counted_where_that_is_asked_for() -> None:
    ours = Ours()
    with Counting() as counting, libbpf.counting_runs():
        ours.send(10)
        sent = counting.runs("sent")
    assert sent.run_cnt >= 10
    assert sent.run_time_ns > 0
    assert sent.recursion_misses == 0
    ours.close()


@needs_bpf
def test_an_object_that_lacks_a_map_is_refused_and_leaves_nothing() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(NotSupported), Counting(path=str(FOLDER / "sockets.bpf.o")):
        pass
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("entries", [0, -1, traffic.MOST_ENTRIES + 1])
def test_a_size_that_cannot_be_had_is_refused(entries: int) -> None:
    with pytest.raises(UsageError, match=f"traffic: {entries} rows cannot be kept"):
        Counting(entries)


def test_closing_what_was_never_begun_does_nothing() -> None:
    Counting().close()


def test_the_layouts_are_those_of_the_program() -> None:
    for layout, size in ((traffic.KEY, KEY.size), (traffic.COUNTS, COUNTS.size)):
        assert np.dtype([(name, kind) for kind, names in layout for name in names.split()]).itemsize == size


def test_the_object_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    same_object_again("traffic", tmp_path)
