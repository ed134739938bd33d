# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests import cgroups

from fleutan.linux.cgroupstats.hierarchies import Hierarchies, hierarchies
from fleutan.linux.cgroupstats.walk import groups
from fleutan.sources.counters.entities.finding import AT_ONCE_S, REFRESH_S, SHARE, Finder
from fleutan.sources.counters.entities.kinds import Choice

ID = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899"
UID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
POD = f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice"
A, B = "/system.slice/a.service", "/system.slice/b.service"


class Clock:
    """Goes on by ``step`` each time that it is looked at."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step, self.looks = 1000.0, step, 0

    def __call__(self) -> float:
        self.now += self.step
        self.looks += 1
        return self.now


def found(finder: Finder) -> set[str]:
    assert finder.advance()
    return set(finder.found.entities)


def of(where: Hierarchies, choice: Choice = Choice()) -> Finder:  # noqa: B008  # never written to
    return Finder(where, choice, Clock())


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    cgroups.tree(tmp_path, {"cgroup.controllers": ""})
    for path in ("/system.slice", A, f"{A}/inner", POD, f"{POD}/cri-containerd-{ID}.scope"):
        cgroups.group(tmp_path, path)
    cgroups.group(tmp_path, B, cgroup_events="populated 0\n")
    return tmp_path


def test_those_that_have_processes(v2: Path) -> None:
    assert found(of(hierarchies(str(v2)))) == {A, UID}
    assert found(of(hierarchies(str(v2)), Choice(pods=False))) == {A, ID}
    assert found(of(Hierarchies())) == set()


def test_groups_are_parts_of_what_is_told(v2: Path) -> None:
    finder = of(hierarchies(str(v2)))
    found(finder)
    # As a listing tells them: of some file systems, unlike of control groups, a look at the folder tells others.
    ids = {group.path[1:]: group.inode for group in groups(str(v2))}
    assert {name: finder.found.ids[number] for name, number in ids.items() if number in finder.found.ids} == {
        "system.slice/a.service": (A,),
        "system.slice/a.service/inner": (A,),
        POD[1:]: (UID,),
        f"{POD[1:]}/cri-containerd-{ID}.scope": (UID,),
    }


def test_v1_by_its_processes_wherever_they_are(tmp_path: Path) -> None:
    cgroups.tree(
        tmp_path,
        {
            f"systemd{A}/cgroup.procs": "",
            f"systemd{A}/inner/cgroup.procs": "7\n",
            f"systemd{B}/cgroup.procs": "",
            f"cpuacct/docker/{ID}/cgroup.procs": "9\n",
            f"memory/docker/{ID}/cgroup.procs": "9\n",
        },
    )
    finder = of(hierarchies(str(tmp_path)))
    assert found(finder) == {A, ID}
    assert finder.found.ids == {}, "sockets belong to groups of v2 only"


def test_an_empty_v2_beside_v1_has_no_sockets(tmp_path: Path) -> None:
    cgroups.tree(tmp_path, {"unified/cgroup.controllers": "", f"systemd{A}/cgroup.procs": "7\n"})
    cgroups.group(tmp_path / "unified", A, cgroup_events="populated 0\n")
    finder = of(hierarchies(str(tmp_path)))
    assert found(finder) == {A}
    assert finder.found.ids == {}


def test_what_comes_and_goes(v2: Path) -> None:
    clock = Clock()
    finder = Finder(hierarchies(str(v2)), Choice(), clock)
    assert found(finder) == {A, UID}
    cgroups.group(v2, B)
    shutil.rmtree(v2 / A[1:])
    assert not finder.advance()
    assert set(finder.found.entities) == {A, UID}
    clock.now += REFRESH_S
    assert found(finder) == {B, UID}
    assert finder.walks == 2


def test_nothing_is_remembered_of_what_went(v2: Path) -> None:
    clock = Clock()
    finder = Finder(hierarchies(str(v2)), Choice(), clock)
    for number in range(50):
        cgroups.group(v2, f"/system.slice/run-{number}.service")
        clock.now += REFRESH_S
        assert f"/system.slice/run-{number}.service" in found(finder)
        shutil.rmtree(v2 / f"system.slice/run-{number}.service")
    assert len(finder._known) < 10
    assert len(finder.found.ids) < 10


def test_a_walk_takes_its_share_of_the_time_and_no_more(tmp_path: Path) -> None:
    cgroups.tree(tmp_path, {"cgroup.controllers": ""})
    for number in range(200):
        (tmp_path / f"system.slice/{number}.service").mkdir(parents=True)
    clock = Clock()
    finder = Finder(hierarchies(str(tmp_path)), Choice(), clock)
    assert finder.advance()
    clock.now += REFRESH_S - 0.5
    assert not finder.advance()
    clock.step = 0.001  # what a group takes
    calls, spent = 0, 0.0
    while finder.walks == 1:
        clock.now += 1.0
        began = clock.now
        finder.advance()
        spent = max(spent, clock.now - began)
        calls += 1
    assert calls > 200 * 0.001 / (1.1 * SHARE) * 0.9, "not all at once"
    assert spent <= 1.2 * SHARE
    clock.now += 1000.0
    began = clock.now
    finder.advance()
    assert clock.now - began <= AT_ONCE_S + 0.01, "nor a long time at once after a long pause"


def test_no_more_are_told_than_there_may_be(tmp_path: Path) -> None:
    cgroups.tree(tmp_path, {"cgroup.controllers": ""})
    for number in range(7):
        cgroups.group(tmp_path, f"/system.slice/{number}.service")
    finder = Finder(hierarchies(str(tmp_path)), Choice(), Clock(), most=5)
    assert len(found(finder)) == 5
    assert finder.found.left_out == 2


def test_real_groups() -> None:
    where = cgroups.real()
    path = f"/fln{os.getpid()}.slice/apache2.service"
    with cgroups.made(path, where) as folders, cgroups.process() as one:
        assert path not in found(of(where))
        cgroups.enter(folders, one.pid)
        assert path in found(of(where))
