# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

from tests import cgroups

from fleutan.linux.cgroupstats.processes import CPU, DISKS, MEMORY, MOST, Processes, Used

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def put(
    root: Path, pid: int, ticks: int, *, ppid: int = 1, start: int = 50, io: tuple[int, int] | None = (0, 0)
) -> None:
    """A process as /proc shows it; of its resident pages there are as many as its number."""
    rest = f"S {ppid} 1 1 0 -1 0 0 0 0 0 {ticks} 0 7 7 20 0 1 0 {start} 1 1"
    said = {"stat": f"{pid} (a b) {rest}", "statm": f"9 {pid} 1 1 0 1 0"}
    if io:
        said["io"] = f"rchar: 1\nread_bytes: {io[0]}\nwrite_bytes: {io[1]}\ncancelled_write_bytes: 5\n"
    cgroups.tree(root / str(pid), said)


def test_processes_add_up(tmp_path: Path) -> None:
    put(tmp_path, 10, 3, io=(100, 200))
    put(tmp_path, 11, 4, io=(1, 2))
    assert Processes(str(tmp_path)).read([10, 11, 12]) == Used(7 * TICK_US, 21 * PAGE, 101, 202)


def test_only_what_is_asked_is_told(tmp_path: Path) -> None:
    put(tmp_path, 10, 3, io=(100, 200))
    assert Processes(str(tmp_path)).read([10], [CPU]) == Used(3 * TICK_US)
    assert Processes(str(tmp_path)).read([10], [MEMORY]) == Used(None, 10 * PAGE)
    assert Processes(str(tmp_path)).read([10], [DISKS]) == Used(None, None, 100, 200)


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    put(tmp_path, 10, 3, io=None)
    assert Processes(str(tmp_path)).read([10])[2:] == (None, None)
    assert Processes(str(tmp_path)).read([]) == Used()
    assert Processes(str(tmp_path)).read(range(MOST + 1)) == Used()


def test_who_ended_stays_in_the_sums_and_a_number_may_be_used_anew(tmp_path: Path) -> None:
    group = Processes(str(tmp_path))
    put(tmp_path, 10, 3, io=(100, 100))
    put(tmp_path, 11, 4, io=(10, 0))
    group.read([10, 11])
    put(tmp_path, 11, 1, start=60, io=(5, 0))
    assert group.read([11]) == Used(8 * TICK_US, 11 * PAGE, 115, 100)
    assert group.read([]) == Used(8 * TICK_US, None, 115, 100)


def test_what_the_kernel_adds_to_a_parent_is_not_counted_twice(tmp_path: Path) -> None:
    group = Processes(str(tmp_path))
    put(tmp_path, 10, 0, io=(0, 1000))
    put(tmp_path, 11, 0, ppid=10, io=(0, 300))
    put(tmp_path, 12, 0, ppid=10, io=(0, 300))
    assert group.read([10, 11, 12]).wbytes == 1600
    put(tmp_path, 10, 0, io=(0, 1320))  # one child was waited for, the other was not
    assert group.read([10]).wbytes == 1620
    assert group.read([10]).wbytes == 1620


def test_it_is_what_the_kernel_says_of_a_real_process() -> None:
    with cgroups.process() as one:
        one.use(0.1)
        group = Processes()
        found = group.read([one.pid])
        ticks = sum(map(int, Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
        assert found.cpu_us is not None
        assert found.cpu_us >= 100_000 - 2 * TICK_US
        assert found.cpu_us <= ticks * TICK_US
        status = dict(line.split(":", 1) for line in Path(f"/proc/{one.pid}/status").read_text().splitlines())
        assert found.memory is not None
        assert abs(found.memory - int(status["VmRSS"].split()[0]) * 1024) < 2 << 20
    assert (group.read([]).cpu_us or 0) >= found.cpu_us
