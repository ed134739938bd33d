# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.linux.host.test_host import MEMINFO, VMSTAT

from fleutan.linux.host.memory import meminfo, vmstat


def test_meminfo_is_in_octets_and_names_are_whole() -> None:
    assert meminfo(MEMINFO) == {"MemTotal": 24684092 << 10, "MemFree": 17604256 << 10, "Cached": 100 << 10}
    assert meminfo(b"SwapCached:  4 kB\nActive: 1 kB\nShmem:  3 kB\nShmemHugePages: 9 kB\n") == {"Shmem": 3 << 10}


def test_vmstat() -> None:
    assert vmstat(VMSTAT) == {"pgpgin": 5, "pgpgout": 6, "pswpin": 7, "pswpout": 8}
    assert vmstat(b"pgpgin x\npgpgout 99999999999999999999999\nxpswpin 1\n") == {}
