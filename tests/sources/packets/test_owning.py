# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import numpy as np
from tests.bpf import needs_bpf
from tests.sources.packets.kit import made

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux.packets.records import OWNER, SOCKET
from fleutan.linux.proc import Process
from fleutan.records import Records
from fleutan.sources.packets.columns import of_records
from fleutan.sources.packets.owning import Holding, Owners, Pairs, with_owners

SERVICE = "0::/system.slice/nginx.service\n"
CONTAINER = f"0::/system.slice/docker-{'ab' * 32}.scope\n"


class Host:
    """Processes with sockets, and a clock."""

    def __init__(self, *holders: tuple[int, int]) -> None:
        self.holders = list(holders)
        self.processes = {7: ("nginx", SERVICE), 8: ("redis", CONTAINER), 9: ("sh", None)}
        self.now, self.takes, self.readings = 100.0, 0.0, 0

    def read(self) -> Pairs:
        self.readings += 1
        self.now += self.takes
        pids, inodes = zip(*self.holders, strict=True) if self.holders else ((), ())
        return np.array(pids, np.int64), np.array(inodes, np.int64)

    def tell(self, pids: Iterable[int], details: Collection[str]) -> list[Process]:
        assert set(details) == {"comm", "cgroup"}
        known = {pid: self.processes[pid] for pid in pids if pid in self.processes}
        return [Process(pid, comm, cgroup=cgroup) for pid, (comm, cgroup) in known.items()]

    def owners(self, **more: Any) -> Owners:
        return Owners(self.read, self.tell, lambda: self.now, **more)


def asked(owners: Owners, *sockets: tuple[int, int]) -> Records:
    cookies, inodes = np.array(sockets, np.int64).reshape(-1, 2).T
    return owners.of(cookies, inodes)


def pids(owners: Owners, *sockets: tuple[int, int]) -> list[int]:
    found: list[int] = asked(owners, *sockets).values["pid"].tolist()
    return found


def test_a_socket_has_the_process_that_holds_it_and_what_that_is() -> None:
    found = asked(Host((7, 70), (8, 80), (9, 90)).owners(), (1, 70), (0, 80), (1, 70), (2, 90), (3, 99))
    values = found.values
    assert values["pid"].tolist() == [7, 8, 7, 9, 0]
    assert values["comm"].tolist() == [b"nginx", b"redis", b"nginx", b"sh", b""]
    assert values["unit"].tolist() == [
        b"nginx.service",
        b"docker-" + b"ab" * 32 + b".scope",
        b"nginx.service",
        b"",
        b"",
    ]
    assert values["container"].tolist() == [b"", b"ab" * 6, b"", b"", b""]
    assert found.known["pid"].tolist() == [True, True, True, True, False]
    assert found.known["container"].tolist() == [False, True, False, False, False]


def test_of_several_owners_it_is_the_lowest_id() -> None:
    assert pids(Host((9, 70), (7, 70), (8, 70)).owners(), (1, 70)) == [7]


def test_it_is_read_again_for_one_that_nobody_is_known_for_once_a_second_at_most() -> None:
    host = Host((7, 70))
    owners = host.owners()
    assert pids(owners, (1, 70)) == [7]
    host.holders.append((8, 80))
    assert pids(owners, (2, 80), (1, 70)) == [0, 7]
    host.now += 0.5
    assert pids(owners, (2, 80)) == [0]
    assert host.readings == 1
    host.now += 0.5
    assert pids(owners, (2, 80)) == [8]
    host.now += 5
    assert pids(owners, (2, 80), (0, 0), (4, 0)) == [8, 0, 0]
    assert host.readings == 2, "nobody new came that could be found"


def test_who_held_it_last_is_remembered_when_the_socket_is_closed() -> None:
    host = Host((7, 70))
    owners = host.owners()
    assert pids(owners, (1, 70)) == [7]
    host.holders, host.now = [(8, 80)], host.now + 2
    assert pids(owners, (2, 80)) == [8]
    assert pids(owners, (1, 0), (1, 70)) == [7, 7]
    assert host.readings == 2


