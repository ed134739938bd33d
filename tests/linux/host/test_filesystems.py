# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.linux.host.test_host import MOUNTS

from fleutan.linux.host.filesystems import Answer, Mount, Room, local, mounts, room


def mount(path: str, kind: str = "ext4", device: str = "8:1", writable: bool = True) -> Mount:
    return Mount(device.encode(), path.encode(), kind, writable)


def test_mounts_and_their_paths_as_they_are() -> None:
    assert mounts(MOUNTS)[1:] == [mount("/", device="254:0"), mount("/mnt/my disk", device="254:0")]
    assert mounts(b"27 1 8:1 / / ro shared:1 - ext4 /dev/sda rw\n")[0].writable is False
    assert mounts(b"27 1 8:1 / / rw shared:1 - ext4 /dev/sda ro,errors=x\n")[0].writable is False


@pytest.mark.parametrize(
    "line", [b"", b"27 1 8:1 / / rw ext4 /dev/sda rw", b"1 2 8:1 / - ext4 x rw", b"1 2 x / / rw - a b c"]
)
def test_what_is_no_mount_is_none(line: bytes) -> None:
    assert mounts(line) == []


def test_each_device_once_and_only_what_may_be_written() -> None:
    found = [mount("/"), mount("/boot", device="8:2"), mount("/again"), mount("/cd", device="8:3", writable=False)]
    assert local(found) == [b"/", b"/boot"]
    assert local([mount("/a", writable=False), mount("/b")]) == [b"/b"]


@pytest.mark.parametrize(
    "kind", ["nfs4", "cifs", "fuse.sshfs", "fuseblk", "ceph", "autofs", "9p", "virtiofs", "zfs", "tmpfs"]
)
def test_what_has_no_disk_here_is_not_asked(kind: str) -> None:
    assert local([mount("/"), mount("/data", kind, "0:40")]) == [b"/"]


def test_no_path_leads_through_what_may_wait() -> None:
    network = mount("/srv", "nfs4", "0:40")
    assert local([network, mount("/srv/disk")]) == []
    assert local([mount("/srv/disk"), network]) == []
    assert local([mount("/srvdisk"), network]) == [b"/srvdisk"]
    assert local([mount("/srv"), network]) == []
    assert local([mount("/srv", "autofs", "0:41"), mount("/srv")]) == [b"/srv"]
    assert local([mount("/", "fuse.x", "0:50"), mount("/data")]) == []


def test_room_is_added_up_and_the_fullest_is_told() -> None:
    answers = {b"/": Answer(4096, 1000, 400), b"/boot": Answer(1024, 100, 1), b"/empty": Answer(4096, 0, 0)}

    def statvfs(path: bytes) -> Answer:
        if path not in answers:
            raise PermissionError
        return answers[path]

    expected = Room(4096 * 1000 + 1024 * 100, 4096 * 400 + 1024, 9900)
    assert room([b"/", b"/boot", b"/empty", b"/gone"], statvfs) == expected
    assert room([b"/gone"], statvfs) is None
