# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bpf import agrees, needs_bpf, same_object_again

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux import lifecycle
from fleutan.linux.libbpf import counting_runs
from fleutan.linux.lifecycle import (
    BY_CLOSE,
    BY_CONNECT,
    BY_LISTEN,
    BY_NOTHING,
    ROLE_ACCEPT,
    ROLE_CONNECT,
    ROLE_LISTEN,
    Lives,
    Watching,
    finished,
    parse,
)
from fleutan.records import Records

ESTABLISHED, SYN_SENT, CLOSE, LISTEN = 1, 2, 7, 10
ENTRY = 200
PAGE = os.sysconf("SC_PAGE_SIZE")

Row = dict[str, Any]


def record(cookie: int, begun: int = 0, at: int = 0, pid: int = 0, comm: bytes = b"", head: int = 192) -> bytes:
    """A struct life_record behind its head, all its members different."""
    counters = range(1, 5)
    return struct.pack(
        "=II5q4q16s16s4I7I2H5B3x16s16s",
        *(head, 0, cookie, 6, begun, begun and begun + 1, at, *counters),
        *(bytes(range(16)), bytes(range(16, 32)), 7, 8, pid, 111, *range(20, 27)),
        *(4321, 80, 2, SYN_SENT, CLOSE, ROLE_CONNECT, BY_CONNECT if pid else BY_NOTHING, comm, b"eth0"),
    )


def lives(*entries: bytes) -> Lives:
    return Lives(b"".join(entries), 100, 200, 5000)


def test_nothing_is_no_rows() -> None:
    assert parse(lives()).rows == 0


def test_a_record_has_the_kernels_words() -> None:
    found = parse(lives(record(9, begun=50, at=70, pid=3, comm=b"curl"), record(10, at=71)))
    values = {name: column[0].tolist() for name, column in found.values.items() if column.ndim == 1}
    assert values == {
        "idiag_cookie": 9,
        "cgroup_id": 6,
        "begun_ns": 5050,
        "established_ns": 5051,
        "at_ns": 5070,
        "tcpi_bytes_sent": 1,
        "tcpi_bytes_acked": 2,
        "tcpi_bytes_received": 3,
        "tcpi_bytes_retrans": 4,
        "netns_inode": 7,
        "idiag_uid": 8,
        "pid": 3,
        "sk_err": 111,
        "tcpi_rtt": 20,
        "tcpi_min_rtt": 21,
        "tcpi_segs_out": 22,
        "tcpi_segs_in": 23,
        "tcpi_data_segs_out": 24,
        "tcpi_data_segs_in": 25,
        "tcpi_total_retrans": 26,
        "idiag_sport": 4321,
        "idiag_dport": 80,
        "idiag_family": 2,
        "old_state": SYN_SENT,
        "new_state": CLOSE,
        "role": ROLE_CONNECT,
        "by": BY_CONNECT,
        "comm": b"curl",
        "device": b"eth0",
    }
    assert found.values["idiag_dst"][0].tobytes() == bytes(range(16, 32))
    for name in ("pid", "comm", "begun_ns", "established_ns"):
        assert found.known[name].tolist() == [True, False]


@given(st.binary(max_size=3 * ENTRY))
def test_bytes_are_whole_records_or_an_error(data: bytes) -> None:
    if len(data) % ENTRY:
        with pytest.raises(FleutanError, match="bytes are left over"):
            parse(lives(data))
    else:
        assert parse(lives(data)).rows == len(data) // ENTRY


def test_what_is_still_being_written_is_left_for_later() -> None:
    done, busy = record(1), record(2, head=192 | 1 << 31)
    assert finished(memoryview(b""), ENTRY) == 0
    assert finished(memoryview(done + done), ENTRY) == 2 * ENTRY
    assert finished(memoryview(done + busy + done), ENTRY) == ENTRY
    assert finished(memoryview(busy), ENTRY) == 0


# -- the kernel


@pytest.fixture
def watching() -> Iterator[Watching]:
    with Watching() as made:
        yield made


