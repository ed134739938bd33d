# SPDX-License-Identifier: Apache-2.0
"""What the processes of a group use together, where the kernel does not account for the group.

What is shared between processes is in the memory of each.  Processes that begin and end between two
readings are missed, but for what they read and wrote: the kernel adds that to the parent which waits
for them (``wait_task_zombie``).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import NamedTuple

from fleutan.linux.cgroupstats import files, parse
from fleutan.linux.cgroupstats.sums import Kept
from fleutan.linux.proc import PROC

#: More processes of a group are not read one by one.
MOST = 4096
_TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: What can be asked for.
CPU, MEMORY, DISKS = "cpu", "memory", "disks"


class Used(NamedTuple):
    """Microseconds on processors, octets in memory now, octets read from and written to disks; None if unknown."""

    cpu_us: int | None = None
    memory: int | None = None
    rbytes: int | None = None
    wbytes: int | None = None


class _Process(NamedTuple):
    """One of them; a process is its number and when it began."""

    key: tuple[int, int]
    ppid: int
    cpu_us: int
    memory: int | None
    io: tuple[int | None, int | None]


class Processes:
    """The sums of one group from reading to reading: they do not go back when processes end."""

    def __init__(self, root: str = PROC) -> None:
        self._root = root
        self._cpu, self._disks = Kept(1), Kept(2)
        self._before: dict[tuple[int, int], _Process] = {}

    def read(self, pids: Collection[int], wanted: Collection[str] = (CPU, MEMORY, DISKS)) -> Used:
        """What these processes and those that ended used; all unknown where there are more than MOST."""
        if len(pids) > MOST:
            return Used()
        now = {one.key: one for pid in pids if (one := self._process(pid, wanted))}
        self._hand_on(now)
        self._before = now
        (cpu_us,) = self._cpu.total({key: (one.cpu_us,) for key, one in now.items()})
        rbytes, wbytes = self._disks.total({key: one.io for key, one in now.items()})
        memory = _sum(one.memory for one in now.values()) if MEMORY in wanted else None
        return Used(cpu_us if CPU in wanted else None, memory, rbytes, wbytes)

    def _hand_on(self, now: dict[tuple[int, int], _Process]) -> None:
        """What those that ended read and wrote is in their parents' counters where those rose by as much."""
        rose = {key: _rise(one.io, self._before[key].io) for key, one in now.items() if key in self._before}
        parents = {one.key[0]: key for key, one in now.items()}
        for key, one in self._before.items():
            parent = parents.get(one.ppid)
            if key in now or parent not in rose:
                continue
            left = [room - (count or 0) for room, count in zip(rose[parent], one.io, strict=True)]
            if min(left) >= 0:
                rose[parent] = left
                self._disks.forget(key)

    def _process(self, pid: int, wanted: Collection[str]) -> _Process | None:
        folder = f"{self._root}/{pid}"
        stat = parse.stat(files.text(f"{folder}/stat"))
        if stat is None:
            return None
        pages = parse.resident(files.text(f"{folder}/statm")) if MEMORY in wanted else None
        io = parse.keyed(files.text(f"{folder}/io")) if DISKS in wanted else {}
        return _Process(
            (pid, stat.start),
            stat.ppid,
            stat.ticks * _TICK_US,
            None if pages is None else pages * _PAGE,
            (io.get("read_bytes"), io.get("write_bytes")),
        )


def _rise(now: tuple[int | None, ...], before: tuple[int | None, ...]) -> list[int]:
    return [(new or 0) - (old or 0) for new, old in zip(now, before, strict=True)]


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
