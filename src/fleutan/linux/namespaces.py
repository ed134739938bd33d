# SPDX-License-Identifier: Apache-2.0
"""Network namespaces: which there are, what they are called, and entering one.

A namespace is known by its inode.  Its name is that in /run/netns (ip-netns(8)), else ``host``
for that of process 1, else the inode as text.  Namespaces that only an open descriptor, a
thread or a mount elsewhere holds are not found; a path to one can be given.  What is read
inside is the business of others.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from fleutan.errors import FleutanError, Gone, NotSupported, UsageError
from fleutan.linux.proc import PROC, pids

#: Where ``ip netns add`` mounts names; both are one folder on all but old systems.
NAMED = ("/run/netns", "/var/run/netns")
HOST = "host"

#: Process ids are below (PID_MAX_LIMIT), inodes of namespaces far above (PROC_DYNAMIC_FIRST).
_PID_LIMIT = 1 << 22
_CLONE_NEWNET = 0x4000_0000
_FLAGS = os.O_RDONLY | os.O_CLOEXEC
_OTHERS_NEED = "run as root, or with CAP_SYS_PTRACE"


class Namespace(NamedTuple):
    """A network namespace: its inode, its name, and a path by which it can be entered."""

    inode: int
    name: str
    path: str


def current(root: str = PROC, named: Sequence[str] = NAMED) -> Namespace:
    """The network namespace of the calling thread."""
    # By the thread's own number, so that the path stays right in another thread.
    path = f"{root}/{os.readlink(f'{root}/thread-self')}/ns/net"
    inode = os.stat(path).st_ino
    return Namespace(inode, _Names(root, named).of(inode), path)


def find(spelling: str, root: str = PROC, named: Sequence[str] = NAMED) -> Namespace:
    """The namespace by its name, ``host``, a process id, its inode or a path to it.

    Raises UsageError where there is none, Gone where a name is left over from one, NotSupported
    where it may not be looked at.
    """
    if not spelling.strip("."):
        raise _unknown(spelling, root, named)
    names = _Names(root, named)
    for folder in named:
        path = f"{folder}/{spelling}"
        if "/" not in spelling and os.path.exists(path):
            return Namespace(_inode_of_mount(path, root), spelling, path)
    if "/" in spelling:
        inode = _inode_of_mount(spelling, root)
        return Namespace(inode, names.of(inode), spelling)
    if spelling == HOST:
        return _of_process(1, root, names)
    if not spelling.isdecimal():
        raise _unknown(spelling, root, named)
    if int(spelling) < _PID_LIMIT:
        return _of_process(int(spelling), root, names)
    found = [space for space in every(root, named)[0] if space.inode == int(spelling)]
    if not found:
        raise _unknown(spelling, root, named)
    return found[0]


def every(root: str = PROC, named: Sequence[str] = NAMED) -> tuple[list[Namespace], list[str]]:
    """Every namespace that a name or a process holds, ``host`` first, then by name.

    With it a line of text for each kind that may not be looked at.
    """
    names = _Names(root, named)
    here = current(root, named)
    held: dict[int, str] = {}
    refused: list[int | None] = []
    for pid in pids(root):
        path = f"{root}/{pid}/ns/net"
        try:
            inode = os.stat(path).st_ino
        except PermissionError:
            refused.append(_device_list(path))
        except OSError:  # ended meanwhile, or a zombie
            continue
        else:
            held.setdefault(inode, path)
    held.setdefault(here.inode, here.path)
    paths = held | {inode: path for inode, (_, path) in names.mounted.items()}
    spaces = [Namespace(inode, names.of(inode), path) for inode, path in paths.items()]
    spaces.sort(key=lambda space: (space.name != HOST, space.name))
    return spaces, _refusals(refused, {_device_list(path) for path in held.values()})


def _refusals(refused: list[int | None], known: set[int | None]) -> list[str]:
    """What to say of processes whose namespaces may not be looked at: nothing if they are known ones."""
    others = len(set(refused) - known - {None})
    untold = refused.count(None)
    notes = []
    if others:
        notes.append(f"{others} more network namespaces may not be looked at: {_OTHERS_NEED}")
    if untold:
        notes.append(f"network namespaces of {untold} processes may not be looked at: {_OTHERS_NEED}")
    return notes


def _device_list(path: str) -> int | None:
    """The inode of the namespace's ``net/dev``, by which anyone can tell namespaces apart.

    /proc/PID/ns/net needs the right to trace the process, /proc/PID/net does not
    (``get_proc_task_net``), and its files have inodes of their own in every namespace.
    """
    try:
        return os.stat(f"{path.removesuffix('/ns/net')}/net/dev").st_ino
    except OSError:
        return None


class _Names:
    """Names by inode: ``mounted`` gives name and path, ``host`` the inode of that of process 1."""

    def __init__(self, root: str, named: Sequence[str]) -> None:
        self.mounted = _mounted(root, named)
        self.host = _host_inode(root)

    def of(self, inode: int) -> str:
        if inode in self.mounted:
            return self.mounted[inode][0]
        return HOST if inode == self.host else str(inode)


def _mounted(root: str, named: Sequence[str]) -> dict[int, tuple[str, str]]:
    """Names that are mounted namespaces; files that are left over from one are none."""
    found: dict[int, tuple[str, str]] = {}
    nsfs = os.stat(f"{root}/thread-self/ns/net").st_dev
    for folder in named:
        for name in _names_in(folder):
            path = f"{folder}/{name}"
            try:
                status = os.stat(path)
            except OSError:
                continue
            if status.st_dev == nsfs:
                found.setdefault(status.st_ino, (name, path))
    return found


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _host_inode(root: str) -> int | None:
    """The inode of process 1's namespace.

    Where it may not be read, it is known only if it is the calling thread's too.
    """
    theirs, ours = f"{root}/1/ns/net", f"{root}/thread-self/ns/net"
    try:
        return os.stat(theirs).st_ino
    except PermissionError:
        same = _device_list(theirs)
        return os.stat(ours).st_ino if same is not None and same == _device_list(ours) else None
    except OSError:
        return None


def _inode_of_mount(path: str, root: str) -> int:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise UsageError(f"no network namespace at {path}: there is no such file") from None
    except PermissionError:
        raise NotSupported(f"network namespace {path}", "may not be looked at", _OTHERS_NEED) from None
    if status.st_dev != os.stat(f"{root}/thread-self/ns/net").st_dev:
        name = os.path.basename(path)
        raise Gone(
            f"no network namespace is mounted at {path} (any more); 'ip netns delete {name}' removes a left-over name"
        )
    return status.st_ino


def _of_process(pid: int, root: str, names: _Names) -> Namespace:
    path = f"{root}/{pid}/ns/net"
    try:
        inode = os.stat(path).st_ino
    except PermissionError:
        if pid == 1 and names.host is not None:
            return Namespace(names.host, names.of(names.host), f"{root}/thread-self/ns/net")
        raise NotSupported(f"network namespace of process {pid}", "may not be looked at", _OTHERS_NEED) from None
    except OSError:
        raise UsageError(f"no process {pid} that has a network namespace") from None
    return Namespace(inode, names.of(inode), path)


def _unknown(spelling: str, root: str, named: Sequence[str]) -> FleutanError:
    known = sorted(name for name, _ in _mounted(root, named).values())
    listed = ", ".join([HOST, *known[:10]]) + (" ..." if len(known) > 10 else "")
    return UsageError(f"no network namespace called {spelling!r}; known: {listed}, or a process id, an inode, a path")


@contextmanager
def entered(namespace: Namespace) -> Iterator[None]:
    """The calling thread is inside the namespace, and afterwards back where it was.

    Sockets stay in the namespace that they were made in.  Raises NotSupported without the
    privilege (none is needed where the thread already is), Gone when the namespace vanished.
    """
    home = os.open(f"{PROC}/thread-self/ns/net", _FLAGS)
    try:
        if os.fstat(home).st_ino == namespace.inode:
            yield
            return
        _enter(namespace)
        try:
            yield
        finally:
            _setns(home, namespace)
    finally:
        os.close(home)


def _enter(namespace: Namespace) -> None:
    try:
        target = os.open(namespace.path, _FLAGS)
    except PermissionError:
        raise NotSupported(f"network namespace {namespace.name}", "may not be opened", _OTHERS_NEED) from None
    except OSError:
        raise _gone(namespace) from None
    try:
        if os.fstat(target).st_ino != namespace.inode:  # the pid or the name is another's by now
            raise _gone(namespace)
        _setns(target, namespace)
    finally:
        os.close(target)


def _gone(namespace: Namespace) -> Gone:
    return Gone(f"network namespace {namespace.name} is gone ({namespace.path}): it was deleted, or its process ended")


def _setns(file: int, namespace: Namespace) -> None:
    """setns(2) of the calling thread; os.setns came with Python 3.12 only."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(file, _CLONE_NEWNET) == 0:
        return
    failed = ctypes.get_errno()
    if failed == errno.EINVAL:
        raise Gone(f"no network namespace is at {namespace.path} (any more): it was deleted")
    remedy = "run as root, or give it CAP_SYS_ADMIN; 'fleutan doctor' says how" if failed == errno.EPERM else ""
    raise NotSupported(f"entering network namespace {namespace.name}", os.strerror(failed).lower(), remedy)


def interface_names() -> dict[int, str]:
    """Interface names by index in the calling thread's namespace (RTM_GETLINK)."""
    return dict(socket.if_nameindex())