def listening() -> socket.socket:
    made = socket.create_server(("127.0.0.1", 0), backlog=128)
    made.settimeout(10)
    return made


def converse(listener: socket.socket, times: int = 1) -> None:
    """Connections that carry 1000 bytes one way and 10 the other; the client closes first."""
    for _ in range(times):
        with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
            client.sendall(b"x" * 1000)
            assert len(server.recv(1000, socket.MSG_WAITALL)) == 1000
            server.sendall(b"y" * 10)
            assert len(client.recv(10, socket.MSG_WAITALL)) == 10
            client.shutdown(socket.SHUT_WR)
            assert server.recv(1) == b""


def rows_at(found: Records, port: int) -> list[Row]:
    """The records with this port at an end, in order."""
    names = [name for name, values in found.values.items() if values.ndim == 1]
    at = (found.values["idiag_sport"] == port) | (found.values["idiag_dport"] == port) if found.rows else []
    return [{name: found.values[name][row].tolist() for name in names} for row in np.flatnonzero(at)]


def all_of(watching: Watching, port: int, count: int) -> list[Row]:
    """So many records of a port, as they come within some seconds."""
    rows: list[Row] = []
    deadline = time.monotonic() + 10
    while len(rows) < count and time.monotonic() < deadline:
        watching.wait(0.01)
        rows += rows_at(parse(watching.read()), port)
    return rows


@needs_bpf
def test_a_connection_begins_and_ends_at_both_ends(watching: Watching) -> None:
    with listening() as listener:
        port = listener.getsockname()[1]
        converse(listener)
    rows = all_of(watching, port, 6)
    assert Counter((row["role"], row["new_state"]) for row in rows) == Counter(
        (role, state) for role in (ROLE_CONNECT, ROLE_ACCEPT) for state in (ESTABLISHED, CLOSE)
    ) + Counter([(ROLE_LISTEN, LISTEN), (ROLE_LISTEN, CLOSE)])
    client, server = (
        next(row for row in rows if row["role"] == role and row["new_state"] == CLOSE)
        for role in (ROLE_CONNECT, ROLE_ACCEPT)
    )
    assert (client["tcpi_bytes_sent"], server["tcpi_bytes_sent"]) == (1000, 10)
    assert (server["tcpi_bytes_received"], client["tcpi_bytes_received"]) == (1000 + 1, 10 + 1)  # with the FIN
    assert (client["idiag_sport"], client["idiag_dport"]) == (server["idiag_dport"], server["idiag_sport"])
    assert (client["by"], server["by"]) == (BY_CONNECT, BY_CLOSE)
    for row in (client, server):
        assert (row["pid"], row["comm"]) == (os.getpid(), Path("/proc/self/comm").read_bytes().strip())
        assert (row["sk_err"], row["device"], row["idiag_uid"]) == (0, b"lo", os.getuid())
        assert row["netns_inode"] == os.stat("/proc/self/ns/net").st_ino
        assert row["begun_ns"] <= row["established_ns"] <= row["at_ns"] <= time.time_ns()
        assert time.time_ns() - row["begun_ns"] < 60e9
        assert row["tcpi_rtt"] > 0
    assert all(row["by"] == BY_LISTEN for row in rows if row["role"] == ROLE_LISTEN)


@needs_bpf
def test_a_refused_connection_is_told_with_its_error(watching: Watching) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        port = taken.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    (row,) = all_of(watching, port, 1)
    assert (row["old_state"], row["new_state"], row["sk_err"]) == (SYN_SENT, CLOSE, 111)
    assert (row["role"], row["pid"], row["established_ns"] <= row["begun_ns"]) == (ROLE_CONNECT, os.getpid(), True)


@needs_bpf
def test_what_was_there_before_ends_without_a_beginning() -> None:
    with listening() as listener, socket.create_connection(listener.getsockname()) as client:
        server, _ = listener.accept()
        port = listener.getsockname()[1]
        with Watching() as watching:
            client.close()
            server.close()
            found = parse(watching.read())
    ends = rows_at(found, port)
    assert len(ends) == 2
    assert {row["by"] for row in ends} == {BY_CLOSE}
    assert not found.known["begun_ns"].any()


