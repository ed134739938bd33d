# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from fleutan.errors import Gone, NotSupported, UsageError
from fleutan.linux import namespaces
from fleutan.linux.namespaces import Namespace, current, entered, every, find, interface_names

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs CAP_SYS_ADMIN and CAP_SETUID (root)")
needs_ip = pytest.mark.skipif(not (shutil.which("ip") and shutil.which("unshare")), reason="needs ip and unshare")


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


@contextmanager
def in_new_namespace() -> Iterator[int]:
    """The id of a process that is alone in a network namespace."""
    command = ["unshare", "--net", "sh", "-c", "echo; exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            pytest.skip("needs to make network namespaces (CAP_SYS_ADMIN)")
        yield process.pid
        process.communicate()


@pytest.fixture
def name() -> Iterator[str]:
    """The name of a new network namespace in /run/netns."""
    called = f"fleutan-test-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", called], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"needs to make network namespaces (CAP_SYS_ADMIN): {made.stderr.strip()}")
    yield called
    subprocess.run(["ip", "netns", "delete", called], capture_output=True, check=False)


class Tree:
    """A /proc and a /run/netns of ordinary files, one file for a namespace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.proc, self.run = folder / "proc", folder / "netns"
        self.run.mkdir()
        self.arguments: tuple[str, tuple[str, ...]] = (str(self.proc), (str(self.run), str(folder / "missing")))

    def space(self, name: str) -> int:
        (self.folder / name).touch()
        return (self.folder / name).stat().st_ino

    def process(self, pid: int | str, name: str) -> None:
        folder = self.proc / str(pid) / "ns"
        folder.mkdir(parents=True)
        (folder / "net").symlink_to(self.folder / name)

    def mount(self, called: str, name: str) -> None:
        (self.run / called).hardlink_to(self.folder / name)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Process 1 and this one (500) in one namespace, 700 and 701 in a named one, 800 in another."""
    made = Tree(tmp_path)
    for name in ("first", "second", "third"):
        made.space(name)
    made.process(1, "first")
    made.process("500/task/500", "first")
    (made.proc / "500" / "ns").symlink_to(made.proc / "500/task/500/ns")
    (made.proc / "thread-self").symlink_to("500/task/500")
    for pid, name in ((700, "second"), (701, "second"), (800, "third")):
        made.process(pid, name)
    made.mount("blue", "second")
    return made


def inode(tree: Tree, name: str) -> int:
    return (tree.folder / name).stat().st_ino


def test_current_is_called_host_where_process_1_is(tree: Tree) -> None:
    assert current(*tree.arguments) == Namespace(inode(tree, "first"), "host", f"{tree.proc}/500/task/500/ns/net")


def test_a_name_in_run_netns_goes_before_host(tree: Tree) -> None:
    tree.mount("main", "first")
    assert current(*tree.arguments).name == "main"
    assert find("host", *tree.arguments).name == "main"


def test_where_process_1_does_not_show_no_namespace_is_called_host(tree: Tree) -> None:
    (tree.proc / "1").rename(tree.proc / "hidden")
    first = inode(tree, "first")
    assert current(*tree.arguments).name == str(first)


def test_every_holds_each_once(tree: Tree) -> None:
    third = inode(tree, "third")
    assert every(*tree.arguments) == (
        [
            Namespace(inode(tree, "first"), "host", f"{tree.proc}/1/ns/net"),
            Namespace(third, str(third), f"{tree.proc}/800/ns/net"),
            Namespace(inode(tree, "second"), "blue", f"{tree.run}/blue"),
        ],
        [],
    )


def test_every_skips_zombies_and_names_without_a_namespace(tree: Tree) -> None:
    (tree.proc / "900").mkdir()
    (tree.run / "dangling").symlink_to("nowhere")
    assert len(every(*tree.arguments)[0]) == 3


@pytest.mark.parametrize(
    ("spelling", "name", "called"),
    [("host", "first", "host"), ("blue", "second", "blue"), ("1", "first", "host"), ("701", "second", "blue")],
)
def test_find(tree: Tree, spelling: str, name: str, called: str) -> None:
    found = find(spelling, *tree.arguments)
    assert (found.inode, found.name) == (inode(tree, name), called)
    assert os.stat(found.path).st_ino == found.inode


def test_find_by_path(tree: Tree) -> None:
    path = str(tree.folder / "third")
    third = inode(tree, "third")
    assert find(path, *tree.arguments) == Namespace(third, str(third), path)


@pytest.mark.parametrize("spelling", ["red", "", "..", "4194304", "blue "])
def test_what_is_not_known_is_a_wrong_question_and_names_what_is(tree: Tree, spelling: str) -> None:
    with pytest.raises(UsageError, match=f"no network namespace called '{spelling}'; known: host, blue, or"):
        find(spelling, *tree.arguments)


def test_many_known_names_are_not_all_listed(tree: Tree) -> None:
    for number in range(12):
        tree.space(f"n{number}")
        tree.mount(f"n{number}", f"n{number}")
    with pytest.raises(UsageError, match=r"n6 \.\.\., or"):
        find("red", *tree.arguments)


def test_a_process_or_path_that_does_not_exist(tree: Tree) -> None:
    with pytest.raises(UsageError, match="no process 901 that has"):
        find("901", *tree.arguments)
    with pytest.raises(UsageError, match="no such file"):
        find("/nowhere/at/all", *tree.arguments)


