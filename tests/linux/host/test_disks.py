# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.linux.host.test_host import DISKSTATS

from fleutan.linux.host.disks import Disk, diskstats, lowest, total


def test_rows_by_name() -> None:
    assert diskstats(DISKSTATS)["vda"] == Disk(100, 2000, 30, 200, 4000, 60)
    assert diskstats(b"254 0 vda 1 2 3\n254 0 vdb 1 2 x 4 5 6 7 8\n") == {}


def test_volumes_and_what_is_no_disk_count_nothing_more() -> None:
    names = ["sda", "sdb", "dm-0", "md127", "loop3", "ram1", "zram0", "drbd0", "bcache0", "zd16", "nbd0", "mmcblk0"]
    assert lowest(names) == {"sda", "sdb", "nbd0", "mmcblk0"}
    assert lowest(["sda", "xyz0"], ["xyz0"]) == {"sda"}


def test_of_an_nvme_disk_with_paths_the_paths_count() -> None:
    assert lowest(["nvme0n1", "nvme0c0n1", "nvme0c1n1", "nvme1n1"]) == {"nvme0c0n1", "nvme0c1n1", "nvme1n1"}


def test_names_with_a_slash_have_another_sign_in_sys() -> None:
    assert lowest(["cciss!c0d0"]) == {"cciss/c0d0"}


def test_together() -> None:
    assert total([Disk(1, 2, 3, 4, 5, 6), Disk(10, 20, 30, 40, 50, 60)]) == Disk(11, 22, 33, 44, 55, 66)
    assert total([]) is None
