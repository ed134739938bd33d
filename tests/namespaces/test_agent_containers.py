# SPDX-License-Identifier: Apache-2.0
"""An agent on a host with hundreds of containers that come and go."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests import cgroups
from tests.namespaces.agents import Agent

pytestmark = pytest.mark.usefixtures("needs_bpf")


def test_hundreds_of_containers_that_come_and_go(tmp_path: Path) -> None:
    mount = cgroups.real().v2
    if mount is None:
        pytest.skip("needs cgroup2")
    words = ("--polling", "2", "--packets", "none", "--no-drops", "-c", "127.0.0.1:9")
    with Containers(Path(mount, f"fln{os.getpid()}.slice")) as containers, Agent(None, tmp_path, *words) as agent:
        containers.run(range(500))
        agent.when(lambda status: status["data_sources"] >= 500, "all are there", 40)
        agent.when(lambda status: status["samples"]["counters"] > 600, "they are told", 40)
        before = agent.settled()
        containers.run(range(400, 900))
        agent.when(lambda status: status["samples"]["counters"] > 2500, "others are told", 40)
        containers.run(range(0))
        agent.when(lambda status: status["data_sources"] < 400, "they are gone", 40)
        agent.assert_not_grown(before)
        assert agent.status()["failures"] == agent.status()["refused"] == {}
        assert agent.ended() == 0


class Containers:
    """Control groups below ``root`` that are called as Docker calls them, with a process in each, by their numbers."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._present: set[int] = set()

    def __enter__(self) -> Containers:
        self._root.mkdir()
        self._process = cgroups.Process()
        self._process.do("import os, signal, pathlib; children = {}")
        return self

    def __exit__(self, *_: object) -> None:
        self.run(())
        self._process.end()
        self._root.rmdir()

    def run(self, numbers: Iterable[int]) -> None:
        """These, and no others."""
        wanted = {*numbers}
        gone, new = ([self._folder(number) for number in sorted(some)] for some in self._changes(wanted))
        for folder in new:
            folder.mkdir()
        self._process.do(f"""
for folder in {[*map(str, gone)]}:
    os.kill(children[folder], 9)
    os.waitpid(children.pop(folder), 0)
for folder in {[*map(str, new)]}:
    children[folder] = child = os.fork()
    while not child:
        signal.pause()
    pathlib.Path(folder, "cgroup.procs").write_text(str(child))
""")
        for folder in gone:
            folder.rmdir()
        self._present = wanted

    def _changes(self, wanted: set[int]) -> tuple[set[int], set[int]]:
        return self._present - wanted, wanted - self._present

    def _folder(self, number: int) -> Path:
        return self._root / f"docker-{hashlib.sha256(str(number).encode()).hexdigest()}.scope"
