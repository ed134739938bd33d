# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleutan.linux import proc


@contextmanager
def as_nobody() -> Iterator[None]:
    """This process without privilege for a while: another effective user, so no capabilities."""
    if os.geteuid():
        pytest.skip("needs root, to become another user and back")
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which the change took away


def make_process(root: Path, pid: int, links: dict[int, str], **files: bytes) -> Path:
    folder = root / str(pid)
    (folder / "fd").mkdir(parents=True)
    for number, target in links.items():
        (folder / "fd" / str(number)).symlink_to(target)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_holders_pairs_every_descriptor_of_a_socket(tmp_path: Path) -> None:
    make_process(tmp_path, 30, {0: "/dev/null", 3: "socket:[900]", 4: "socket:[901]"})
    make_process(tmp_path, 4, {3: "socket:[900]", 5: "socket:[900]", 6: "pipe:[5]"})
    (tmp_path / "self").mkdir()
    found = proc.holders(str(tmp_path))
    assert sorted(zip(found.pids, found.inodes, strict=True)) == [(4, 900), (4, 900), (30, 900), (30, 901)]
    assert found.unreadable == 0


def test_holders_leaves_out_a_process_that_vanished(tmp_path: Path) -> None:
    make_process(tmp_path, 1, {3: "socket:[7]"})
    (tmp_path / "2").mkdir()
    assert proc.holders(str(tmp_path)) == proc.Holders([1], [7], 0, hidden=False)


def test_holders_leaves_out_a_link_that_cannot_be_read(tmp_path: Path) -> None:
    folder = make_process(tmp_path, 1, {3: "socket:[7]"})
    (folder / "fd" / "8").touch()
    assert proc.holders(str(tmp_path)).inodes == [7]


def test_process_1_that_does_not_show_means_that_others_are_hidden(tmp_path: Path) -> None:
    make_process(tmp_path, 77, {})
    assert proc.holders(str(tmp_path)).hidden


def test_holders_finds_own_sockets() -> None:
    with socket.socket() as held:
        found = proc.holders()
        assert (os.getpid(), os.fstat(held.fileno()).st_ino) in set(zip(found.pids, found.inodes, strict=True))


def test_another_user_reads_own_processes_and_counts_the_rest() -> None:
    with socket.socket() as held:
        own = (os.getpid(), os.fstat(held.fileno()).st_ino)
        with as_nobody():
            found = proc.holders()
    assert own in set(zip(found.pids, found.inodes, strict=True))
    assert found.unreadable > 0


def test_a_kernel_thread_or_a_zombie_is_known_by_its_memory(tmp_path: Path) -> None:
    folder = make_process(tmp_path, 1, {}, statm=b"11513 3924 1602 1327 0 9671 0\n")
    assert proc._has_memory(str(folder))
    (folder / "statm").write_bytes(b"0 0 0 0 0 0 0\n")
    assert not proc._has_memory(str(folder))
    assert not proc._has_memory(str(tmp_path / "2"))


def test_processes_reads_every_detail(tmp_path: Path) -> None:
    folder = make_process(
        tmp_path,
        12,
        {},
        comm=b"tricky) \xff name\n",
        cmdline=b"/usr/sbin/nginx\0-g\0daemon off;\0",
        cgroup=b"0::/system.slice/nginx.service\n",
    )
    (folder / "exe").symlink_to("/usr/sbin/nginx (deleted)")
    assert proc.processes([12], str(tmp_path)) == [
        proc.Process(
            pid=12,
            comm="tricky) \\xff name",
            exe="/usr/sbin/nginx (deleted)",
            cmdline="/usr/sbin/nginx -g daemon off;",
            uid=os.getuid(),
            cgroup="0::/system.slice/nginx.service\n",
        )
    ]


def test_a_kernel_thread_has_no_command_line_and_no_executable(tmp_path: Path) -> None:
    make_process(tmp_path, 2, {}, comm=b"kthreadd\n", cmdline=b"")
    (found,) = proc.processes([2], str(tmp_path))
    assert (found.comm, found.cmdline, found.exe, found.cgroup) == ("kthreadd", None, None, None)


def test_only_the_wanted_details_are_read(tmp_path: Path) -> None:
    make_process(tmp_path, 2, {}, comm=b"sshd\n", cmdline=b"sshd\0")
    assert proc.processes([2], str(tmp_path), ("comm",)) == [proc.Process(2, comm="sshd")]


