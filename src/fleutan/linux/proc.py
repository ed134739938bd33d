# SPDX-License-Identifier: Apache-2.0
"""Processes as /proc shows them: who holds which socket, and what a process is.

Every function takes the root of the tree.  Nothing is interpreted here: control groups are
read in ``cgroups``, owners are joined to sockets in ``sources``.  No numpy is imported, so that
this runs while the interpreter is still importing what the answer needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

PROC = "/proc"

#: A command line can have 2 MiB and more; no question needs more of it than this.
CMDLINE_BYTES = 16_384
_Reader = Callable[[int], str | int | None]
_FLAGS = os.O_RDONLY | os.O_CLOEXEC


class Holders(NamedTuple):
    """Which process holds which socket: ``pids[i]`` has a descriptor of the socket ``inodes[i]``.

    A pair stands once for every descriptor.  ``unreadable`` processes kept theirs to
    themselves; ``hidden`` says that there are more that do not even show (hidepid).
    """

    pids: list[int]
    inodes: list[int]
    unreadable: int
    hidden: bool = False


class Process(NamedTuple):
    """What /proc/PID says; None where it may not be read, does not exist or was not asked for.

    ``uid`` is the effective one, ``cgroup`` the text of /proc/PID/cgroup, and ``cmdline`` has
    spaces between the arguments (None for a kernel thread).
    """

    pid: int
    comm: str | None = None
    exe: str | None = None
    cmdline: str | None = None
    uid: int | None = None
    cgroup: str | None = None


def pids(root: str = PROC) -> list[int]:
    """Every process that shows, ascending."""
    return sorted(int(name) for name in os.listdir(root) if name.isdecimal())


def holders(root: str = PROC) -> Holders:
    """Who holds which socket, from the links /proc/PID/fd/N to ``socket:[inode]``.

    Both the folder and the links may be denied (``proc_fd_permission``, ``proc_pid_readlink``).
    Processes that vanish meanwhile are left out.  Kernel threads and zombies are not counted as
    unreadable: they have no descriptors.
    """
    found = Holders([], [], 0)
    present = pids(root)
    unreadable = 0
    for pid in present:
        try:
            inodes = _sockets(f"{root}/{pid}/fd")
        except PermissionError:
            unreadable += _has_memory(f"{root}/{pid}")
        except OSError:
            continue
        else:
            found.pids.extend([pid] * len(inodes))
            found.inodes.extend(inodes)
    return found._replace(unreadable=unreadable, hidden=1 not in present)


def _sockets(folder: str) -> list[int]:
    inodes: list[int] = []
    append, readlink = inodes.append, os.readlink
    # Relative to the open directory a link costs 3.8 us, by its whole path 4.7 us.
    opened = os.open(folder, _FLAGS | os.O_DIRECTORY)
    try:
        with os.scandir(opened) as links:
            for link in links:
                try:
                    target = readlink(link.name, dir_fd=opened)
                except PermissionError:
                    raise
                except OSError:  # closed meanwhile
                    continue
                if target[:8] == "socket:[":
                    append(int(target[8:-1]))
    finally:
        os.close(opened)
    return inodes


def _has_memory(folder: str) -> bool:
    """Whether a process has an address space: all of statm is 0 without (``proc_pid_statm``)."""
    try:
        return not _read(f"{folder}/statm", 64).startswith(b"0 ")
    except OSError:
        return False


def _read(path: str, size: int, folder: int | None = None) -> bytes:
    file = os.open(path, _FLAGS, dir_fd=folder)
    try:
        return os.read(file, size)
    finally:
        os.close(file)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _comm(folder: int) -> str:
    return _text(_read("comm", 64, folder).removesuffix(b"\n"))


def _exe(folder: int) -> str:
    return _text(os.fsencode(os.readlink("exe", dir_fd=folder)))


def _cmdline(folder: int) -> str | None:
    raw = _read("cmdline", CMDLINE_BYTES, folder).rstrip(b"\0")
    return _text(raw.replace(b"\0", b" ")) or None


def _uid(folder: int) -> int:
    # The directory of a process belongs to its effective user (task_dump_owner in fs/proc/base.c).
    return os.fstat(folder).st_uid


def _cgroup(folder: int) -> str:
    return _text(_read("cgroup", 65_536, folder))


#: What can be asked of a process, and how it is read from its open directory.
_DETAILS: dict[str, _Reader] = {
    "comm": _comm,
    "exe": _exe,
    "cmdline": _cmdline,
    "uid": _uid,
    "cgroup": _cgroup,
}
DETAILS = tuple(_DETAILS)


def processes(wanted: Iterable[int], root: str = PROC, details: Collection[str] = DETAILS) -> list[Process]:
    """What the wanted processes are, in that order; one that is gone is left out.

    ``details`` are fields of Process: what is not among them is not read (some 5 us each).  All
    of a process is read through its open directory, so a pid that is used anew gives no mixture.
    """
    readers = [(name, read) for name, read in _DETAILS.items() if name in details]
    found = (_process(root, pid, readers) for pid in wanted)
    return [process for process in found if process is not None]


def _process(root: str, pid: int, readers: list[tuple[str, _Reader]]) -> Process | None:
    try:
        folder = os.open(f"{root}/{pid}", _FLAGS | os.O_DIRECTORY)
    except OSError:
        return None
    values: dict[str, Any] = {}
    try:
        for name, read in readers:
            try:
                values[name] = read(folder)
            except OSError:
                values[name] = None
    finally:
        os.close(folder)
    return Process(pid, **values)


class Mount(NamedTuple):
    """A mounted file system: where, of which type, with which options."""

    point: str
    kind: str
    options: tuple[str, ...]


def mounts(root: str = PROC) -> list[Mount]:
    """What this process sees mounted, from self/mounts (proc_pid_mounts(5))."""
    with open(f"{root}/self/mounts", "rb") as file:
        lines = _text(file.read()).split("\n")
    # Blanks in a name are escaped, other white space is not: only the blank separates.
    found = [line.split(" ") for line in lines]
    return [Mount(words[1], words[2], tuple(words[3].split(","))) for words in found if len(words) > 3]


def open_files(root: str = PROC) -> int:
    """Files open on the host, sockets included, from sys/fs/file-nr; 0 where it may not be read."""
    try:
        return int(_read(f"{root}/sys/fs/file-nr", 64).split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def protocols(root: str = PROC) -> dict[str, int]:
    """Protocols that this kernel has now, with their sockets in the calling thread's namespace.

    From net/protocols, by its names (``TCP``, ``MPTCPv6``, ``SCTP`` ...); sockets in time-wait
    are not among them (``socket_counts`` has those), and a protocol without a count has 0.
    """
    with open(f"{root}/thread-self/net/protocols") as lines:
        found = [line.split() for line in lines][1:]
    return {words[0]: max(int(words[2]), 0) for words in found if len(words) > 2}


def socket_counts(root: str = PROC) -> dict[str, int]:
    """Sockets by protocol in the calling thread's network namespace, from net/sockstat and sockstat6.

    Keys are the kernel's (``TCP``, ``TCP6``, ``UDP`` ...), and ``TCP tw`` for the time-wait ones of
    both families, which ``TCP`` leaves out.  Empty where it may not be read.
    """
    counts: dict[str, int] = {}
    for name in ("sockstat", "sockstat6"):
        try:
            text = _text(_read(f"{root}/thread-self/net/{name}", 4096))
        except OSError:
            continue
        for line in text.splitlines():
            counts |= _counted(line)
    return counts


def _counted(line: str) -> dict[str, int]:
    protocol, _, rest = line.partition(": ")
    if protocol.startswith("FRAG"):  # queues of fragments, not sockets
        return {}
    words = rest.split()
    figures = dict(zip(words[::2], words[1::2], strict=False))
    names = {"inuse": protocol, "tw": f"{protocol} tw"}
    return {name: int(figures[word]) for word, name in names.items() if figures.get(word, "").isdecimal()}
