# SPDX-License-Identifier: Apache-2.0
"""What disks read and wrote (/proc/diskstats), each octet counted once.

Counted is the lowest layer that this host drives: whole disks, of which partitions are parts.
What lies on other devices (volumes and mirrors of dm, md, drbd, bcache, zvols) moves the same
octets again, and is left out; so is what is no disk (loop, ram, zram).  Of an NVMe disk with
several paths (``nvme0c1n1``) the paths count, and the disk above them does not.  Disks of the
network (nbd, rbd, iSCSI) are lowest here, and count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from fleutan.linux.host import whole

#: Octets of a sector in the kernel's counting, whatever the disk's are (SECTOR_SIZE).
SECTOR = 512
_STACKED = re.compile(r"(?:loop|ram|zram|dm-|md|drbd|bcache|zd)\d+")
_PATH = re.compile(r"(nvme\d+)c\d+(n\d+)")


class Disk(NamedTuple):
    """What a disk did since the boot; times in milliseconds, over all requests."""

    reads: int
    sectors_read: int
    read_ms: int
    writes: int
    sectors_written: int
    write_ms: int


def diskstats(text: bytes) -> dict[str, Disk]:
    """Disks and their partitions by name; a row that is not whole is left out."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        # major, minor, name; reads, merged, sectors, ms; writes, merged, sectors, ms; …
        numbers = [whole(words[place]) for place in (3, 5, 6, 7, 9, 10)] if len(words) > 10 else [None]
        known = [number for number in numbers if number is not None]
        if len(known) == len(Disk._fields):
            found[words[2].decode("utf-8", "replace")] = Disk(*known)
    return found


def lowest(names: Iterable[str], on_others: Collection[str] = ()) -> set[str]:
    """Of whole disks (names of /sys/block) those that count; ``on_others`` have slaves there."""
    disks = {name.replace("!", "/") for name in names if not _STACKED.fullmatch(name) and name not in on_others}
    paths = filter(None, map(_PATH.fullmatch, disks))
    return disks - {path[1] + path[2] for path in paths}


def total(found: Iterable[Disk]) -> Disk | None:
    """All together; None of none."""
    disks = list(found)
    return Disk(*map(sum, zip(*disks, strict=True))) if disks else None
