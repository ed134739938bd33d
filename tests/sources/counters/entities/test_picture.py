# SPDX-License-Identifier: Apache-2.0
"""A service as sflowtool prints it, of a real process in a real control group; figures are those of the kernel."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import cgroups
from tests.exports.sflowtool.received import RIGHT, of_octets

from fleutan.exports.sflow.counters import sample
from fleutan.exports.sflow.datagrams import Datagrams
from fleutan.exports.sflowtool.text import write_text
from fleutan.linux.cgroupstats.hierarchies import Hierarchies
from fleutan.observed import Counters
from fleutan.sources.counters.entities import Entities, Host, Settings
from fleutan.sources.counters.entities.names import Places

HOST = uuid.UUID("11111111-2222-3333-4444-555555555555").bytes
PATH = f"/fln{os.getpid()}.slice/system.slice/apache2.service"
TICK_MS = 1000 // os.sysconf("SC_CLK_TCK")
HELD = 16 << 20


def only(where: Hierarchies, *controllers: str, v2: bool) -> Hierarchies:
    return Hierarchies(where.v2 if v2 else None, {name: where.v1[name] for name in controllers if name in where.v1})


def told(where: Hierarchies, tmp_path: Path) -> Counters:
    host = Host(where, places=Places((), str(tmp_path)))
    entities = Entities(HOST, Settings(), None, host)
    (found,) = [one for one in entities.read(entities.sources()) if one.structures["host_descr"]["hostname"] == NAME]
    assert 100_000 <= found.source.ds_index < 150_000
    return found


NAME = "apache2.service"


@pytest.fixture
def apache() -> Iterator[cgroups.Process]:
    """A process that worked for a while and holds memory."""
    where = cgroups.real()
    with cgroups.made(PATH, where) as folders, cgroups.process() as one:
        cgroups.enter(folders, one.pid)
        one.do(f"held = bytearray(b'x') * {HELD}")
        one.use(0.18)
        yield one
        one.end()


def ticks_ms(pid: int) -> int:
    """The process's time by /proc/PID/stat."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) * TICK_MS


def test_v1(apache: cgroups.Process, tmp_path: Path) -> None:
    where = cgroups.real()
    if not {"cpuacct", "memory"} <= set(where.v1):
        pytest.skip("needs v1's cpuacct and memory")
    cpu, memory = Path(f"{where.v1['cpuacct']}{PATH}/cpuacct.usage"), Path(f"{where.v1['memory']}{PATH}")
    used = int(cpu.read_text())
    found = told(only(where, "cpuacct", "memory", "blkio", "systemd", v2=False), tmp_path).structures
    assert used // 1_000_000 <= found["virt_cpu"]["cpuTime"] <= int(cpu.read_text()) // 1_000_000
    assert found["virt_cpu"]["cpuTime"] >= 180
    assert found["virt_cpu"]["cpuTime"] <= ticks_ms(apache.pid) + 2 * TICK_MS
    assert found["virt_memory"]["memory"] == pytest.approx(
        int((memory / "memory.usage_in_bytes").read_text()), abs=1 << 20
    )
    assert found["virt_memory"]["memory"] >= HELD
    assert found["virt_cpu"]["state"] == 1
    assert found["virt_cpu"]["nrVirtCpu"] == os.cpu_count()
    if "blkio" in where.v1:
        assert found["virt_disk_io"]["rd_bytes"] is not None


def test_v2(apache: cgroups.Process, tmp_path: Path) -> None:
    where = cgroups.real()
    if where.v2 is None:
        pytest.skip("needs cgroup2")

    def used() -> int:
        lines = Path(f"{where.v2}{PATH}/cpu.stat").read_text().splitlines()
        return int(lines[0].removeprefix("usage_usec ")) // 1000

    before = used()
    found = told(only(where, v2=True), tmp_path).structures
    assert before <= found["virt_cpu"]["cpuTime"] <= used()
    assert found["virt_cpu"]["cpuTime"] >= 180
    memory = Path(f"{where.v2}{PATH}/memory.current")
    if memory.exists():
        assert found["virt_memory"]["memory"] == pytest.approx(int(memory.read_text()), abs=1 << 20)
    assert found["virt_memory"]["memory"] >= HELD
    if Path(f"{where.v2}{PATH}/io.stat").exists():
        assert found["virt_disk_io"]["rd_req"] is not None


def test_of_its_processes_alone(apache: cgroups.Process, tmp_path: Path) -> None:
    where = cgroups.real()
    if "systemd" not in where.v1:
        pytest.skip("needs v1's named hierarchy, which accounts for nothing")
    before = ticks_ms(apache.pid)
    found = told(only(where, "systemd", v2=False), tmp_path).structures
    assert before <= found["virt_cpu"]["cpuTime"] <= ticks_ms(apache.pid)
    assert found["virt_cpu"]["cpuTime"] >= 180 - 2 * TICK_MS
    status = dict(line.split(":", 1) for line in Path(f"/proc/{apache.pid}/status").read_text().splitlines())
    resident = int(status["VmRSS"].split()[0]) * 1024
    assert found["virt_memory"]["memory"] == pytest.approx(resident, abs=1 << 20)
    assert found["virt_disk_io"]["rd_req"] is None


def test_all_ways_agree(apache: cgroups.Process, tmp_path: Path) -> None:
    where = cgroups.real()
    ways = [only(where, "systemd", "cpuacct", v2=False), only(where, v2=True), only(where, "systemd", v2=False)]
    times = [
        told(way, tmp_path).structures["virt_cpu"]["cpuTime"] for way in ways if way.walked() and (way.v2 or way.v1)
    ]
    assert max(times) - min(times) <= 100, "the start of the process, before it was moved, is in one of them"


#: What "Monitoring Linux services" prints of the service, without its figures.
ARTICLE = """\
counterBlock_tag 0:2103
vdsk_capacity
vdsk_allocation
vdsk_available
vdsk_rd_req
vdsk_rd_bytes
vdsk_wr_req
vdsk_wr_bytes
vdsk_errs
counterBlock_tag 0:2102
vmem_memory
vmem_maxMemory
counterBlock_tag 0:2101
vcpu_state 1
vcpu_cpu_mS
vcpu_cpuCount
counterBlock_tag 0:2002
parent_dsClass 2
parent_dsIndex 1
counterBlock_tag 0:2000
hostname apache2.service
UUID
machine_type
os_name 2
os_release
endSample   ----------------------
""".splitlines()


def test_as_sflowtool_prints_it(apache: cgroups.Process, tmp_path: Path) -> None:
    found = told(cgroups.real(), tmp_path)
    datagrams = Datagrams(bytes([10, 0, 0, 1]), 100_000, 1400)
    (octets,) = [*datagrams.add([sample(found, 50)], 1000), *datagrams.flush(1000)]
    lines = b"".join(write_text([of_octets(octets)], RIGHT)).decode().splitlines()
    assert f"sourceId 3:{found.source.ds_index}" in lines
    assert "sampleSequenceNo 50" in lines
    printed = lines[lines.index("counterBlock_tag 0:2103") :][: len(ARTICLE)]
    assert [line[: len(expected)] for line, expected in zip(printed, ARTICLE, strict=True)] == ARTICLE
    figures = dict(line.split(" ", 1) for line in printed if " " in line)
    assert int(figures["vcpu_cpu_mS"]) == found.structures["virt_cpu"]["cpuTime"]
    assert int(figures["vmem_memory"]) == found.structures["virt_memory"]["memory"]
    assert figures["os_release"] == os.uname().release[:32]
