# SPDX-License-Identifier: Apache-2.0
"""CPUs as /proc and /sys show them: what each did for the network, and where threads ran.

Every function takes the root of its tree.  Times and counts are the kernel's own, since it
started; what happened between two readings is computed elsewhere.  What depends on the network
namespace (devices and their queues) is read in ``queues``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fleutan.linux.proc import PROC

SYS = "/sys"

_FLAGS = os.O_RDONLY | os.O_CLOEXEC
#: A file of seq_file gives a page at a time.
_CHUNK = 1 << 16


class Softnet(NamedTuple):
    """A CPU's row of /proc/net/softnet_stat (``softnet_seq_show`` in net/core/net-procfs.c)."""

    cpu: int
    processed: int
    dropped: int
    time_squeeze: int
    received_rps: int
    flow_limit_count: int


class Times(NamedTuple):
    """A CPU's row of /proc/stat in clock ticks (``show_stat`` in fs/proc/stat.c)."""

    user: int
    nice: int
    system: int
    idle: int
    iowait: int
    irq: int
    softirq: int
    steal: int


class Thread(NamedTuple):
    """Where a thread last ran, for how long it ever did, and how often it changed CPU.

    ``migrations`` is None where the kernel does not count them for readers (CONFIG_SCHED_DEBUG
    before Linux 6.15); ``run_ns`` is behind by up to one scheduler tick while the thread runs,
    and has the resolution of clock ticks where neither ``sched`` nor ``schedstat`` exists.
    """

    tid: int
    cpu: int
    run_ns: int
    migrations: int | None


class Running(NamedTuple):
    """A process: its name, when it started, all CPU time it ever took, and its threads.

    ``started_ns`` is on the clock that counts from the boot (CLOCK_BOOTTIME), ``run_ns`` has the
    time of threads that ended too; both have the resolution of clock ticks.
    """

    pid: int
    comm: str
    started_ns: int
    run_ns: int
    threads: tuple[Thread, ...]


def read(path: str) -> bytes:
    """The whole of a file of /proc or /sys.  Raises OSError."""
    file = os.open(path, _FLAGS)
    try:
        parts = []
        while part := os.read(file, _CHUNK):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(file)


def number(path: str) -> int | None:
    """A file that holds one number; None where it does not exist, may not be read or holds none."""
    try:
        return int(read(path))
    except (OSError, ValueError):
        return None


def tick_ns() -> int:
    """Length of a clock tick (USER_HZ), in which /proc/stat and /proc/PID/stat count."""
    return 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def cpus_of_list(text: str) -> tuple[int, ...]:
    """CPUs of a list such as ``0-3,8`` (``%*pbl``), ascending; none for an empty one.  Raises ValueError."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


def cpus_of_mask(text: str) -> tuple[int, ...]:
    """CPUs of a mask such as ``00000001,0000000f`` (``%*pb``), ascending.  Raises ValueError."""
    mask = int(text.strip().replace(",", ""), 16)
    return tuple(bit for bit in range(mask.bit_length()) if mask >> bit & 1)


def list_of_cpus(cpus: Iterable[int]) -> str:
    """CPUs as the kernel lists them: ``0-3,8``; empty for none."""
    runs: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if runs and runs[-1][-1] == cpu - 1:
            runs[-1][1:] = [cpu]
        else:
            runs.append([cpu])
    return ",".join("-".join(map(str, run)) for run in runs)


def nodes(root: str = SYS) -> dict[int, int]:
    """NUMA node by CPU; empty where the kernel has none (CONFIG_NUMA)."""
    folder = f"{root}/devices/system/node"
    try:
        names = [name for name in os.listdir(folder) if name.startswith("node") and name[4:].isdecimal()]
        return {cpu: int(name[4:]) for name in names for cpu in cpus_of_list(_text(f"{folder}/{name}/cpulist"))}
    except (OSError, ValueError):
        return {}


def softnet(root: str = PROC) -> list[Softnet]:
    """What every online CPU did for the network, from net/softnet_stat: the host's, in any namespace.

    Columns are hexadecimal; the CPU's number is the 13th, on kernels before 5.10 the row's.
    """
    found = []
    for row, line in enumerate(_lines(f"{root}/net/softnet_stat")):
        words = [int(word, 16) for word in line.split()]
        cpu = words[12] if len(words) > 12 else row
        words += [0] * 11
        found.append(Softnet(cpu, words[0], words[1], words[2], words[9], words[10]))
    return found


def softirqs(root: str = PROC) -> dict[str, dict[int, int]]:
    """Softirqs taken by kind (``NET_RX``, ``NET_TX`` ...) and CPU, from softirqs."""
    heading, *rows = [line.split() for line in _lines(f"{root}/softirqs")] or [[]]
    columns = [int(word.removeprefix("CPU")) for word in heading]
    return {words[0].rstrip(":"): dict(zip(columns, map(int, words[1:]), strict=False)) for words in rows if words}


def times(root: str = PROC) -> dict[int, Times]:
    """Where every online CPU's time went, from stat."""
    found = {}
    for line in _lines(f"{root}/stat"):
        name, *words = line.split()
        if name.startswith("cpu") and name[3:].isdecimal():
            found[int(name[3:])] = Times(*([int(word) for word in words] + [0] * 8)[:8])
    return found