def test_what_a_process_is_called_now_counts() -> None:
    host = Host((7, 70))
    owners = host.owners()
    assert asked(owners, (1, 70)).values["comm"].tolist() == [b"nginx"]
    host.processes[7], host.now = ("worker", SERVICE), host.now + 2
    assert asked(owners, (1, 70), (2, 99)).values["comm"].tolist() == [b"worker", b""]


def test_a_process_that_has_ended_meanwhile_is_a_number() -> None:
    found = asked(Host((5, 50)).owners(), (1, 50))
    assert (found.values["pid"].tolist(), found.known["comm"].tolist()) == ([5], [False])


def test_a_socket_that_nobody_holds_is_not_looked_for_for_ever() -> None:
    host = Host((7, 70))
    owners = host.owners(most=3)
    for _ in range(9):
        assert pids(owners, (2, 99)) == [0]
        host.now += 2
    assert host.readings == 3
    assert pids(owners, *((key, key) for key in range(100, 104))) == [0] * 4
    host.now += 2
    assert pids(owners, (2, 99), (100, 100)) == [0, 0]
    host.now += 2
    assert pids(owners, (2, 99)) == [0]
    assert host.readings == 6, "what is remembered of such is bounded"


def test_only_so_many_are_remembered() -> None:
    host = Host((7, 70), (8, 80), (9, 90))
    owners = host.owners(most=2)
    assert pids(owners, (1, 70), (2, 80), (3, 90)) == [7, 8, 9]
    host.holders, host.now = [], host.now + 2
    assert pids(owners, (4, 99)) == [0]
    assert pids(owners, (1, 0), (2, 0), (3, 0)) == [0, 8, 9]


def test_a_slow_reading_goes_on_beside_the_batches() -> None:
    host, goes_on = Host((7, 70)), Event()
    owners = host.owners(slow=0.05)
    host.takes = 0.2
    assert pids(owners, (1, 70)) == [7], "the first one is waited for"
    read = host.read
    host.holders.append((8, 80))

    def waiting() -> Pairs:
        assert goes_on.wait(10)
        return read()

    owners._read = waiting
    host.now += 2
    assert pids(owners, (2, 80), (1, 70)) == [0, 7]
    assert owners._beside is None, "and seldom"
    host.now += 20
    assert pids(owners, (2, 80), (1, 70)) == [0, 7]
    host.now += 20
    assert pids(owners, (2, 80)) == [0], "not a second one at the same time"
    goes_on.set()
    owners.join()
    assert pids(owners, (2, 80)) == [8]
    assert host.readings == 2
    host.owners().join()


def test_a_reading_that_fails_leaves_sockets_without_owners() -> None:
    def read() -> Pairs:
        raise FleutanError("no")

    owners = Owners(read)
    assert pids(owners, (1, 70)) == [0]
    assert owners.failures == 1


def test_no_packets_have_no_owners() -> None:
    assert asked(Host().owners()).rows == 0


def test_packets_get_the_columns() -> None:
    packets, _ = of_records(*made({"known": SOCKET | OWNER, "cookie": 5, "idiag_inode": 70}, {}), {})
    found = with_owners(packets, Host((7, 70)).owners())
    assert found.columns.values["pid"].tolist() == [7, 0]
    assert found.known("pid").tolist() == [True, False]
    bare = packets.__class__(Records(2, {}, {}), packets.header)
    assert with_owners(bare, Host().owners()) is bare


@needs_bpf
def test_this_process_holds_its_sockets() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as ours, Holding() as read:
        assert read.reason == ""
        found = asked(Owners(read), (0, os.fstat(ours.fileno()).st_ino))
    assert found.values["pid"].tolist() == [os.getpid()]
    with open("/proc/self/comm", "rb") as comm:
        assert found.values["comm"].tolist() == [comm.read().strip()]


def test_without_bpf_it_is_read_in_proc() -> None:
    @contextmanager
    def refused() -> Iterator[Any]:
        raise NotSupported("BPF", "it takes root")
        yield

    with socket.socket(type=socket.SOCK_DGRAM) as ours, Holding(refused) as read:
        assert read.reason == "owners: /proc/*/fd (BPF: it takes root)"
        assert pids(Owners(read), (0, os.fstat(ours.fileno()).st_ino)) == [os.getpid()]