def ten_thousand() -> int:
    """That many short connections, one after the other; the port of their listener."""
    with listening() as listener:
        port = int(listener.getsockname()[1])

        def serve() -> None:
            for _ in range(10_000):
                with listener.accept()[0] as server:
                    server.recv(1)

        server = Thread(target=serve)
        server.start()
        for _ in range(10_000):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"x")
        server.join()
    return port


@needs_bpf
def test_ten_thousand_short_connections_are_all_there(watching: Watching) -> None:
    def look() -> None:
        port = ten_thousand()
        seen: set[int] = set()
        ends: Counter[tuple[int, int]] = Counter()
        deadline = time.monotonic() + 3
        while ends.total() < 20_000 and time.monotonic() < deadline:
            watching.wait(0.01)
            taken = watching.read()
            assert taken.lost == lifecycle.Lost(*bytes(9))
            values = parse(taken).values
            if values:
                ours = (values["idiag_sport"] == port) | (values["idiag_dport"] == port)
                ours &= values["role"] != ROLE_LISTEN
                ended = ours & (values["new_state"] == CLOSE)
                assert (values["pid"][ended] == os.getpid()).all()
                seen |= set(values["idiag_cookie"][ours].tolist())
                ends.update(zip(values["role"][ended].tolist(), values["by"][ended].tolist(), strict=True))
        assert len(seen) == 20_000
        assert ends == {(ROLE_CONNECT, BY_CONNECT): 10_000, (ROLE_ACCEPT, BY_CLOSE): 10_000}

    agrees(look)


@needs_bpf
def test_what_finds_no_room_is_added_up() -> None:
    with Watching(room=PAGE) as watching, listening() as listener:
        port = listener.getsockname()[1]
        converse(listener, times=50)
        taken = watching.read()
        told = rows_at(parse(taken), port)
        lost, missed = taken.lost, taken.missed
        after = watching.read()
    assert 0 < len(told) <= PAGE // ENTRY
    begun = sum(row["new_state"] != CLOSE for row in told)
    ended = [row for row in told if row["new_state"] == CLOSE]
    if missed == 0:  # other connections of this host may be in it too
        assert lost.begun + begun >= 101
        assert lost.ended + len(ended) >= 100
        assert lost.bytes_sent + sum(row["tcpi_bytes_sent"] for row in ended) >= 50 * 1010
    assert after.lost.begun <= lost.begun


@needs_bpf
def test_a_reader_that_waits_loses_nothing_in_a_small_ring() -> None:
    with Watching(room=64 * PAGE) as watching, listening() as listener:  # a third of all
        port = listener.getsockname()[1]
        traffic = Thread(target=converse, args=(listener, 1_000))
        traffic.start()
        while traffic.is_alive():
            watching.wait(0.02)
        taken = watching.read()
    assert taken.lost == lifecycle.Lost(*bytes(9))
    assert sum(row["new_state"] == CLOSE for row in rows_at(parse(taken), port)) >= 1_995  # the last may be under way


@needs_bpf
def test_what_is_held_is_bounded() -> None:
    with Watching(room=PAGE, most=1) as watching, listening() as listener:
        for _ in range(4):
            converse(listener, times=3)
            watching.wait(0.001)
        taken = watching.read()
    assert len(taken.data) <= 2 * PAGE
    assert taken.lost.ended > 0


@needs_bpf
def test_its_cost_is_counted_where_the_kernel_counts() -> None:
    with counting_runs(), Watching() as watching, listening() as listener:
        converse(listener)
        runs = watching.runs()
    assert runs.run_cnt >= 8
    assert runs.run_time_ns > 0


@needs_bpf
def test_nothing_is_left_behind() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Watching():
        pass
    with suppress(NotSupported), Watching(library="libbpf.so.0x"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_libbpf_it_says_what_to_install() -> None:
    with pytest.raises(NotSupported, match="install libbpf1"), Watching(library="libbpf.so.0x"):
        pass


def test_the_object_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    same_object_again("lifecycle", tmp_path)
