# SPDX-License-Identifier: Apache-2.0
"""Room on the disks of this host: which mounts are looked at, and what they come to (/proc/self/mountinfo).

A question to a file system of the network can wait for ever, as can one whose path leads through
it: what is not known to answer at once is not asked.  ZFS is left out, since its file systems share
a pool, whose size statvfs(3) does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from fleutan.linux.host import whole

#: File systems on a disk of this host.
LOCAL = frozenset(
    (
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "jfs", "reiserfs", "nilfs2"),
        *("vfat", "exfat", "msdos", "ntfs3", "hfs", "hfsplus", "ufs", "ubifs", "jffs2"),
    )
)
#: What has no room of its own, but answers at once, so that paths may lead through it.
_WITHOUT_ROOM = frozenset(
    (
        *("rootfs", "tmpfs", "ramfs", "devtmpfs", "overlay", "aufs", "squashfs", "erofs", "iso9660", "udf", "cramfs"),
        *("romfs", "proc", "sysfs", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "configfs"),
        *("bpf", "pstore", "mqueue", "hugetlbfs", "efivarfs", "nsfs", "zfs"),
    )
)
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")


class Mount(NamedTuple):
    """A mount: its device (``major:minor``), its path, its kind of file system, and whether it may be written."""

    device: bytes
    path: bytes
    kind: str
    writable: bool


class Room(NamedTuple):
    """Octets in all, octets that users may still fill, and the fullest in hundredths of a per cent."""

    total: int
    free: int
    fullest: int


class Answer(NamedTuple):
    """What is used of statvfs(3)."""

    f_frsize: int
    f_blocks: int
    f_bavail: int


def mounts(text: bytes) -> list[Mount]:
    """Mounts in their order; a later one hides those at and below its path."""
    return [mount for mount in map(_mount, text.splitlines()) if mount is not None]


def _mount(line: bytes) -> Mount | None:
    """``36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue``."""
    words, found, about = (part.split() for part in line.partition(b" - "))
    if not found or len(words) < 6 or len(about) < 3 or whole(words[2].partition(b":")[2]) is None:
        return None
    writable = b"rw" in words[5].split(b",") and b"rw" in about[2].split(b",")
    return Mount(words[2], _unescaped(words[4]), about[0].decode("ascii", "replace"), writable)


def _unescaped(word: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), word)


def local(found: Iterable[Mount]) -> list[bytes]:
    """One path for each device of this host that may be written, whose path leads through nothing that may wait."""
    at_path = {mount.path: mount for mount in found}
    waiting = {path for path, mount in at_path.items() if mount.kind not in LOCAL | _WITHOUT_ROOM}
    paths: dict[bytes, bytes] = {}
    for path, mount in at_path.items():
        if mount.kind in LOCAL and mount.writable and not waiting.intersection(_leading_to(path)):
            paths.setdefault(mount.device, path)
    return list(paths.values())


def _leading_to(path: bytes) -> list[bytes]:
    """The path, and all folders above it."""
    parts = path.split(b"/")
    return [b"/", *(b"/".join(parts[:count]) for count in range(2, len(parts) + 1))]


def room(paths: Iterable[bytes], statvfs: Callable[[bytes], Answer]) -> Room | None:
    """What they come to; one that cannot be asked is left out, None of none."""
    sizes = []
    for path in paths:
        try:
            answer = statvfs(path)
        except (OSError, ValueError):
            continue
        if answer.f_blocks > 0:
            sizes.append((answer.f_blocks * answer.f_frsize, answer.f_bavail * answer.f_frsize))
    if not sizes:
        return None
    fullest = max((size - free) * 10_000 // size for size, free in sizes)
    return Room(sum(size for size, _ in sizes), sum(free for _, free in sizes), fullest)
