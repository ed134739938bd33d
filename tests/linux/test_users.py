# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bpf import FOLDER, MISSING, agrees, same_object_again

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux.cgroups import paths_by_id
from fleutan.linux.libbpf import counting_runs
from fleutan.linux.users import PROGRAMS, Noticed, Noticing, parse

KEY, USER = 8, 32
SO_COOKIE = 57
NOWHERE = "127.0.0.1"
#: Sockets that a small one holds; the kernel keeps some back for each CPU.
ROOM = 512

Row = dict[str, Any]


def _missing() -> str:
    try:
        with Noticing():
            return ""
    except NotSupported as error:
        return str(error)


needs_bpf = pytest.mark.skipif(bool(MISSING), reason=MISSING)
needs_tracepoints = pytest.mark.skipif(bool(why := MISSING or _missing()), reason=f"needs sock_send_length: {why}")


def used(*cookies: int, pid: int = 3, comm: bytes = b"dig") -> Noticed:
    """A reading, all its members different."""
    keys = struct.pack(f"={len(cookies)}q", *cookies)
    return Noticed(keys, struct.pack("=q2I16s", 6, 7, pid, comm) * len(cookies), 100, 200)


def test_nothing_is_no_rows() -> None:
    assert parse(used()).rows == 0


def test_a_record_has_the_kernels_words() -> None:
    found = parse(used(9, 10))
    values = {name: column.tolist() for name, column in found.values.items()}
    assert values == {
        "idiag_cookie": [9, 10],
        "cgroup_id": [6, 6],
        "netns_inode": [7, 7],
        "pid": [3, 3],
        "comm": [b"dig", b"dig"],
    }
    assert found.known["pid"].tolist() == [True, True]
    assert parse(used(9, pid=0)).known["pid"].tolist() == [False]


@given(st.binary(max_size=3 * KEY), st.binary(max_size=3 * USER))
def test_bytes_are_whole_records_or_an_error(keys: bytes, values: bytes) -> None:
    if len(keys) % KEY or len(values) * KEY != len(keys) * USER:
        with pytest.raises(FleutanError, match="do not go with"):
            parse(Noticed(keys, values, 0, 0))
    else:
        assert parse(Noticed(keys, values, 0, 0)).rows == len(keys) // KEY


# -- the kernel


def without(tracepoint: str, folder: Path) -> str:
    """The object as it is to a kernel without that tracepoint: it asks for one that none has."""
    elf, absent = (FOLDER / "users.bpf.o").read_bytes(), tracepoint.replace("sock", "lack")
    (folder / "users.bpf.o").write_bytes(elf.replace(tracepoint.encode(), absent.encode()))
    return str(folder / "users.bpf.o")


@pytest.fixture
def noticing() -> Iterator[Noticing]:
    with Noticing() as made:
        yield made


def cookie_of(one: socket.socket) -> int:
    return int.from_bytes(one.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)


def datagram(family: int = socket.AF_INET, to: str = NOWHERE) -> int:
    """A socket that sends one datagram and is closed; its cookie."""
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", (to, 9))
        return cookie_of(one)


def rows_of(noticed: Noticed, *cookies: int) -> list[Row]:
    """What was noticed of these sockets, in the order of their cookies."""
    found = parse(noticed)
    rows = np.flatnonzero(np.isin(found.values["idiag_cookie"], cookies)).tolist()
    said = [{name: values[row].item() for name, values in found.values.items()} for row in rows]
    return sorted(said, key=lambda row: int(row["idiag_cookie"]))


def me() -> tuple[int, bytes]:
    return os.getpid(), Path("/proc/self/comm").read_bytes().strip()


@needs_tracepoints
def test_sockets_are_noticed_that_were_used_and_closed(noticing: Noticing) -> None:
    def look() -> None:
        noticing.read()
        before = time.monotonic_ns()
        cookies = [datagram() for _ in range(100)]
        taken = noticing.read()
        rows = rows_of(taken, *cookies)
        assert [row["idiag_cookie"] for row in rows] == sorted(cookies)
        assert {(row["pid"], row["comm"]) for row in rows} == {me()}
        assert {row["netns_inode"] for row in rows} == {os.stat("/proc/thread-self/ns/net").st_ino}
        assert taken.pushed_out == 0
        assert taken.began_ns < before < taken.ended_ns
        assert abs(taken.ended_ns + taken.wall_ns - time.time_ns()) < 60e9
        assert not rows_of(noticing.read(), *cookies), "what was read is gone"

    agrees(look)


@needs_tracepoints
def test_who_only_receives_is_noticed_too(noticing: Noticing) -> None:
    def look() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as one:
            one.bind((NOWHERE, 0))
            with socket.socket(type=socket.SOCK_DGRAM) as other:
                other.sendto(b"x", one.getsockname())
            assert not rows_of(noticing.read(), cookie_of(one))
            assert one.recv(1) == b"x"
            (row,) = rows_of(noticing.read(), cookie_of(one))
        assert row["pid"] == os.getpid()

    agrees(look)


