# SPDX-License-Identifier: Apache-2.0
"""A host of files, and this one."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.linux.host.test_host import DISKSTATS, MEMINFO, MOUNTS, SNMP, STAT, VMSTAT
from tests.sources.counters.asked import MAC, Told, counted, hardware

from fleutan.linux.host.filesystems import Answer
from fleutan.observed import INTERFACE, Counters, Source
from fleutan.sources.counters.devices import Devices
from fleutan.sources.counters.host import THIS_HOST, HostCounters

FILES = {
    "loadavg": b"0.50 1.25 2 3/456 7890\n",
    "stat": STAT,
    "uptime": b"1234.56 78.9\n",
    "cpuinfo": b"processor\t: 0\ncpu MHz\t\t: 2100.123\n",
    "meminfo": MEMINFO,
    "vmstat": VMSTAT,
    "diskstats": DISKSTATS,
    "thread-self/net/snmp": SNMP,
    "self/mountinfo": MOUNTS,
}
#: In the order in which Host sFlow sends them.
ORDER = [
    *("host_adapters", "mib2_udp_group", "mib2_tcp_group", "mib2_icmp_group", "mib2_ip_group", "host_disk_io"),
    *("host_memory", "host_cpu", "host_net_io", "host_descr"),
]
MACHINE_ID = "000102030405060708090a0b0c0d0e0f"


class Tree:
    """The files of a host below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in FILES.items():
            self.write(f"proc/{name}", text)
        for name in ("vda", "loop0", "xyz0/slaves/vda"):
            (root / "sys/block" / name).mkdir(parents=True)
        self.write("etc/machine-id", f"{MACHINE_ID}\n".encode())
        self.told = Told(hardware())
        self.told.stats[2] = counted(100)
        self.asked: list[bytes] = []

    def write(self, name: str, text: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)

    def host(self, **more: Any) -> HostCounters:
        roots = {name: str(self.root / name) for name in ("proc", "sys", "etc")}
        return HostCounters(self.told.table(), statvfs=self._statvfs, **(roots | more))

    def _statvfs(self, path: bytes) -> Answer:
        self.asked.append(path)
        return Answer(4096, 100, 25)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def read(host: HostCounters) -> Counters:
    [found] = host.read(host.sources())
    return found


def test_the_structures_in_their_order(tree: Tree) -> None:
    host = tree.host(hostname="alpha")
    found = read(host)
    assert found.source == (2, 1)
    assert [*found.structures] == ORDER
    assert found.labels == {"host": "alpha"}
    assert host.notes() == []
    assert found.structures["host_adapters"] == {"adapters": [(2, [MAC])]}
    assert found.structures["mib2_icmp_group"]["icmpInDestUnreachs"] == 3
    assert found.structures["mib2_tcp_group"]["tcpMaxConn"] == -1
    assert found.structures["host_net_io"]["bytes_in"] == 102
    assert found.structures["host_descr"]["hostname"] == "alpha"
    assert found.structures["host_descr"]["uuid"] == bytes(range(16))
    assert [found.structures["host_cpu"][name] for name in ("cpu_num", "cpu_speed", "uptime")] == [2, 2100, 1234]
    assert found.structures["host_memory"]["swap_out"] == 8


def test_a_disk_counts_once_and_its_room_once(tree: Tree) -> None:
    found = read(tree.host()).structures["host_disk_io"]
    assert [*found.values()] == [409600, 102400, 7500, 100, 2000 * 512, 30, 200, 4000 * 512, 60]
    assert tree.asked == [b"/"]


def test_new_disks_and_mounts_are_found(tree: Tree) -> None:
    host = tree.host()
    read(host)
    (tree.root / "sys/block/vdb").mkdir()
    tree.write("proc/diskstats", DISKSTATS + b" 254 16 vdb 1000 0 0 0 0 0 0 0\n")
    tree.write("proc/self/mountinfo", MOUNTS + b"31 27 254:16 / /b rw - xfs /dev/vdb rw\n")
    found = read(host).structures["host_disk_io"]
    assert (found["reads"], found["disk_total"]) == (1100, 819200)


def test_nothing_is_read_of_others(tree: Tree) -> None:
    assert [*tree.host().read([Source(INTERFACE, 2)])] == []
    assert tree.told.listed == 0


