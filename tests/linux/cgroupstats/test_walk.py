# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests import cgroups

from fleutan.linux.cgroupstats.walk import groups


def test_every_group_once_those_around_first(tmp_path: Path) -> None:
    for name in ("a.slice/b.service/in/deeper", "a.slice/c.service", "d"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "cgroup.procs").touch()
    (tmp_path / "link").symlink_to("d")
    found = list(groups(str(tmp_path)))
    paths = [group.path for group in found]
    assert sorted(paths) == [
        *("/a.slice", "/a.slice/b.service", "/a.slice/b.service/in"),
        *("/a.slice/b.service/in/deeper", "/a.slice/c.service", "/d"),
    ]
    assert all(paths.index(os.path.dirname(path)) < paths.index(path) for path in paths if path.count("/") > 1)
    assert len({group.inode for group in found}) == len(found)


def test_what_goes_meanwhile_is_passed_over(tmp_path: Path) -> None:
    for name in ("a/in", "b/in", "c"):
        (tmp_path / name).mkdir(parents=True)
    walk = groups(str(tmp_path))
    first = next(walk)
    for name in ("a", "b", "c"):
        shutil.rmtree(tmp_path / name)
    assert {group.path for group in [first, *walk]} <= {"/a", "/b", "/c"}
    assert list(groups(str(tmp_path / "nowhere"))) == []


def test_it_ends(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}/in").mkdir(parents=True)
    assert len(list(groups(str(tmp_path), most=5))) == 5


def test_a_leaf_of_the_kernels_has_two_links() -> None:
    where = cgroups.real()
    with cgroups.made(f"/fln{os.getpid()}.slice/a.service/in", where):
        for mount in where.walked():
            found = {group.path: group.inode for group in groups(mount) if group.path.startswith("/fln")}
            assert f"/fln{os.getpid()}.slice/a.service/in" in found
            assert all(os.stat(mount + path).st_ino == number for path, number in found.items())
            assert len(os.listdir(f"{mount}/fln{os.getpid()}.slice")) > 1
            if os.stat(f"{mount}/fln{os.getpid()}.slice/a.service/in").st_nlink != 2:
                pytest.fail("leaves cannot be told from other groups by their links on this kernel")
