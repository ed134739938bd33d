# SPDX-License-Identifier: Apache-2.0
"""Control groups for tests: folders made by hand, and real ones with processes in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fleutan.linux.cgroupstats.hierarchies import Hierarchies, hierarchies

PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
_SERVES = """
import json, os, sys
for line in sys.stdin:
    exec(json.loads(line))
    print("done", flush=True)
"""


def tree(root: Path, files: Mapping[str, str]) -> Path:
    """Files by their paths below ``root``."""
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def group(root: Path, path: str, **files: str) -> None:
    """A group of v2 that has processes; ``_`` of the files' names stands for ``.``."""
    said = {"cgroup_events": "populated 1\nfrozen 0\n", "cgroup_procs": "", **files}
    tree(root / path.lstrip("/"), {name.replace("_", "."): text for name, text in said.items()})


class Process:
    """A process that does what it is told."""

    def __init__(self) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([sys.executable, "-c", _SERVES], env=PLAIN, **pipes)
        self.pid = self._process.pid

    def do(self, code: str) -> None:
        """Returns when it is done."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def use(self, seconds: float) -> None:
        """Has it run on a processor for so long."""
        self.do(f"import time\nuntil = time.process_time() + {seconds}\nwhile time.process_time() < until: pass")

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def process() -> Iterator[Process]:
    made = Process()
    try:
        yield made
    finally:
        made.end()


def real() -> Hierarchies:
    """This machine's, or the test is skipped."""
    found = hierarchies()
    mounts = found.walked()
    if not mounts or not all(os.access(mount, os.W_OK) for mount in mounts) or os.geteuid():
        pytest.skip("needs root, and hierarchies of control groups that may be written to")
    return found


@contextmanager
def made(path: str, where: Hierarchies) -> Iterator[list[Path]]:
    """The group in every hierarchy; it and those around it that are new are removed again."""
    folders = []
    for mount in dict.fromkeys([*([where.v2] if where.v2 else []), *where.v1.values()]):
        parts = [part for part in path.split("/") if part]
        folders += [Path(mount, *parts[:depth]) for depth in range(1, len(parts) + 1)]
    new = [folder for folder in folders if not folder.exists()]
    try:
        for folder in new:
            folder.mkdir(exist_ok=True)
            if any(other.parent == folder for other in new):
                _account(folder)
        yield [folder for folder in folders if str(folder).endswith(path)]
    finally:
        for folder in reversed(new):
            with suppress(OSError):
                folder.rmdir()


def _account(folder: Path) -> None:
    """Has the kernel account for what is below a group of v2, as far as it does for the group."""
    with suppress(OSError):
        for controller in (folder / "cgroup.controllers").read_text().split():
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def enter(folders: list[Path], pid: int) -> None:
    """Moves a process into the group, where the hierarchy lets it (cpuset wants settings first)."""
    for folder in folders:
        with suppress(OSError):
            (folder / "cgroup.procs").write_text(str(pid))
