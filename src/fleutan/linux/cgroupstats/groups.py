# SPDX-License-Identifier: Apache-2.0
"""What the kernel accounts for one control group: of v2 where it does, of v1 otherwise.

A group's figures hold those of the groups below it.  Of v1, buffered writes are in no group's counts
but the root's, as the kernel has it; memory is what is charged to the group, page cache included.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fleutan.linux.cgroupstats import files, parse
from fleutan.linux.cgroupstats.disks import Disks
from fleutan.linux.cgroupstats.hierarchies import Hierarchies
from fleutan.linux.cgroupstats.parse import Io

#: Seconds for which limits are believed: they change seldom, and each is one of several.
LIMITS_S = 120.0
#: Groups below which processes are not looked for in further ones.
_DEEPEST = 4096


class Usage(NamedTuple):
    """What a group uses; None where the kernel does not account for it.

    Microseconds on processors, octets in memory now, and what went to and from disks;
    ``is_frozen`` is whether its processes are stopped (docker pause).
    """

    cpu_us: int | None = None
    memory: int | None = None
    io: Io | None = None
    is_frozen: bool = False


class Limits(NamedTuple):
    """What a group may use at most, by its own limits and those of the groups around it; None: no limit."""

    cpus: float | None = None
    memory: int | None = None


class Groups:
    """Reads groups by their paths."""

    def __init__(self, where: Hierarchies, disks: Disks, clock: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._mounts = where.walked()
        self._disks = disks
        self._clock = clock
        self._until = 0.0
        self._limits: dict[str, Limits] = {}

    def inode(self, path: str) -> int | None:
        """What tells the group from one of the same path before or after it; None where there is none."""
        for mount in self._mounts:
            try:
                return os.stat(mount + path).st_ino
            except OSError:
                continue
        return None

    def usage(self, path: str) -> Usage:
        """What it uses: all unknown for a group that is gone."""
        in_v2 = self._in_v2(path)
        return Usage(
            self._cpu_us(in_v2, path),
            self._memory(in_v2, path),
            self._io(in_v2, path),
            self._is_frozen(in_v2, path),
        )

    def limits(self, path: str) -> Limits:
        """What it may use.  The answer may be LIMITS_S old."""
        if self._clock() >= self._until:
            self._limits.clear()
            self._until = self._clock() + LIMITS_S
        return self._limits_of(path)

    def pids(self, path: str) -> list[int]:
        """Its processes and those of the groups below it, ascending."""
        found: set[int] = set()
        for folder in self._folders(path):
            for inner in _all_below(folder):
                found.update(parse.pids(files.text(f"{inner}/cgroup.procs")))
            if found:
                break
        return sorted(found)

    def first_pid(self, path: str) -> int | None:
        """One of its processes."""
        for folder in self._folders(path):
            for inner in _all_below(folder):
                if pids := parse.pids(files.text(f"{inner}/cgroup.procs")):
                    return pids[0]
        return None

    def _folders(self, path: str) -> list[str]:
        """Where the group may have processes: with v1 they may be in some hierarchies only."""
        return [mount + path for mount in self._mounts]

    def _in_v2(self, path: str) -> str | None:
        """The group's folder of v2, if it is there that its processes are."""
        folder = f"{self._where.v2}{path}"
        if self._where.v2 is None or not os.path.isdir(folder):
            return None
        return folder if not self._where.v1 or is_populated(folder) else None

    def _v1(self, controller: str, path: str, name: str) -> str | None:
        mount = self._where.v1.get(controller)
        return None if mount is None else files.text(f"{mount}{path}/{name}")

    def _cpu_us(self, in_v2: str | None, path: str) -> int | None:
        told = parse.value_of(files.text(f"{in_v2}/cpu.stat"), "usage_usec") if in_v2 else None
        if told is not None:
            return told
        nanoseconds = parse.number(self._v1("cpuacct", path, "cpuacct.usage"))
        return None if nanoseconds is None else nanoseconds // 1000

    def _memory(self, in_v2: str | None, path: str) -> int | None:
        told = parse.number(files.text(f"{in_v2}/memory.current")) if in_v2 else None
        return parse.number(self._v1("memory", path, "memory.usage_in_bytes")) if told is None else told

    def _io(self, in_v2: str | None, path: str) -> Io | None:
        text = files.text(f"{in_v2}/io.stat") if in_v2 else None
        if text is not None:
            return self._disks.total(parse.io_stat(text))
        for end in ("_recursive", ""):
            octets = self._v1("blkio", path, f"blkio.throttle.io_service_bytes{end}")
            if octets is not None:
                requests = self._v1("blkio", path, f"blkio.throttle.io_serviced{end}")
                return self._disks.total(parse.blkio(octets, requests))
        return None

    def _is_frozen(self, in_v2: str | None, path: str) -> bool:
        if in_v2 and parse.value_of(files.text(f"{in_v2}/cgroup.events"), "frozen"):
            return True
        return (self._v1("freezer", path, "freezer.state") or "").strip() == "FROZEN"

    def _limits_of(self, path: str) -> Limits:
        if path in ("", "/"):
            return Limits()
        if path not in self._limits:
            around, own = self._limits_of(path.rpartition("/")[0]), self._own_limits(path)
            self._limits[path] = Limits(*(_least(*both) for both in zip(around, own, strict=True)))
        return self._limits[path]

    def _own_limits(self, path: str) -> Limits:
        folder = self._where.v2 and self._where.v2 + path
        shares = [parse.quota(files.text(f"{folder}/cpu.max"))] if folder else []
        shares.append(parse.share(*(parse.number(self._v1("cpu", path, name)) for name in _QUOTA)))
        shares.append(parse.cpus(files.text(f"{folder}/cpuset.cpus.effective") if folder else None))
        shares.append(parse.cpus(self._v1("cpuset", path, "cpuset.effective_cpus")))
        memory = parse.number(files.text(f"{folder}/memory.max")) if folder else None
        return Limits(_least(*shares), _least(memory, parse.number(self._v1("memory", path, "memory.limit_in_bytes"))))


_QUOTA = ("cpu.cfs_quota_us", "cpu.cfs_period_us")


def is_populated(folder: str) -> bool:
    """Whether a group of v2, or one below it, has processes."""
    return bool(parse.value_of(files.text(f"{folder}/cgroup.events"), "populated"))


def _least(*limits: Any) -> Any:
    return min((limit for limit in limits if limit is not None), default=None)


def _all_below(folder: str) -> Iterator[str]:
    """The folder and those in it, however deep, up to _DEEPEST of them."""
    unread, seen = [folder], 0
    while unread and seen < _DEEPEST:
        inner = unread.pop()
        seen += 1
        yield inner
        unread += subfolders(inner)


def subfolders(folder: str) -> list[str]:
    """The groups right below one: none without a look where there are as many links as a leaf has.

    The kernel counts a folder's subfolders in its links (``kernfs_refresh_inode``); other file systems
    that do not have 1.
    """
    try:
        if os.stat(folder).st_nlink == 2:
            return []
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:  # removed meanwhile, or not ours to read
        return []