def rps_sock_flow_entries(root: str = PROC) -> int | None:
    """The size of RFS's table (0: off); None outside the first network namespace, which alone shows it."""
    return number(f"{root}/sys/net/core/rps_sock_flow_entries")


def running(pids: Iterable[int], root: str = PROC) -> list[Running]:
    """Where the threads of these processes run now; one that is gone is left out (some 25 to 50 us a thread)."""
    return list(_running(pids, root))


def _running(pids: Iterable[int], root: str) -> Iterator[Running]:
    for pid in pids:
        folder = f"{root}/{pid}"
        try:
            comm, words = _stat(f"{folder}/stat")
            tids = sorted(map(int, os.listdir(f"{folder}/task")))
        except (OSError, ValueError):
            continue
        threads = (_thread(f"{folder}/task/{tid}", tid) for tid in tids)
        # Field 22 of proc_pid_stat(5), the 20th behind the name.
        started_ns = int(words[19]) * tick_ns()
        yield Running(pid, comm, started_ns, _ticked(words), tuple(thread for thread in threads if thread is not None))


def _thread(folder: str, tid: int) -> Thread | None:
    """Time and migrations are read before the CPU: a thread that moves in between is seen to have moved."""
    try:
        run_ns, migrations = _sched(f"{folder}/sched")
        _, words = _stat(f"{folder}/stat")
    except (OSError, ValueError):  # ended meanwhile
        return None
    if run_ns is None:
        run_ns = _schedstat(f"{folder}/schedstat")
    # Field 39 of proc_pid_stat(5), the 37th behind the name.
    return Thread(tid, int(words[36]), _ticked(words) if run_ns is None else run_ns, migrations)


def _sched(path: str) -> tuple[int | None, int | None]:
    """``se.sum_exec_runtime`` (printed as ms.ns) and ``se.nr_migrations`` of ``proc_sched_show_task``."""
    try:
        text = read(path)
    except OSError:
        return None, None
    run, moved = _behind(text, b"\nse.sum_exec_runtime"), _behind(text, b"\nse.nr_migrations")
    whole, _, rest = run.partition(b".")
    return (int(whole) * 1_000_000 + int(rest) if rest else None), (int(moved) if moved else None)


def _behind(text: bytes, name: bytes) -> bytes:
    """The value behind a name and its colon; empty where there is none."""
    _, found, rest = text.partition(name)
    return rest.partition(b"\n")[0].rpartition(b":")[2].strip() if found else b""


def _schedstat(path: str) -> int | None:
    """Time on a CPU in ns (``proc_pid_schedstat``); None without CONFIG_SCHED_INFO."""
    try:
        return int(read(path).split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _stat(path: str) -> tuple[str, list[bytes]]:
    """The name of a process or thread and the words behind it; the name may hold anything."""
    head, _, rest = read(path).rpartition(b")")
    words = rest.split()
    if len(words) < 37:
        raise ValueError(path)
    return head.partition(b"(")[2].decode("utf-8", "backslashreplace"), words


def _ticked(words: list[bytes]) -> int:
    """utime and stime, fields 14 and 15, as nanoseconds."""
    return (int(words[11]) + int(words[12])) * tick_ns()


def _text(path: str) -> str:
    return read(path).decode("ascii", "replace")


def _lines(path: str) -> list[str]:
    return _text(path).splitlines()
