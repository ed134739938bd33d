# SPDX-License-Identifier: Apache-2.0
"""Disks that tell what is done to them, before it is done, and that may refuse it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from fleutan.lake.disk import Disk

#: Is told the name of each step and the path it is about (of an open file: none).
Tell = Callable[[str, Path | None], None]


class TellingDisk(Disk):
    """A disk that tells; what ``tell`` raises, the step raises."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell = tell

    def make(self, directory: Path) -> None:
        self._tell("make", directory)
        super().make(directory)

    def create(self, path: Path) -> int:
        self._tell("create", path)
        return super().create(path)

    def write(self, path: Path, octets: bytes) -> None:
        self._tell("write", path)
        super().write(path, octets)

    def fill(self, path: Path, write: Callable[[Path], object]) -> None:
        self._tell("fill", path)
        super().fill(path, write)

    def append(self, descriptor: int, octets: bytes, at: int) -> None:
        self._tell("append", None)
        super().append(descriptor, octets, at)

    def cut(self, descriptor: int, size: int) -> None:
        self._tell("cut", None)
        super().cut(descriptor, size)

    def sync(self, path: Path) -> None:
        self._tell("sync", path)
        super().sync(path)

    def rename(self, path: Path, target: Path) -> None:
        self._tell("rename", target)
        super().rename(path, target)

    def unlink(self, paths: Iterable[Path]) -> None:
        for path in paths:
            self._tell("unlink", path)
            super().unlink([path])

    def prune(self, directory: Path) -> None:
        self._tell("prune", directory)
        super().prune(directory)

    def sync_names(self, directory: Path) -> None:
        self._tell("sync_names", directory)
        os.stat(directory)
        super().sync(directory)


class FullDisk(TellingDisk):
    """A disk that refuses some kinds of steps as one without room does, as long as it is told to."""

    def __init__(self, *refused: str) -> None:
        super().__init__(self._refuse)
        self.refused = set(refused)
        self.told: list[str] = []

    def _refuse(self, step: str, _path: Path | None) -> None:
        self.told.append(step)
        if step in self.refused:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
