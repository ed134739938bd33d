# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bpf import agrees, needs_bpf, same_object_again

from fleutan.errors import NotSupported, UsageError
from fleutan.linux import discards
from fleutan.linux.discards import ETHERNET, LONGEST, RECEIVED, RECORD, Discarding, parse, room
from fleutan.linux.libbpf import counting_runs
from fleutan.linux.reasons import drop_reasons

Row = dict[str, Any]
ENTRY = RECORD.itemsize + LONGEST
NOTHING = ("SKB_NOT_DROPPED_YET", "SKB_CONSUMED", "NOT_SPECIFIED")

#: A child without privileges says what it may not.
AS_NOBODY = """
import os
from fleutan.errors import NotSupported
from fleutan.linux.discards import Discarding
os.setgroups([])
os.setresuid(65534, 65534, 65534)
try:
    Discarding().__enter__()
except NotSupported as error:
    print(error)
"""


def record(**values: int) -> bytes:
    head = np.zeros(1, RECORD)
    for name, value in values.items():
        head[name] = value
    return head.tobytes() + bytes(range(256))


def test_a_record_has_its_columns() -> None:
    names = [name for name in RECORD.names or () if name != "padding"]
    wanted = {name: place + 1 for place, name in enumerate(names)}
    octets = np.frombuffer(bytes(8) + record(**wanted) + bytes(8) + record(), np.uint8)
    found = parse(octets, np.array([8, 16 + ENTRY]), 1000)
    assert {name: getattr(found, name).tolist() for name in names} == {
        name: [value + 1000 * (name == "at_ns"), 1000 * (name == "at_ns")] for name, value in wanted.items()
    }
    assert {getattr(found, name).dtype for name in names} == {np.dtype(np.int64)}
    (first, second) = found.start.tolist()
    assert octets[first : first + 256].tolist() == octets[second : second + 256].tolist() == [*range(256)]


def test_nothing_is_no_rows() -> None:
    assert len(parse(np.zeros(0, np.uint8), np.zeros(0, np.int64), 5).at_ns) == 0


def test_room_is_for_two_seconds_within_bounds() -> None:
    assert room(1) == 1 << 16
    assert 2 * 1000 * (8 + ENTRY) <= room(1000) == 1 << 20
    assert room(discards.FASTEST) == 8 << 20


@pytest.mark.parametrize("numbers", [{"limit": 0}, {"limit": 100_001}, {"header": 15}, {"header": 257}])
def test_numbers_out_of_bounds_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="at least"):
        Discarding(**numbers)  # type: ignore[arg-type]


def test_without_libbpf_it_says_what_to_install() -> None:
    with pytest.raises(NotSupported, match="install libbpf1"), Discarding(library="libbpf.so.0x"):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give privileges up")
def test_nobody_is_told_what_it_takes() -> None:
    said = subprocess.run([sys.executable, "-c", AS_NOBODY], capture_output=True, text=True, check=True).stdout
    assert "it takes root, or CAP_BPF and CAP_PERFMON" in said


# -- the kernel: datagrams by loopback to a port where nobody is


def passed_over() -> list[int]:
    return [number for number, name in drop_reasons().items() if name in NOTHING]


