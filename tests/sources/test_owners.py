# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fleutan.column import Column
from fleutan.errors import NotSupported
from fleutan.linux import iterators, proc
from fleutan.linux.proc import Holders, Process
from fleutan.sources.owners import OWNER_FIELDS, SOCKET_FIELDS, join, pairs, read_processes, with_owners

ID = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899"
PROCESSES = {
    10: Process(10, "nginx", "/usr/sbin/nginx", "nginx: master", 0, "0::/system.slice/nginx.service\n"),
    11: Process(11, "nginx", "/usr/sbin/nginx", "nginx: worker", 33, "0::/system.slice/nginx.service\n"),
    20: Process(20, "redis", "/bin/redis", "redis *:6379", 999, f"0::/system.slice/docker-{ID}.scope\n"),
}


def ints(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def read(pids: Iterable[int], details: Collection[str]) -> list[Process]:
    """The processes above, with no more than what was asked for."""
    found = [PROCESSES[pid] for pid in pids if pid in PROCESSES]
    unasked: dict[str, Any] = {name: None for name in proc.DETAILS if name not in details}
    return [process._replace(**unasked) for process in found]


def sockets(*inodes: int) -> dict[str, Column]:
    return {"inode": Column(ints(*inodes)), "sport": Column(np.arange(len(inodes)))}


def test_join_gives_equal_sets_one_code() -> None:
    found = join(ints(7, 0, 8, 9, 5, 6, 7), ints(30, 10, 10, 20, 20, 10, 10), ints(8, 9, 7, 9, 6, 6, 7))
    assert found.members == ((10,), (30,), (10, 20))
    assert found.codes.tolist() == [0, -1, 1, 2, -1, 2, 0]
    assert found.codes.dtype == np.int32


@pytest.mark.parametrize(
    ("wanted", "pids", "inodes"), [((), (1,), (2,)), ((2, 0), (), ()), ((0, 0), (1,), (0,)), ((3,), (0,), (3,))]
)
def test_join_of_nothing(wanted: tuple[int, ...], pids: tuple[int, ...], inodes: tuple[int, ...]) -> None:
    found = join(ints(*wanted), ints(*pids), ints(*inodes))
    assert found.codes.tolist() == [-1] * len(wanted)
    assert found.members == ()


def test_join_holds_the_largest_numbers_that_there_are() -> None:
    inode, pid = (1 << 32) - 1, (1 << 22) - 1
    found = join(ints(inode, inode - 1), ints(pid, pid - 1, pid), ints(inode, inode, inode - 1))
    assert [found.members[code] for code in found.codes] == [(pid - 1, pid), (pid,)]


PAIRS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 12)), max_size=40)


@given(PAIRS, st.lists(st.integers(0, 14), max_size=20))
def test_join_is_the_join(held: list[tuple[int, int]], wanted: list[int]) -> None:
    found = join(ints(*wanted), ints(*(pid for pid, _ in held)), ints(*(inode for _, inode in held)))
    expected = [tuple(sorted({pid for pid, inode in held if inode == one})) for one in wanted]
    assert [() if code < 0 else found.members[code] for code in found.codes] == expected
    assert sorted(found.members) == sorted({members for members in expected if members})


def test_thousands_of_workers_that_share_listeners_are_few_sets() -> None:
    workers = np.arange(1, 5001)
    found = join(ints(1, 2, 3, 99), np.tile(workers, 3), np.repeat(ints(1, 2, 3), 5000))
    assert found.members == (tuple(range(1, 5001)),)
    assert found.codes.tolist() == [0, 0, 0, -1]


def test_columns_are_of_the_lowest_process_id() -> None:
    held = Holders([11, 10, 20, 11], [100, 100, 200, 300], 0)
    columns, _ = with_owners(sockets(100, 200, 0, 300), held, SOCKET_FIELDS, read)
    assert list(columns) == ["inode", "sport", *SOCKET_FIELDS]
    assert columns["pids"].objects() == [(10, 11), (20,), None, (11,)]
    assert columns["pid"].objects() == [10, 20, None, 11]
    assert columns["proc"].objects() == ["nginx(10)", "redis(20)", None, "nginx(11)"]
    assert columns["comm"].objects() == ["nginx", "redis", None, "nginx"]
    assert columns["cmdline"].objects() == ["nginx: master", "redis *:6379", None, "nginx: worker"]
    assert columns["exe"].words == ("/usr/sbin/nginx", "/bin/redis")
    assert columns["unit"].objects() == ["nginx.service", f"docker-{ID}.scope", None, "nginx.service"]
    assert columns["container"].objects() == [None, ID[:12], None, None]
    assert columns["runtime"].objects() == [None, "docker", None, None]
    assert columns["pod"].objects() == [None] * 4
    assert columns["cgroup"].objects()[0] == "/system.slice/nginx.service"


