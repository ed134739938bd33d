# SPDX-License-Identifier: Apache-2.0
"""What each CPU did for the network, and on which CPUs processes ran, as Tables.

Time by CPU is no figure of the kernel's: it tells of a thread its time so far, the CPU that it
is on and how often it changed CPU.  Between two looks a thread that did not change spent all of
its time where it is: that is exact, but for the time since the last scheduler tick at either
look.  Of one that did, half is counted where it was and half where it is, and called estimated.
The more looks an interval has, the less is estimated.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, TypeVar

from fleutan.column import Column, text_column
from fleutan.linux import cpus as kernel_cpus
from fleutan.linux.cpus import Running, Softnet, Thread, Times
from fleutan.sources.qdiscs import whole
from fleutan.table import Reading, Table

#: By how much a thread's time may be behind: one tick at the least usual rate (CONFIG_HZ=100).
TICK_NS = 10_000_000
_SOURCE = "/proc/stat, softirqs, softnet_stat, PID/task/*/sched"
T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """All that was read: ``at_ns`` by the wall clock, ``steady_ns`` by one that nobody sets.

    ``boot_ns`` is by the clock that tells when processes started (CLOCK_BOOTTIME).
    """

    at_ns: int
    steady_ns: int
    boot_ns: int
    times: Mapping[int, Times]
    softirqs: Mapping[str, Mapping[int, int]]
    softnet: Sequence[Softnet]
    nodes: Mapping[int, int]
    running: Sequence[Running]
    rps_sock_flow_entries: int | None = None
    notes: Sequence[str] = field(default=())


class Kernel(NamedTuple):
    """What is asked of Linux; whoever has figures of another origin puts them in its place."""

    times: Callable[[], dict[int, Times]] = kernel_cpus.times
    softirqs: Callable[[], dict[str, dict[int, int]]] = kernel_cpus.softirqs
    softnet: Callable[[], list[Softnet]] = kernel_cpus.softnet
    nodes: Callable[[], dict[int, int]] = kernel_cpus.nodes
    running: Callable[[Iterable[int]], list[Running]] = kernel_cpus.running
    rps_sock_flow_entries: Callable[[], int | None] = kernel_cpus.rps_sock_flow_entries


LINUX = Kernel()


def take(pids: Collection[int] = (), kernel: Kernel = LINUX) -> Snapshot:
    """Reads what the CPUs did, and where the threads of these processes are (some 25 to 50 us a thread).

    What cannot be read is missing, and the notes say so.
    """
    notes: list[str] = []
    return Snapshot(
        time.time_ns(),
        time.monotonic_ns(),
        time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        _or_empty(kernel.times, {}, "/proc/stat", notes),
        _or_empty(kernel.softirqs, {}, "/proc/softirqs", notes),
        _or_empty(kernel.softnet, [], "/proc/net/softnet_stat", notes),
        kernel.nodes(),
        kernel.running(pids),
        kernel.rps_sock_flow_entries(),
        tuple(notes),
    )


def _or_empty(read: Callable[[], T], empty: T, path: str, notes: list[str]) -> T:
    try:
        return read()
    except (OSError, ValueError) as error:
        notes.append(f"{path} cannot be read: {error}")
        return empty


def cpus(snapshot: Snapshot, host: str = "") -> Table:
    """The Table ``cpus``: a row for every online CPU; counters since the host started."""
    numbers = sorted(snapshot.times) or sorted(row.cpu for row in snapshot.softnet)
    softnet = {row.cpu: row for row in snapshot.softnet}
    columns = {
        "cpu": whole(numbers),
        "numa_node": whole([snapshot.nodes.get(cpu) for cpu in numbers]),
        **{name: _microseconds(snapshot, numbers, parts) for name, parts in _PARTS.items()},
        **{name: whole([snapshot.softirqs.get(kind, {}).get(cpu) for cpu in numbers]) for name, kind in _SOFTIRQS},
        **{
            name: whole([getattr(softnet[cpu], word) if cpu in softnet else None for cpu in numbers])
            for name, word in _SOFTNET
        },
    }
    return Table("cpus", columns, Reading(host, "", snapshot.at_ns, 0, _SOURCE, tuple(snapshot.notes)))


#: Time by field: the parts of /proc/stat that it is the sum of.
_PARTS = {
    "cpu_busy": ("user", "nice", "system", "irq", "softirq", "steal"),
    "cpu_irq": ("irq",),
    "cpu_softirq": ("softirq",),
    "cpu_idle": ("idle", "iowait"),
}
_SOFTIRQS = (("net_rx", "NET_RX"), ("net_tx", "NET_TX"))
_SOFTNET = (
    ("softnet_processed", "processed"),
    ("softnet_dropped", "dropped"),
    ("time_squeeze", "time_squeeze"),
    ("received_rps", "received_rps"),
    ("flow_limited", "flow_limit_count"),
)


def _microseconds(snapshot: Snapshot, numbers: Sequence[int], parts: Sequence[str]) -> Column:
    tick_us = kernel_cpus.tick_ns() // 1000
    times = (snapshot.times.get(cpu) for cpu in numbers)
    return whole([None if row is None else sum(getattr(row, part) for part in parts) * tick_us for row in times])


def runs(looks: Sequence[Snapshot], host: str = "") -> Table:
    """The Table ``runs``: a row for each process and CPU that it ran on between the first look and the last.

    ``cpu`` is unknown in the row of threads that ended (or lived between two looks only): their
    time is known, of the process as a whole, their place is not.  Of a process that ended the time
    since the last look is lost, which a note says.
    """
    spent: dict[int, _Spent] = {}
    for earlier, later in pairwise(looks):
        before = {(found.pid, found.started_ns): found for found in earlier.running}
        for process in later.running:
            known = before.get((process.pid, process.started_ns))
            # Without an earlier look it counts if it started since then, by a clock that ticks.
            if known or process.started_ns + kernel_cpus.tick_ns() > earlier.boot_ns:
                spent.setdefault(process.pid, _Spent()).add(known, process)
    names = {process.pid: process.comm for look in looks for process in look.running}
    nodes = looks[-1].nodes if looks else {}
    rows = [(pid, cpu) for pid in sorted(spent) for cpu in spent[pid].places()]
    columns = {
        "pid": whole([pid for pid, _ in rows]),
        "proc": text_column([f"{names[pid]}({pid})" for pid, _ in rows]),
        "comm": text_column([names[pid] for pid, _ in rows]),
        "cpu": whole([cpu for _, cpu in rows]),
        "numa_node": whole([None if cpu is None else nodes.get(cpu) for _, cpu in rows]),
        "run_time": whole([spent[pid].total[cpu] // 1000 for pid, cpu in rows]),
        "run_time_estimated": whole([spent[pid].estimated[cpu] // 1000 for pid, cpu in rows]),
    }
    return Table("runs", columns, _reading(looks, host))


class _Spent:
    """Nanoseconds of one process by CPU, None for an unknown one; ``estimated`` is part of ``total``."""

    def __init__(self) -> None:
        self.total: Counter[int | None] = Counter()
        self.estimated: Counter[int | None] = Counter()

    def places(self) -> list[int | None]:
        """The CPUs, the unknown one last."""
        ran = [cpu for cpu, time_ns in self.total.items() if time_ns]
        return sorted(ran, key=lambda cpu: (cpu is None, cpu or 0))

    def add(self, before: Running | None, after: Running) -> None:
        """What a process did between two looks; without the earlier one it started in between."""
        known = {thread.tid: thread for thread in before.threads} if before else {}
        told = ran = 0
        for thread in after.threads:
            took = self._add_thread(known.get(thread.tid), thread)
            told += took
            ran += took > 0
        rest = after.run_ns - (before.run_ns if before else 0) - told
        # What the times are behind by, and the ticks in which a process's own time is counted.
        if rest > TICK_NS * (ran + 2):
            self.total[None] += rest
            self.estimated[None] += rest

    def _add_thread(self, before: Thread | None, after: Thread) -> int:
        took = max(0, after.run_ns - (before.run_ns if before else 0))
        first = before.cpu if before else after.cpu
        if after.migrations is not None and after.migrations == (before.migrations if before else 0):
            self.total[first] += took
            return took
        for cpu, part in ((first, took // 2), (after.cpu, took - took // 2)):
            self.total[cpu] += part
            self.estimated[cpu] += part
        return took


def _reading(looks: Sequence[Snapshot], host: str) -> Reading:
    if not looks:
        return Reading(host, source=_SOURCE)
    last = looks[-1]
    seen = {process.pid for look in looks for process in look.running}
    ended = len(seen - {process.pid for process in last.running})
    notes = list(dict.fromkeys(note for look in looks for note in look.notes))
    if ended:
        told = "1 process" if ended == 1 else f"{ended} processes"
        notes.append(f"{told} ended meanwhile: what they ran since the last look is not counted")
    return Reading(host, "", last.at_ns, last.steady_ns - looks[0].steady_ns, _SOURCE, tuple(notes))
