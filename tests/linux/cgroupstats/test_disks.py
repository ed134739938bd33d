# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from fleutan.linux.cgroupstats.disks import LIFETIME_S, Disks
from fleutan.linux.cgroupstats.parse import Io


class Blocks:
    """Block devices as /sys shows them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "dev/block").mkdir(parents=True)

    def disk(self, name: str, number: str, *slaves: str) -> None:
        place = self.root / f"devices/block/{name}"
        (place / "slaves").mkdir(parents=True, exist_ok=True)
        (place / "dev").write_text(f"{number}\n")
        self._link(number, place)
        for slave in slaves:
            (place / "slaves" / slave).symlink_to(next((self.root / "devices").rglob(slave)))

    def part(self, disk: str, name: str, number: str) -> None:
        place = self.root / f"devices/block/{disk}/{name}"
        place.mkdir()
        (place / "partition").write_text("1\n")
        (place / "dev").write_text(f"{number}\n")
        self._link(number, place)

    def _link(self, number: str, place: Path) -> None:
        link = self.root / "dev/block" / number
        if not link.exists():
            link.symlink_to(place)


@pytest.fixture
def blocks(tmp_path: Path) -> Blocks:
    made = Blocks(tmp_path)
    made.disk("sda", "8:0")
    made.part("sda", "sda2", "8:2")
    made.disk("sdb", "8:16")
    return made


def io(count: int) -> Io:
    return Io(count, 2 * count, 3 * count, 4 * count)


def total(blocks: Blocks, **counts: int) -> Io:
    numbers = {
        "sda": "8:0",
        "sdb": "8:16",
        "dm0": "253:0",
        "dm1": "253:1",
        "md0": "9:0",
        "loop1": "7:1",
        "zram0": "252:0",
    }
    return Disks(str(blocks.root)).total({numbers[name]: io(count) for name, count in counts.items()})


def test_nothing_is_none_read(blocks: Blocks) -> None:
    assert total(blocks) == Io(0, 0, 0, 0)


def test_disks_apart_add_up(blocks: Blocks) -> None:
    assert total(blocks, sda=1, sdb=2) == io(3)


def test_unknown_disks_count(tmp_path: Path) -> None:
    assert Disks(str(tmp_path)).total({"8:0": Io(1, None, None, None)}) == Io(1, 0, 0, 0)


def test_a_mapped_device_is_not_counted_twice(blocks: Blocks) -> None:
    blocks.disk("dm-0", "253:0", "sda2")
    blocks.disk("dm-1", "253:1", "sda2")
    assert total(blocks, sda=35, dm0=10, dm1=20, sdb=1) == io(36)


def test_devices_on_devices_on_disks_are_counted_once(blocks: Blocks) -> None:
    blocks.disk("dm-0", "253:0", "sda2")
    blocks.disk("dm-1", "253:1", "dm-0")
    assert total(blocks, sda=10, dm0=10, dm1=10) == io(10)
    assert total(blocks, sda=10, dm1=10) == io(10), "also where the one between is not told"


def test_what_is_only_sent_on_is_counted_above(blocks: Blocks) -> None:
    blocks.disk("md0", "9:0", "sda", "sdb")
    assert total(blocks, md0=10) == io(10)
    assert total(blocks, md0=10, sda=3) == io(10)


def test_both_copies_of_a_mirror_are_written(blocks: Blocks) -> None:
    blocks.disk("md0", "9:0", "sda", "sdb")
    assert total(blocks, md0=10, sda=10, sdb=10) == io(20)


def test_memory_and_files_are_no_disks(blocks: Blocks) -> None:
    blocks.disk("loop1", "7:1")
    blocks.disk("zram0", "252:0")
    assert total(blocks, sda=1, loop1=5, zram0=7) == io(1)


def test_a_loop_of_devices_ends(blocks: Blocks) -> None:
    blocks.disk("dm-0", "253:0", "sda")
    blocks.disk("sda", "8:0", "dm-0")
    assert total(blocks, sda=10, dm0=10) == Io(0, 0, 0, 0) or total(blocks, sda=10, dm0=10) == io(10)


def test_what_lies_on_what_is_looked_at_again(blocks: Blocks) -> None:
    now = [100.0]
    disks = Disks(str(blocks.root), lambda: now[0])
    blocks.disk("dm-0", "253:0")
    counts = {"8:0": io(10), "253:0": io(10)}
    assert disks.total(counts) == io(20)
    blocks.disk("dm-0", "253:0", "sda2")
    assert disks.total(counts) == io(20)
    now[0] += LIFETIME_S
    assert disks.total(counts) == io(10)