def test_a_process_that_is_gone_is_left_out(tmp_path: Path) -> None:
    make_process(tmp_path, 2, {}, comm=b"a\n")
    make_process(tmp_path, 9, {}, comm=b"b\n")
    assert [found.pid for found in proc.processes([9, 5, 2], str(tmp_path))] == [9, 2]


def test_processes_agrees_with_the_interpreter_about_itself() -> None:
    (found,) = proc.processes([os.getpid()])
    assert found.uid == os.geteuid()
    assert found.exe == os.readlink("/proc/self/exe")
    assert found.cgroup == Path("/proc/self/cgroup").read_text()
    assert found.comm == Path("/proc/self/comm").read_text().rstrip("\n")
    assert found.cmdline is not None


def test_a_huge_command_line_is_cut(tmp_path: Path) -> None:
    make_process(tmp_path, 2, {}, cmdline=b"x\0" * proc.CMDLINE_BYTES)
    (found,) = proc.processes([2], str(tmp_path), ["cmdline"])
    assert found.cmdline is not None
    assert len(found.cmdline) < proc.CMDLINE_BYTES


def test_mounts(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mounts").write_text(
        "proc /proc proc rw,relatime,hidepid=invisible 0 0\ntmpfs /a\\040b tmpfs rw 0 0\n"
    )
    assert proc.mounts(str(tmp_path)) == [
        proc.Mount("/proc", "proc", ("rw", "relatime", "hidepid=invisible")),
        proc.Mount("/a\\040b", "tmpfs", ("rw",)),
    ]
    assert "/" in [mount.point for mount in proc.mounts()]


def test_open_files(tmp_path: Path) -> None:
    assert proc.open_files(str(tmp_path)) == 0
    (tmp_path / "sys/fs").mkdir(parents=True)
    (tmp_path / "sys/fs/file-nr").write_text("2048\t0\t9223372036854775807\n")
    assert proc.open_files(str(tmp_path)) == 2048
    (tmp_path / "sys/fs/file-nr").write_text("")
    assert proc.open_files(str(tmp_path)) == 0
    assert proc.open_files() > 0


PROTOCOLS = """protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de
MPTCPv6   2064      3     199   no       0   yes  kernel      y  y  y  n  y  y  y
PACKET    1600     -1      -1   NI       0   no   kernel      n  n  n  n  n  n  n
UDP-Lite  1344      0       0   NI       0   yes  kernel      y  y  y  n  y  y  y

"""


def test_protocols(tmp_path: Path) -> None:
    net = tmp_path / "thread-self" / "net"
    net.mkdir(parents=True)
    (net / "protocols").write_text(PROTOCOLS)
    assert proc.protocols(str(tmp_path)) == {"MPTCPv6": 3, "PACKET": 0, "UDP-Lite": 0}
    assert {"TCP", "UDP", "RAW"} <= set(proc.protocols())


SOCKSTAT = """sockets: used 13
TCP: inuse 12 orphan 0 tw 345 alloc 14 mem 0
UDP: inuse 3 mem 0
UDPLITE: inuse 0
RAW: inuse 1
FRAG: inuse 9 memory 0
"""
SOCKSTAT6 = "TCP6: inuse 7\nUDP6: inuse 2\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 5 memory 0\n"


def test_socket_counts(tmp_path: Path) -> None:
    net = tmp_path / "thread-self" / "net"
    net.mkdir(parents=True)
    (net / "sockstat").write_text(SOCKSTAT)
    counts = proc.socket_counts(str(tmp_path))
    assert counts == {"TCP": 12, "TCP tw": 345, "UDP": 3, "UDPLITE": 0, "RAW": 1}
    (net / "sockstat6").write_text(SOCKSTAT6)
    counts = proc.socket_counts(str(tmp_path))
    assert counts["TCP6"] == 7
    assert sum(counts.values()) == 370


def test_socket_counts_of_this_kernel() -> None:
    before = proc.socket_counts()
    assert {"TCP", "TCP tw", "UDP"} <= set(before)
    # "inuse" counts sockets in the hash tables: one must be bound.
    with socket.create_server(("127.0.0.1", 0)):
        assert proc.socket_counts()["TCP"] >= 1