def test_the_table_has_every_process_of_every_set() -> None:
    held = Holders([11, 10, 20, 11], [100, 100, 200, 300], 0)
    columns, table = with_owners(sockets(100, 200, 300), held, ("owner", "proc", "unit"), read)
    assert list(columns) == ["inode", "sport", "owner", "proc", "unit"]
    assert table.kind == "owners"
    rows = {(row["owner"], row["pid"]): (row["proc"], row["unit"]) for row in table.rows()}
    of = dict(zip((100, 200, 300), columns["owner"].objects(), strict=True))
    assert rows == {
        (of[100], 10): ("nginx(10)", "nginx.service"),
        (of[100], 11): ("nginx(11)", "nginx.service"),
        (of[200], 20): ("redis(20)", f"docker-{ID}.scope"),
        (of[300], 11): ("nginx(11)", "nginx.service"),
    }
    assert len(table) == 4


def test_only_processes_that_hold_a_socket_are_read_and_only_what_is_wanted() -> None:
    asked: list[tuple[list[int], set[str]]] = []

    def note(pids: Iterable[int], details: Collection[str]) -> list[Process]:
        asked.append((list(pids), set(details)))
        return []

    held = Holders([10, 20, 30], [100, 200, 300], 0)
    with_owners(sockets(100, 300), held, ("proc", "pod", "unit"), note)
    with_owners(sockets(100, 300), held, ("pid", "pids", "owner"), note)
    assert asked == [([10, 30], {"comm", "cgroup"})]


def test_a_process_that_is_gone_still_owns_its_sockets() -> None:
    columns, table = with_owners(sockets(5), Holders([77], [5], 0), SOCKET_FIELDS, read)
    assert columns["pid"].objects() == [77]
    assert columns["pids"].objects() == [(77,)]
    assert {columns[name].objects()[0] for name in OWNER_FIELDS[1:]} == {None}
    assert next(table.rows())["pid"] == 77


def test_without_holders_every_owner_is_unknown() -> None:
    columns, table = with_owners(sockets(5, 0), None, SOCKET_FIELDS, read)
    assert all(columns[name].objects() == [None, None] for name in SOCKET_FIELDS)
    assert len(table) == 0
    assert "owner" in table


def test_without_sockets_the_columns_are_empty() -> None:
    columns, table = with_owners(sockets(), Holders([1], [2], 0), SOCKET_FIELDS, read)
    assert all(len(columns[name]) == 0 for name in SOCKET_FIELDS)
    assert len(table) == 0


def test_the_columns_can_be_handed_to_sql() -> None:
    from fleutan.table import Table

    held = Holders([11, 10, 20], [100, 100, 200], 0)
    columns, owners = with_owners(sockets(100, 200, 0), held, SOCKET_FIELDS, read)
    table = Table("flows", columns, related={"owners": owners})
    query = """
        SELECT sport, owners.pid
        FROM flows
        JOIN owners USING (owner)
        ORDER BY ALL
    """
    assert table.sql(query).rows == [(0, 10), (0, 11), (1, 20)]


def test_pairs_of_the_iterator_are_those_of_its_records() -> None:
    # struct holder_record in linux/bpf/sockets.bpf.c: pid, fd, inode.
    pids, inodes = pairs(struct.pack("=6I", 10, 3, 900, 4_000_000, 4, 4_000_000_000))
    assert (pids.tolist(), inodes.tolist()) == ([10, 4_000_000], [900, 4_000_000_000])
    assert pids.dtype == inodes.dtype == np.int64
    assert [len(part) for part in pairs(b"")] == [0, 0]


def test_the_iterator_and_proc_find_the_same_owners() -> None:
    datagram = socket.SOCK_DGRAM
    with socket.create_server(("127.0.0.1", 0)) as one, one.dup(), socket.socket(type=datagram) as two:
        inodes = [os.fstat(held.fileno()).st_ino for held in (one, two)]
        try:
            with iterators.SocketIterators() as readers:
                by_iterator = with_owners(sockets(*inodes), readers.read_holders(), ("pids",), read)[0]
        except NotSupported as error:
            pytest.skip(str(error))
        by_proc = with_owners(sockets(*inodes), proc.holders(), ("pids",), read)[0]
    assert by_iterator["pids"].objects() == by_proc["pids"].objects() == [(os.getpid(),)] * 2


def test_this_process_owns_its_socket() -> None:
    with socket.socket() as held:
        inode = os.fstat(held.fileno()).st_ino
        columns, table = with_owners(sockets(inode), proc.holders(), ("pid", "comm", "exe"))
    assert columns["pid"].objects() == [os.getpid()]
    assert columns["exe"].objects() == [os.readlink("/proc/self/exe")]
    assert [row["comm"] for row in table.rows()] == columns["comm"].objects()
    assert read_processes([os.getpid()], ("comm",))[0].exe is None
