# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests import cgroups

from fleutan.linux.cgroupstats.disks import Disks
from fleutan.linux.cgroupstats.groups import LIMITS_S, Groups, Limits, Usage
from fleutan.linux.cgroupstats.hierarchies import Hierarchies, hierarchies
from fleutan.linux.cgroupstats.parse import Io

UNIT = "/system.slice/apache2.service"


def groups(where: Hierarchies, now: list[float] | None = None) -> Groups:
    clock = now or [0.0]
    return Groups(where, Disks("/nowhere"), lambda: clock[0])


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    cgroups.tree(tmp_path, {"cgroup.controllers": "cpu io memory pids\n"})
    cgroups.group(
        tmp_path,
        UNIT,
        cpu_stat="usage_usec 180123\nuser_usec 100000\nsystem_usec 80123\n",
        memory_current="16674816\n",
        io_stat="8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n",
        memory_max="max\n",
        cpu_max="max 100000\n",
        cgroup_procs="12\n7\n",
    )
    return tmp_path


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    files = {
        f"cpuacct{UNIT}/cpuacct.usage": "180123456\n",
        f"cpu{UNIT}/cpu.cfs_quota_us": "150000\n",
        f"cpu{UNIT}/cpu.cfs_period_us": "100000\n",
        f"memory{UNIT}/memory.usage_in_bytes": "16674816\n",
        f"memory{UNIT}/memory.limit_in_bytes": "9223372036854771712\n",
        f"blkio{UNIT}/blkio.throttle.io_service_bytes": "8:0 Read 10\n8:0 Write 20\nTotal 30\n",
        f"blkio{UNIT}/blkio.throttle.io_serviced": "8:0 Read 1\n8:0 Write 2\nTotal 3\n",
        f"freezer{UNIT}/freezer.state": "THAWED\n",
        f"systemd{UNIT}/cgroup.procs": "",
        f"systemd{UNIT}/inner/cgroup.procs": "7\n12\n",
    }
    return cgroups.tree(tmp_path, files)


def test_v2(v2: Path) -> None:
    found = groups(hierarchies(str(v2)))
    assert found.usage(UNIT) == Usage(180_123, 16_674_816, Io(10, 20, 1, 2))
    assert found.limits(UNIT) == Limits()
    assert found.pids(UNIT) == [7, 12]
    assert found.first_pid(UNIT) == 12
    assert found.inode(UNIT) == os.stat(f"{v2}{UNIT}").st_ino


def test_v1(v1: Path) -> None:
    found = groups(hierarchies(str(v1)))
    assert found.usage(UNIT) == Usage(180_123, 16_674_816, Io(10, 20, 1, 2))
    assert found.limits(UNIT) == Limits(1.5)
    assert found.pids(UNIT) == [7, 12]
    assert found.first_pid(UNIT) == 7
    assert found.inode(UNIT) == os.stat(f"{v1}/systemd{UNIT}").st_ino


def test_v1_counts_disks_of_the_groups_below(v1: Path) -> None:
    cgroups.tree(v1 / "blkio", {f"{UNIT}/blkio.throttle.io_service_bytes_recursive": "8:0 Read 99\n8:0 Write 0\n"})
    assert groups(hierarchies(str(v1))).usage(UNIT).io == Io(99, 0, 0, 0)


def test_hybrid_takes_each_figure_where_it_is(v1: Path) -> None:
    cgroups.tree(v1, {"unified/cgroup.controllers": ""})
    cgroups.group(v1 / "unified", UNIT, cpu_stat="usage_usec 5\n", cgroup_procs="3\n")
    found = groups(hierarchies(str(v1)))
    assert found.usage(UNIT) == Usage(5, 16_674_816, Io(10, 20, 1, 2))
    assert found.pids(UNIT) == [3]


def test_a_group_of_v2_without_processes_says_nothing_beside_v1(v1: Path) -> None:
    cgroups.tree(v1, {"unified/cgroup.controllers": ""})
    cgroups.group(v1 / "unified", UNIT, cpu_stat="usage_usec 5\n", cgroup_events="populated 0\n")
    assert groups(hierarchies(str(v1))).usage(UNIT).cpu_us == 180_123


def test_what_is_not_accounted_for_is_unknown(tmp_path: Path) -> None:
    cgroups.tree(tmp_path, {"cgroup.controllers": ""})
    cgroups.group(tmp_path, UNIT)
    found = groups(hierarchies(str(tmp_path)))
    assert found.usage(UNIT) == Usage()
    assert found.pids(UNIT) == []
    assert found.first_pid(UNIT) is None
    assert groups(Hierarchies()).usage(UNIT) == Usage()


def test_a_group_that_is_gone_says_nothing(v2: Path) -> None:
    found = groups(hierarchies(str(v2)))
    shutil.rmtree(f"{v2}{UNIT}")
    assert found.usage(UNIT) == Usage()
    assert found.limits(UNIT) == Limits()
    assert found.inode(UNIT) is None


def test_broken_files_say_nothing(v2: Path) -> None:
    for name in ("cpu.stat", "memory.current", "io.stat", "cgroup.events", "cpu.max", "memory.max", "cgroup.procs"):
        (v2 / UNIT.lstrip("/") / name).write_bytes(b"\0\xffrubbish x\n")
    found = groups(hierarchies(str(v2)))
    assert found.usage(UNIT) == Usage(io=Io(0, 0, 0, 0))
    assert found.limits(UNIT) == Limits()
    assert found.pids(UNIT) == []


def test_paused(v1: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (v1 / f"freezer{UNIT}/freezer.state").write_text("FROZEN\n")
    assert groups(hierarchies(str(v1))).usage(UNIT).is_frozen
    other = cgroups.tree(tmp_path_factory.mktemp("v2"), {"cgroup.controllers": ""})
    cgroups.group(other, UNIT, cgroup_events="populated 1\nfrozen 1\n")
    assert groups(hierarchies(str(other))).usage(UNIT).is_frozen


def test_limits_are_also_those_of_the_groups_around_and_looked_at_once_in_a_while(v2: Path) -> None:
    cgroups.tree(
        v2 / "system.slice",
        {"memory.max": "1000000\n", "cpu.max": "400000 100000\n", "cpuset.cpus.effective": "0-1\n"},
    )
    now = [10.0]
    found = groups(hierarchies(str(v2)), now)
    assert found.limits(UNIT) == Limits(2, 1_000_000)
    cgroups.tree(v2 / UNIT.lstrip("/"), {"memory.max": "5000\n", "cpu.max": "50000 100000\n"})
    assert found.limits(UNIT) == Limits(2, 1_000_000)
    now[0] += LIMITS_S
    assert found.limits(UNIT) == Limits(0.5, 5000)


# -- the kernel


def test_a_real_group_counts_what_its_process_uses() -> None:
    where = cgroups.real()
    path = f"/fln{os.getpid()}.slice/apache2.service"
    with cgroups.made(path, where) as folders, cgroups.process() as one:
        found = groups(where)
        cgroups.enter(folders, one.pid)
        assert found.pids(path) == [one.pid]
        assert found.first_pid(path) == one.pid
        before = found.usage(path).cpu_us
        one.do("held = bytearray(b'x') * (8 << 20)")
        one.use(0.2)
        usage = found.usage(path)
        assert usage.cpu_us is not None
        assert before is not None
        words = Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        assert 150_000 <= usage.cpu_us - before <= (ticks + 0.02) * 1_000_000
        if "memory" in where.v1 or usage.memory is not None:
            assert usage.memory is not None
            assert 8 << 20 <= usage.memory < 256 << 20
        one.end()
