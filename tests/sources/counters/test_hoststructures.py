# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from fleutan.linux.host.disks import Disk
from fleutan.linux.host.filesystems import Room
from fleutan.linux.host.processors import Load, Stat
from fleutan.protocols.sflow.layouts import COUNTERS
from fleutan.sources.counters.devices import Interface
from fleutan.sources.counters.hoststructures import (
    host_adapters,
    host_cpu,
    host_descr,
    host_disk_io,
    host_memory,
    mib2,
)


def has_layout(name: str, values: dict[str, Any]) -> None:
    assert tuple(values) == next(layout.names for layout in COUNTERS if layout.name == name)


@pytest.mark.parametrize(
    ("machine", "number"), [("x86_64", 3), ("i686", 2), ("aarch64", 10), ("armv7l", 10), ("ppc64le", 7), ("riscv64", 1)]
)
def test_kinds_of_machines(machine: str, number: int) -> None:
    values = host_descr("h", bytes(16), machine, "6.18.0")
    has_layout("host_descr", values)
    assert [*values.values()] == ["h", bytes(16), number, 2, "6.18.0"]


def test_texts_are_as_long_as_the_structure_has_room() -> None:
    values = host_descr("ä" * 40, None, "", "x" * 40)
    assert (values["hostname"], values["os_release"], values["machine_type"]) == ("ä" * 32, "x" * 32, 0)


def test_adapters() -> None:
    values = host_adapters([Interface(2, "eth0", mac=b"\2abcde")])
    has_layout("host_adapters", values)
    assert values == {"adapters": [(2, [b"\2abcde"])]}


def test_times_are_in_milliseconds_and_guests_count_as_the_kernel_counts_them() -> None:
    stat = Stat((100, 2, 3, 4, 5, 6, 7, 8, 90, 10), 4, 1000, 2000)
    values = host_cpu(Load(0.5, 1.0, 1.5, 3, 200), stat, 77, 2100, 100)
    has_layout("host_cpu", values)
    assert [*values.values()] == [
        *(0.5, 1.0, 1.5, 2, 200, 4, 2100, 77),
        *(1000, 20, 30, 40, 50, 60, 70, 1000, 2000, 80, 900, 100),
    ]
    assert host_cpu(Load(0.5, 1.0, 1.5, 0, 200), stat, 77, 2100, 1000)["proc_run"] == 0
    assert host_cpu(Load(0.5, 1.0, 1.5, 0, 200), stat, 77, 2100, 1000)["cpu_user"] == 100


def test_what_is_not_known_of_processors() -> None:
    nothing = host_cpu(Load(None, None, None, None, None), Stat((None,) * 10, None, None, None), None, None, 100)
    assert set(nothing.values()) == {None}


def test_memory() -> None:
    meminfo = {"MemTotal": 1, "MemFree": 2, "Shmem": 3, "Buffers": 4, "Cached": 5, "SReclaimable": 60}
    swap = {"SwapTotal": 7, "SwapFree": 8}
    values = host_memory(meminfo | swap, {"pgpgin": 9, "pgpgout": 10, "pswpin": 11, "pswpout": 12})
    has_layout("host_memory", values)
    assert [*values.values()] == [1, 2, 3, 4, 65, 7, 8, 9, 10, 11, 12]
    assert set(host_memory({}, {}).values()) == {None}
    assert host_memory({"Cached": 5}, {})["mem_cached"] == 5


def test_disks() -> None:
    values = host_disk_io(Disk(0, 2, 3, 4, 5, 6), Room(1000, 400, 6000))
    has_layout("host_disk_io", values)
    assert [*values.values()] == [1000, 400, 6000, 0, 1024, 3, 4, 2560, 6]
    assert set(host_disk_io(None, None).values()) == {None}


def test_counters_of_the_stack_by_their_names() -> None:
    icmp = {"InMsgs": 1, "InCsumErrors": 99, "InDestUnreachs": 2, "InParmProbs": 3, "OutParmProbs": 4, "OutMsgs": 0}
    found = mib2({"Icmp": icmp, "Tcp": {"MaxConn": -1, "CurrEstab": 5}})
    assert [*found] == ["mib2_udp_group", "mib2_tcp_group", "mib2_icmp_group", "mib2_ip_group"]
    for name, values in found.items():
        has_layout(name, values)
    known = {field: value for field, value in found["mib2_icmp_group"].items() if value is not None}
    assert known == {
        "icmpInMsgs": 1,
        "icmpInDestUnreachs": 2,
        "icmpInParamProbs": 3,
        "icmpOutMsgs": 0,
        "icmpOutParamProbs": 4,
    }
    assert found["mib2_tcp_group"]["tcpMaxConn"] == -1
    assert set(found["mib2_ip_group"].values()) == {None}
