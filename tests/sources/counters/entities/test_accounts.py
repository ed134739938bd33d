# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests import cgroups

from fleutan.linux.cgroupstats.disks import Disks
from fleutan.linux.cgroupstats.groups import Groups
from fleutan.linux.cgroupstats.hierarchies import hierarchies
from fleutan.linux.namespaces import Namespace
from fleutan.linux.unittraffic import Moved
from fleutan.sources.counters.entities.accounts import PAUSED, RUNNING, Account, Around, Machine, machine
from fleutan.sources.counters.entities.kinds import CONTAINER, UNIT, Entity
from fleutan.sources.counters.entities.network import Networks

PATH = "/system.slice/apache2.service"
APACHE = Entity(UNIT, PATH, PATH, "apache2.service")
WEB = Entity(CONTAINER, "a" * 64, PATH, "web")
TICK_MS = 1000 // os.sysconf("SC_CLK_TCK")
FIELDS = ("rx_bytes", "rx_packets", "rx_errs", "rx_drop", "tx_bytes", "tx_packets", "tx_errs", "tx_drop")


class Host:
    """A host of folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.groups, self.proc = cgroups.tree(root / "cgroup", {"cgroup.controllers": ""}), root / "proc"
        self.space("1", "host")
        self.space("self", "host")

    def group(self, **files: str) -> None:
        cgroups.group(self.groups, PATH, **files)

    def space(self, pid: str, name: str, *devices: str) -> None:
        tree = {f"spaces/{name}": "", f"{pid}/net/dev": "".join(devices), f"{pid}/ns/x": ""}
        cgroups.tree(self.proc, tree)
        link = self.proc / pid / "ns/net"
        link.unlink(missing_ok=True)
        link.symlink_to(self.proc / "spaces" / name)

    def process(self, pid: int, ticks: int, read: int = 0, written: int = 0) -> None:
        said = {
            "stat": f"{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 50 1 1",
            "statm": "9 2 1 1 0 1 0",
            "io": f"read_bytes: {read}\nwrite_bytes: {written}\n",
        }
        cgroups.tree(self.proc / str(pid), said)

    def account(self, most: Machine = Machine(4, 1 << 30)) -> Account:  # noqa: B008  # never written to
        groups = Groups(hierarchies(str(self.groups)), Disks(str(self.root / "sys")))

        def look(space: Namespace) -> frozenset[str]:
            return frozenset({"eth0"})

        return Account(Around(groups, Networks(str(self.proc), look=look), most, str(self.proc)))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def read(account: Account, entity: Entity = APACHE, moved: dict[int, Moved] | None = None) -> dict[str, Any]:
    found = account.read(entity, moved)
    assert found is not None
    return dict(found)


def io(rbytes: int, wbytes: int, rios: int = 1, wios: int = 2) -> str:
    return f"8:0 rbytes={rbytes} wbytes={wbytes} rios={rios} wios={wios} dbytes=0 dios=0\n"


def test_what_the_kernel_accounts_for(host: Host) -> None:
    host.group(cpu_stat="usage_usec 180999\n", memory_current="16674816\n", io_stat=io(10, 20))
    found = read(host.account())
    assert list(found) == ["virt_net_io", "virt_disk_io", "virt_memory", "virt_cpu"]
    assert found["virt_disk_io"] == {"rd_req": 1, "rd_bytes": 10, "wr_req": 2, "wr_bytes": 20}
    assert found["virt_memory"] == {"memory": 16_674_816, "maxMemory": 1 << 30}
    assert found["virt_cpu"] == {"state": RUNNING, "cpuTime": 180, "nrVirtCpu": 4}
    assert found["virt_net_io"] == dict.fromkeys(FIELDS)


def test_limits(host: Host) -> None:
    host.group(
        cpu_stat="usage_usec 0\n", cpu_max="150000 100000\n", memory_max="4096\n", cgroup_events="populated 1\nfrozen 1"
    )
    found = read(host.account())
    assert found["virt_cpu"] == {"state": PAUSED, "cpuTime": 0, "nrVirtCpu": 2}
    assert found["virt_memory"]["maxMemory"] == 4096
    assert read(host.account(Machine()))["virt_memory"]["maxMemory"] == 4096
    shutil.rmtree(host.groups / PATH[1:])
    host.group(cpu_stat="usage_usec 0\n")
    assert read(host.account(Machine()))["virt_cpu"]["nrVirtCpu"] is None


def test_what_it_does_not_is_counted_of_the_processes(host: Host) -> None:
    host.group(cgroup_procs="7\n8\n")
    host.process(7, 3, read=100)
    host.process(8, 4, written=50)
    account = host.account()
    found = read(account)
    assert found["virt_cpu"]["cpuTime"] == 7 * TICK_MS
    assert found["virt_memory"]["memory"] == 4 * os.sysconf("SC_PAGE_SIZE")
    assert found["virt_disk_io"] == {"rd_req": None, "rd_bytes": 100, "wr_req": None, "wr_bytes": 50}
    host.group(cgroup_procs="8\n")
    found = read(account)
    assert found["virt_cpu"]["cpuTime"] == 7 * TICK_MS, "who ended stays in it"
    assert found["virt_disk_io"]["rd_bytes"] == 100


def test_disks_alone_are_counted_of_the_processes_where_only_they_are_not_accounted_for(host: Host) -> None:
    host.group(cgroup_procs="7\n", cpu_stat="usage_usec 5000\n", memory_current="1\n")
    host.process(7, 3, read=100)
    found = read(host.account())
    assert found["virt_cpu"]["cpuTime"] == 5
    assert found["virt_memory"]["memory"] == 1
    assert found["virt_disk_io"]["rd_bytes"] == 100


def test_a_file_that_cannot_be_read_once_does_not_have_it_counted_twice(host: Host) -> None:
    host.group(cgroup_procs="7\n", cpu_stat="usage_usec 5000\n", memory_current="1\n", io_stat=io(100, 0))
    host.process(7, 99, read=100)
    account = host.account()
    read(account)
    (host.groups / PATH[1:] / "io.stat").unlink()
    assert read(account)["virt_disk_io"]["rd_bytes"] == 100
    host.group(cgroup_procs="7\n", io_stat=io(150, 0))
    assert read(account)["virt_disk_io"]["rd_bytes"] == 150


def test_a_unit_that_is_started_again_counts_on(host: Host) -> None:
    account = host.account()
    host.group(cpu_stat="usage_usec 5000\n", io_stat=io(100, 0))
    assert read(account)["virt_cpu"]["cpuTime"] == 5
    folder = host.groups / PATH[1:]
    folder.rename(folder.with_name("old"))  # which keeps its inode from being used again
    assert account.read(APACHE, None) is None
    host.group(cpu_stat="usage_usec 2000\n", io_stat=io(10, 0))
    found = read(account)
    assert found["virt_cpu"]["cpuTime"] == 7
    assert found["virt_disk_io"]["rd_bytes"] == 110


def test_also_where_it_is_counted_of_the_processes(host: Host) -> None:
    account = host.account()
    host.group(cgroup_procs="7\n")
    host.process(7, 50)
    read(account)
    folder = host.groups / PATH[1:]
    folder.rename(folder.with_name("old"))
    host.group(cgroup_procs="8\n")
    host.process(8, 20)
    assert read(account)["virt_cpu"]["cpuTime"] == 70 * TICK_MS


def test_what_sockets_moved(host: Host) -> None:
    host.group()
    account = host.account()
    none = dict.fromkeys(FIELDS)
    nothing = {"rx_bytes": 0, "rx_packets": 0, "tx_bytes": 0, "tx_packets": 0}
    assert read(account, moved={})["virt_net_io"] == none | nothing
    moved = {1: Moved(1, 2, 3, 4), 2: Moved(10, 20, 30, 40)}
    expected = {"rx_bytes": 11, "rx_packets": 22, "tx_bytes": 33, "tx_packets": 44}
    assert read(account, moved=moved)["virt_net_io"] == none | expected
    assert read(account, moved={1: Moved(0, 0, 3, 4)})["virt_net_io"] == none | expected, "the one anew, one gone"
    assert read(account, moved=None)["virt_net_io"] == none


def device(name: str, rx: int, tx: int) -> str:
    return f"{name}: {rx} 1 2 3 0 0 0 0 {tx} 4 5 6 0 0 0 0\n"


def test_a_container_with_a_network_of_its_own(host: Host) -> None:
    host.group(cgroup_procs="7\n")
    host.space("7", "inner", device("lo", 9, 9), device("eth0", 100, 200))
    account = host.account()
    expected = dict(zip(FIELDS, (100, 1, 2, 3, 200, 4, 5, 6), strict=True))
    assert read(account, WEB)["virt_net_io"] == expected
    assert read(account, WEB, {1: Moved(1, 1, 1, 1)})["virt_net_io"] == expected, "devices tell more than sockets"
    assert read(account, APACHE)["virt_net_io"] == dict.fromkeys(FIELDS), "units are not asked"
    host.group(cgroup_procs="8\n")
    shutil.rmtree(host.proc / "7")
    host.space("8", "inner", device("eth0", 150, 250))
    assert read(account, WEB)["virt_net_io"]["rx_bytes"] == 150, "of another process, where the first ended"


def test_a_container_with_the_hosts_network_has_what_its_sockets_moved(host: Host) -> None:
    host.group(cgroup_procs="7\n")
    host.space("7", "host", device("eth0", 100, 200))
    account = host.account()
    assert read(account, WEB)["virt_net_io"] == dict.fromkeys(FIELDS)
    assert read(account, WEB, {1: Moved(1, 2, 3, 4)})["virt_net_io"]["tx_bytes"] == 3


def test_a_container_that_is_restarted_counts_on(host: Host) -> None:
    host.group(cgroup_procs="7\n")
    host.space("7", "inner", device("eth0", 100, 200))
    account = host.account()
    read(account, WEB)
    host.space("7", "other", device("eth0", 5, 7))
    assert read(account, WEB)["virt_net_io"]["rx_bytes"] == 105


def test_this_machine() -> None:
    found = machine()
    assert found.cpus == os.cpu_count()
    assert found.memory is not None
    assert found.memory == int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert machine("/nowhere").memory is None