def test_the_speed_is_what_the_kernel_may_use_or_the_processor_says(tree: Tree) -> None:
    host = tree.host()
    assert read(host).structures["host_cpu"]["cpu_speed"] == 2100
    tree.write("proc/cpuinfo", b"")
    assert read(host).structures["host_cpu"]["cpu_speed"] == 2100
    assert read(tree.host()).structures["host_cpu"]["cpu_speed"] is None
    tree.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", b"3600000\n")
    assert read(host).structures["host_cpu"]["cpu_speed"] == 3600


def test_the_identifier_is_what_is_given_or_the_machines_or_the_firmwares(tree: Tree) -> None:
    def uuid(**more: Any) -> Any:
        return read(tree.host(**more)).structures["host_descr"]["uuid"]

    tree.write("sys/class/dmi/id/product_uuid", b"10111213-1415-1617-1819-1a1b1c1d1e1f\n")
    assert uuid(uuid=b"x" * 16) == b"x" * 16
    assert uuid() == bytes(range(16))
    tree.write("etc/machine-id", b"uninitialized\n")
    assert uuid() == bytes(range(16, 32))
    (tree.root / "sys/class/dmi/id/product_uuid").unlink()
    host = tree.host()
    assert read(host).structures["host_descr"]["uuid"] is None
    assert [note for note in host.notes() if "identifier" in note]


@pytest.mark.parametrize("name", [name for name in FILES if name != "cpuinfo"])
def test_what_cannot_be_read_is_unknown_and_a_note_says_so(tree: Tree, name: str) -> None:
    whole = read(tree.host()).structures
    (tree.root / "proc" / name).unlink()
    host = tree.host()
    found = read(host).structures
    path = tree.root / "proc" / name
    assert host.notes() == [f"host: {path} cannot be read: no such file or directory"]
    changed = [
        (structure, field)
        for structure, values in whole.items()
        for field, value in values.items()
        if found[structure][field] != value
    ]
    assert changed
    assert {found[structure][field] for structure, field in changed} == {None}


def test_disks_need_to_be_told_from_partitions(tree: Tree) -> None:
    host = tree.host(sys="/none")
    assert read(host).structures["host_disk_io"]["reads"] is None
    assert host.notes() == ["host: /none/block cannot be read: no such file or directory"]


def test_notes_are_those_of_the_last_reading(tree: Tree) -> None:
    host = tree.host()
    tree.told.silent.add("stats")
    (tree.root / "proc/stat").unlink()
    read(host)
    assert len(host.notes()) == 2
    tree.told.silent.clear()
    tree.write("proc/stat", STAT)
    read(host)
    assert host.notes() == []


def garbled(text: bytes, source: random.Random) -> bytes:
    at, length = source.randrange(len(text)), source.randrange(20)
    ways: list[Callable[[], bytes]] = [
        lambda: b"",
        lambda: text[:at],
        lambda: text[:at] + source.randbytes(length) + text[at + length :],
        lambda: text.replace(b"1", b"9" * source.randrange(30)),
        lambda: text[at:] + text[:at],
        lambda: source.randbytes(4 * length),
    ]
    return source.choice(ways)()


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_files_hold_nothing_raises_and_every_field_is_there(tree: Tree, seed: int) -> None:
    source = random.Random(seed)  # noqa: S311
    host = tree.host()
    fields = {name: tuple(values) for name, values in read(host).structures.items()}
    for _ in range(50):
        for name, text in FILES.items():
            tree.write(f"proc/{name}", garbled(text, source) if source.random() < 0.5 else text)
        tree.write("etc/machine-id", garbled(MACHINE_ID.encode(), source))
        found = read(source.choice([host, tree.host()])).structures
        assert {name: tuple(values) for name, values in found.items()} == fields
        numbers = (value for values in found.values() for value in values.values())
        assert all(value is None or isinstance(value, (int, float, str, bytes, list)) for value in numbers)


def test_this_host_agrees_with_itself() -> None:
    found = read(HostCounters(Devices())).structures
    assert found["host_cpu"]["cpu_num"] == os.sysconf("SC_NPROCESSORS_ONLN")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert abs(found["host_memory"]["mem_total"] - total) < total / 100
    assert found["host_descr"]["os_release"] == os.uname().release[:32]
    assert found["mib2_ip_group"]["ipInReceives"] >= 0
    assert THIS_HOST == (2, 1)


def test_a_file_that_is_a_folder_is_none(tree: Tree) -> None:
    for name in ("proc/cpuinfo", "etc/machine-id"):
        (tree.root / name).unlink()
        (tree.root / name).mkdir()
    found = read(tree.host()).structures
    assert (found["host_cpu"]["cpu_speed"], found["host_descr"]["uuid"]) == (None, None)