def test_a_left_over_name_is_gone() -> None:
    with pytest.raises(Gone, match="'ip netns delete status' removes"):
        find("/proc/self/status")


def test_refusals_are_said_only_where_something_is_missed() -> None:
    assert namespaces._refusals([11, 11], {11, 12}) == []
    assert namespaces._refusals([13, 13, 14, 11], {11}) == [
        "2 more network namespaces may not be looked at: run as root, or with CAP_SYS_PTRACE"
    ]
    assert namespaces._refusals([None, None], {11, None}) == [
        "network namespaces of 2 processes may not be looked at: run as root, or with CAP_SYS_PTRACE"
    ]


def test_current_of_this_kernel() -> None:
    here = current()
    assert here.inode == os.stat("/proc/self/ns/net").st_ino
    assert os.stat(here.path).st_ino == here.inode
    assert here.inode in [space.inode for space in every()[0]]
    assert find(str(here.inode)).inode == here.inode
    assert find(str(os.getpid())).inode == here.inode


def test_entering_where_one_is_needs_nothing() -> None:
    here = current()
    with entered(here), socket.socket():
        assert current().inode == here.inode


@needs_root
@needs_ip
def test_entered_and_back() -> None:
    here, names = current(), interface_names()
    with in_new_namespace() as pid:
        there = find(str(pid))
        assert there in every()[0]
        assert there.name == str(there.inode)
        with entered(there):
            assert current().inode == there.inode
            assert set(interface_names().values()) <= {"lo", "tunl0", "sit0", "gre0", "ip6tnl0"}
        assert current().inode == here.inode
        assert interface_names() == names


@needs_root
@needs_ip
def test_only_the_calling_thread_enters() -> None:
    with in_new_namespace() as pid:
        seen: list[int] = []
        there = find(str(pid))

        def enter() -> None:
            with entered(there):
                seen.append(current().inode)

        with entered(there):
            thread = Thread(target=lambda: seen.append(current().inode))
            thread.start()
            thread.join()
        thread = Thread(target=enter)
        thread.start()
        thread.join()
        # A thread begins in the namespace of the one that made it.
        assert seen == [there.inode, there.inode]
        assert current().inode != there.inode


@needs_root
@needs_ip
def test_back_after_an_error() -> None:
    here = current()
    with in_new_namespace() as pid:
        there = find(str(pid))
        with pytest.raises(ZeroDivisionError), entered(there):
            raise ZeroDivisionError
    assert current().inode == here.inode


@needs_root
@needs_ip
def test_a_named_one(name: str) -> None:
    found = find(name)
    assert found.name == name
    assert found in every()[0]
    with entered(found):
        assert current().name == name


@needs_root
@needs_ip
def test_a_namespace_that_vanished_is_gone(name: str) -> None:
    found = find(name)
    with in_new_namespace() as pid:
        ended = find(str(pid))
    for vanished in (ended, found._replace(inode=1), found._replace(path="/proc/self/ns/mnt")):
        with pytest.raises(Gone, match="is gone"), entered(vanished):
            pass
    subprocess.run(["ip", "netns", "delete", name], check=True)
    with pytest.raises(Gone, match="is gone"), entered(found):
        pass


@needs_root
def test_a_file_that_is_no_network_namespace_is_refused_by_the_kernel() -> None:
    for path in ("/proc/self/ns/mnt", "/proc/self/status"):
        other = Namespace(os.stat(path).st_ino, "other", path)
        with pytest.raises(Gone, match=f"no network namespace is at {path}"), entered(other):
            pass


@needs_root
@needs_ip
def test_a_left_over_file_in_run_netns(name: str) -> None:
    subprocess.run(["umount", f"/run/netns/{name}"], check=True)
    with pytest.raises(Gone, match=f"'ip netns delete {name}' removes"):
        find(name)
    assert name not in [space.name for space in every()[0]]


@needs_root
@needs_ip
def test_without_privilege_what_is_known_is_still_named(name: str) -> None:
    here = current()
    with in_new_namespace(), as_nobody():
        assert current().name == here.name
        assert find("host") == here._replace(path="/proc/thread-self/ns/net")
        spaces, notes = every()
    assert {here.inode, find(name).inode} <= {space.inode for space in spaces}
    assert [note for note in notes if "more network namespaces may not be looked at" in note]


@needs_root
@needs_ip
def test_without_privilege_a_refusal_says_what_is_needed(name: str) -> None:
    with in_new_namespace() as pid:
        there = find(str(pid))
        with as_nobody():
            with pytest.raises(NotSupported, match=f"of process {pid}: may not be looked at; run as root"):
                find(str(pid))
            with pytest.raises(NotSupported, match=rf"namespace {there.path}: may not be looked at; run as root"):
                find(there.path)
            with pytest.raises(NotSupported, match=r": may not be opened; run as root"), entered(there):
                pass
            with pytest.raises(NotSupported, match=r": operation not permitted; .*CAP_SYS_ADMIN"), entered(find(name)):
                pass


@needs_root
@needs_ip
def test_whether_one_is_on_the_host_stays_unknown_inside_another_namespace() -> None:
    with in_new_namespace() as pid:
        there = find(str(pid))
        with entered(there), as_nobody():
            assert current().name == str(there.inode)
            with pytest.raises(NotSupported, match="namespace of process 1: may not be looked at"):
                find("host")
