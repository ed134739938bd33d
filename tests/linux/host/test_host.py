# SPDX-License-Identifier: Apache-2.0
"""Every parser, of whatever a text may be: truncated, garbled, empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.linux import bonding
from fleutan.linux.host import disks, filesystems, memory, processors, snmp, whole, word

STAT = b"""cpu  10 20 30 40 50 60 70 80 90 100
cpu0 5 10 15 20 25 30 35 40 45 50
cpu1 5 10 15 20 25 30 35 40 45 50
intr 12345 1 2 3
ctxt 678
btime 1
"""
SNMP = b"""Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 1000
Icmp: InMsgs InErrors InCsumErrors InDestUnreachs
Icmp: 7 1 2 3
Tcp: RtoAlgorithm MaxConn
Tcp: 1 -1
"""
MOUNTS = rb"""21 27 0:19 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 254:0 /var/x /mnt/my\040disk rw - ext4 /dev/vda rw
"""
DISKSTATS = b"""   7       0 loop0 9 9 9 9 9 9 9 9 0 9 9
 254       0 vda 100 1 2000 30 200 2 4000 60 0 9772 48814 23552 51 445456 1251 35238 784
 254       1 vda1 90 1 1900 29 190 2 3900 59 0 9772 48814
"""
MEMINFO = b"MemTotal:       24684092 kB\nMemFree:        17604256 kB\nCached:          100 kB\nHugePages_Total:   0\n"
VMSTAT = b"nr_free_pages 1\npgpgin 5\npgpgout 6\npswpin 7\npswpout 8\n"
BOND = b"""Bonding Mode: IEEE 802.3ad Dynamic link aggregation
MII Status: up
System MAC address: 02:00:00:00:00:01

Slave Interface: eth1
MII Status: up
details actor lacp pdu:
    system mac address: 02:00:00:00:00:01
    port state: 61
details partner lacp pdu:
    system mac address: 02:00:00:00:00:02
"""

PARSERS: list[tuple[Callable[[bytes], Any], bytes]] = [
    (processors.loadavg, b"0.50 1.25 2 3/456 7890\n"),
    (processors.stat, STAT),
    (processors.uptime, b"1234.56 78.9\n"),
    (processors.megahertz, b"processor\t: 0\ncpu MHz\t\t: 2100.123\n"),
    (memory.meminfo, MEMINFO),
    (memory.vmstat, VMSTAT),
    (snmp.snmp, SNMP),
    (disks.diskstats, DISKSTATS),
    (lambda text: filesystems.local(filesystems.mounts(text)), MOUNTS),
    (bonding.ports, BOND),
]


@pytest.mark.parametrize(("parse", "text"), PARSERS)
def test_a_text_may_end_anywhere(parse: Callable[[bytes], Any], text: bytes) -> None:
    for length in range(len(text)):
        parse(text[:length])


@pytest.mark.parametrize(("parse", "text"), PARSERS)
@given(at=st.integers(0, 400), new=st.binary(max_size=30), cut=st.integers(0, 40))
def test_a_text_may_be_garbled(parse: Callable[[bytes], Any], text: bytes, at: int, new: bytes, cut: int) -> None:
    parse(text[:at] + new + text[at + cut :])


@pytest.mark.parametrize(("parse", "text"), PARSERS)
@given(noise=st.binary(max_size=300))
def test_a_text_may_be_anything(parse: Callable[[bytes], Any], text: bytes, noise: bytes) -> None:
    parse(noise)


@pytest.mark.parametrize(("parse", "text"), PARSERS)
def test_numbers_may_be_as_long_as_they_like(parse: Callable[[bytes], Any], text: bytes) -> None:
    parse(text.replace(b"1", b"9" * 5000))


def test_a_number_has_digits_only_and_not_too_many() -> None:
    assert [whole(text) for text in (b"0", b"18446744073709551615", b"", b"-1", b"1_0", b"9" * 21)] == [
        *(0, (1 << 64) - 1),
        *(None, None, None, None),
    ]
    assert (word([b"1"], 0), word([b"1"], 1)) == (1, None)


def test_this_hosts_texts_are_read() -> None:
    here = {name: Path("/proc", name).read_bytes() for name in ("loadavg", "stat", "uptime", "meminfo", "vmstat")}
    load, stat = processors.loadavg(here["loadavg"]), processors.stat(here["stat"])
    assert None not in (*load, *stat, *stat.ticks, processors.uptime(here["uptime"]))
    assert memory.meminfo(here["meminfo"]).keys() >= {"MemTotal", "MemFree", "Cached", "SwapTotal"}
    assert memory.vmstat(here["vmstat"]).keys() == {"pgpgin", "pgpgout", "pswpin", "pswpout"}
    assert snmp.snmp(Path("/proc/net/snmp").read_bytes()).keys() >= {"Ip", "Icmp", "Tcp", "Udp"}
    assert disks.diskstats(Path("/proc/diskstats").read_bytes()).keys() <= {
        line.split()[2] for line in Path("/proc/diskstats").read_text().splitlines()
    }