@pytest.fixture
def port() -> Iterator[int]:
    """One where nobody is: its socket is another protocol's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


def send(port: int, count: int, size: int = 100) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for place in range(count):
            one.sendto(place.to_bytes(4, "big") + bytes(size - 4), ("127.0.0.1", port))


def rows(found: discards.Discarded, port: int) -> list[Row]:
    """What was sent there, in order."""
    all_rows: list[Row] = [
        {name: int(getattr(found, name)[row]) for name in found._fields[1:]}
        | {"header": found.octets[found.start[row] :][: found.size[row]].tobytes()}
        for row in range(len(found.at_ns))
    ]
    return [row for row in all_rows if row["header"][36:38] == port.to_bytes(2, "big") and row["header"][23] == 17]


@needs_bpf
def test_a_dropped_packet_is_told_with_its_header(port: int) -> None:
    def look() -> None:
        with Discarding(passed_over=passed_over()) as kernel:
            began = time.time_ns()
            send(port, 3)
            found = rows(kernel.read(), port)
            assert rows(kernel.read(), port) == []
        assert [int.from_bytes(row["header"][42:46], "big") for row in found] == [0, 1, 2]
        assert {drop_reasons()[row["reason"]] for row in found} == {"NO_SOCKET"}
        lo, here = socket.if_nametoindex("lo"), os.stat("/proc/self/ns/net").st_ino
        for row in found:
            assert (row["protocol"], row["direction"], row["ethertype"]) == (ETHERNET, RECEIVED, 0x0800)
            assert (row["input"], row["device"], row["netns"]) == (lo, lo, here)
            assert (row["length"], row["size"]) == (14 + 20 + 8 + 100, 128)
            assert row["header"][:14] == bytes(12) + b"\x08\0"
            assert began <= row["at_ns"] <= time.time_ns()
            assert row["location"] != 0

    agrees(look)


@needs_bpf
@pytest.mark.parametrize("header", [16, 60, 256])
def test_as_many_octets_are_kept_as_are_wanted(port: int, header: int) -> None:
    def look() -> None:
        with Discarding(header=header, passed_over=passed_over()) as kernel:
            send(port, 1, 400)
            found = kernel.read()
        assert header in found.size.tolist()
        assert found.size.max() == header
        assert 442 in found.length.tolist()

    agrees(look)


@needs_bpf
@pytest.mark.usefixtures("namespace")
def test_beyond_the_quota_they_are_counted_exactly() -> None:
    def look() -> None:
        ip("link", "set", "lo", "up")
        with Discarding(limit=50, passed_over=passed_over(), only_own=True) as kernel:
            began = time.monotonic()
            send(9, 5000)
            seconds = time.monotonic() - began
            found = rows(kernel.read(), 9)
            lo = socket.if_nametoindex("lo")
            assert kernel.suppressed() == {lo: 5000 - len(found)}
            assert 50 <= len(found) <= 50 * (1 + seconds) + 1
            assert [row["header"][42:46] for row in found[:50]] == [place.to_bytes(4, "big") for place in range(50)]
            assert kernel.missed() == 0

    agrees(look)


@needs_bpf
@pytest.mark.usefixtures("namespace")
def test_what_finds_no_room_is_counted_too() -> None:
    def look() -> None:
        ip("link", "set", "lo", "up")
        held = room(20_000) // (8 + ENTRY)
        with Discarding(limit=20_000, passed_over=passed_over(), only_own=True) as kernel:
            for _ in range(2):
                send(9, 19_000)
            began = time.monotonic()
            kernel.wait(10)  # it is woken when half the ring is full
            assert time.monotonic() - began < 5
            told, more = len(kernel.read().at_ns), kernel.suppressed()[socket.if_nametoindex("lo")]
        assert told + more == 38_000
        assert told <= held

    agrees(look)


@needs_bpf
def test_reasons_and_places_can_be_passed_over(port: int) -> None:
    def look() -> None:
        no_socket = next(number for number, name in drop_reasons().items() if name == "NO_SOCKET")
        with Discarding(passed_over=[*passed_over(), no_socket, 1 << 16]) as kernel:
            send(port, 10)
            assert rows(kernel.read(), port) == []
            assert kernel.events() >= 10
        with Discarding(passed_over=passed_over(), hides=True) as kernel:
            send(port, 2)
            found = rows(kernel.read(), port)
            kernel.hide({row["location"] for row in found})
            send(port, 10)
            assert len(found) == 2
            assert rows(kernel.read(), port) == []

    agrees(look)


@needs_bpf
def test_taken_out_it_sees_nothing_until_it_is_put_in_again(port: int) -> None:
    def look() -> None:
        with Discarding(passed_over=passed_over()) as kernel:
            send(port, 1)
            kernel.detach()
            kernel.detach()
            before = kernel.events()
            send(port, 5)
            assert kernel.events() == before
            kernel.attach()
            send(port, 2)
            kernel.wait(0)
            assert len(rows(kernel.read(), port)) == 3

    agrees(look)


@needs_bpf
def test_its_cost_is_counted_where_the_kernel_counts(port: int) -> None:
    with counting_runs(), Discarding(passed_over=passed_over()) as kernel:
        send(port, 20)
        assert kernel.runs().run_cnt >= 20


@needs_bpf
def test_nothing_is_left_behind() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Discarding() as kernel:
        kernel.read()
    with suppress(NotSupported), Discarding(library="libbpf.so.0x"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


# -- what is no Ethernet, and tags


#: Before it is looked whose VLAN it is of.
DROP_ALL = "add table netdev t; add chain netdev t c { type filter hook ingress device two priority 0; policy drop; }"


def packet_socket(ifname: str, frame: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as one:
        one.bind((ifname, 0))
        one.send(frame)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@needs_bpf
@pytest.mark.skipif(not shutil.which("nft"), reason="needs nft of nftables")
@pytest.mark.usefixtures("namespace")
def test_a_tag_that_the_device_took_off_is_in_its_place() -> None:
    def look() -> None:
        ip("link", "add", "one", "type", "veth", "peer", "name", "two")
        ip("link", "set", "one", "up")
        ip("link", "set", "two", "up")
        subprocess.run(["nft", "-f", "-"], input=DROP_ALL, text=True, check=True)
        frame = bytes(range(12)) + struct.pack("!HHH", 0x8100, 0x6007, 0x88B5) + bytes(range(100))
        with Discarding(passed_over=passed_over()) as kernel:
            packet_socket("one", frame)
            found = kernel.read()
            index = socket.if_nametoindex("two")
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        ip("link", "delete", "one")
        kept = [found.octets[start:][:128].tobytes() for start in found.start.tolist()]
        row = next(row for row, header in enumerate(kept) if header.startswith(frame[:6]))
        assert kept[row][: found.size[row]] == frame
        assert (found.length[row], found.device[row]) == (len(frame), index)

    agrees(look)


def test_the_object_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    same_object_again("discards", tmp_path)