@needs_tracepoints
def test_sockets_of_ip_are_noticed_but_for_those_of_tcp(noticing: Noticing) -> None:
    def look() -> None:
        cookies = [datagram(), datagram(socket.AF_INET6, "::1")]
        with socket.socket(type=socket.SOCK_RAW, proto=socket.IPPROTO_ICMP) as raw:
            raw.sendto(bytes(8), (NOWHERE, 0))
            cookies.append(cookie_of(raw))
        assert len(rows_of(noticing.read(), *cookies)) == 3
        others = [*socket.socketpair(), *socket.socketpair(type=socket.SOCK_DGRAM)]
        with socket.create_server((NOWHERE, 0)) as listener:
            others += [socket.create_connection(listener.getsockname()), listener.accept()[0]]
        for one, other in zip(others[::2], others[1::2], strict=True):
            one.send(b"x")
            assert other.recv(1) == b"x"
        assert not rows_of(noticing.read(), *map(cookie_of, others))
        for other in others:
            other.close()

    agrees(look)


@needs_tracepoints
def test_a_thread_is_its_process(noticing: Noticing) -> None:
    def look() -> None:
        found: list[int] = []
        thread = Thread(target=lambda: found.append(datagram()))
        thread.start()
        thread.join()
        (row,) = rows_of(noticing.read(), *found)
        assert (row["pid"], row["comm"]) == me()

    agrees(look)


_USE = """
import os, socket, sys
one = socket.socket(fileno=int(sys.argv[1]))
one.sendto(b"x", ("127.0.0.1", 9))
print(os.getpid())
"""


def use(one: socket.socket) -> int:
    """A process that uses the socket and ends; its number."""
    command = [sys.executable, "-c", _USE, str(one.fileno())]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, pass_fds=[one.fileno()], env=environment)
    return int(done.stdout)


@needs_tracepoints
def test_who_used_it_first_since_the_last_reading_is_told_also_after_its_end(noticing: Noticing) -> None:
    def look() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as one:
            noticing.read()
            other = use(one)
            one.sendto(b"x", (NOWHERE, 9))
            (row,) = rows_of(noticing.read(), cookie_of(one))
            assert (row["pid"], row["comm"]) == (other, os.path.basename(sys.executable).encode()[:15])
            one.sendto(b"x", (NOWHERE, 9))
            use(one)
            (row,) = rows_of(noticing.read(), cookie_of(one))
            assert row["pid"] == os.getpid()

    agrees(look)


@needs_tracepoints
def test_the_control_group_is_that_of_the_process(noticing: Noticing) -> None:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    mine = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")
    if not mine or not (paths := paths_by_id()):
        pytest.skip("needs a hierarchy of cgroup2")

    def look() -> None:
        cookie = datagram()
        (row,) = rows_of(noticing.read(), cookie)
        assert paths.get(row["cgroup_id"]) == mine

    agrees(look)


@needs_tracepoints
def test_what_found_no_room_is_numbered() -> None:
    def look() -> None:
        with Noticing(entries=ROOM) as noticing:
            noticing.read()
            cookies = [datagram() for _ in range(4 * ROOM)]
            taken = noticing.read()
            mine, every = rows_of(taken, *cookies), parse(taken).rows
            assert len(mine) <= every <= ROOM
            others = taken.pushed_out + every - len(cookies)
            assert 0 <= others < 100, "others on this host use sockets too"
            assert noticing.read().pushed_out < 100

    agrees(look)


@needs_tracepoints
def test_its_cost_is_counted_where_the_kernel_counts() -> None:
    with counting_runs(), Noticing() as noticing, socket.socket(type=socket.SOCK_DGRAM) as one:
        one.bind((NOWHERE, 0))
        one.sendto(b"x", one.getsockname())
        one.recv(1)
        runs = [noticing.runs(program) for program in PROGRAMS]
    assert all(found.run_cnt >= 1 and found.run_time_ns > 0 for found in runs)


@needs_tracepoints
def test_nothing_is_left_behind() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Noticing():
        pass
    with suppress(NotSupported), Noticing(library="libbpf.so.0x"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


@needs_bpf
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_kernel_without_the_tracepoints_is_said_to_be_one(name: str, tmp_path: Path) -> None:
    path = without(name, tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(NotSupported, match=name.replace("sock", "lack")), Noticing(path=path):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_libbpf_it_says_what_to_install() -> None:
    with pytest.raises(NotSupported, match="install libbpf1"), Noticing(library="libbpf.so.0x"):
        pass


def test_the_object_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    same_object_again("users", tmp_path)
