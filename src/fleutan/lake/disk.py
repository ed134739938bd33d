# SPDX-License-Identifier: Apache-2.0
"""What is done to files, in an order that a power cut cannot turn into wrong data.

A file is written under a hidden name, its octets reach the disk, then it gets its name, then the
name reaches the disk.  What a name means is known elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path


class Disk:
    """The file system; a test has one that remembers what reached the disk."""

    def __init__(self) -> None:
        self._lasting: set[Path] = set()

    def make(self, directory: Path) -> None:
        """Makes a directory, and those above, so that their names last."""
        above = [directory, *directory.parents]
        missing = [each for each in above if not each.exists()]
        for each in reversed(missing):
            self.make_one(each)
        self._lasting.difference_update(missing)
        # Who made a directory that is there may have died before its name lasted.
        for each in above:
            if each in self._lasting or each == each.parent:
                break
            self._last(each, each in missing)
        self._lasting.update(above)

    def make_one(self, directory: Path) -> None:
        """Makes a directory in one that is there; its name may not have reached the disk."""
        directory.mkdir(exist_ok=True)

    def create(self, path: Path) -> int:
        """A new file's descriptor, to read and write.  Raises FileExistsError where there is one."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)

    def write(self, path: Path, octets: bytes) -> None:
        """A new file whose octets have reached the disk; its name may not have."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            self._whole(descriptor, octets, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def fill(self, path: Path, write: Callable[[Path], object]) -> None:
        """A new file that ``write`` writes; neither its octets nor its name need have reached the disk."""
        write(path)

    def append(self, descriptor: int, octets: bytes, at: int) -> None:
        """Octets of an open file from a place on; they have reached the disk."""
        self._whole(descriptor, octets, at)
        os.fdatasync(descriptor)

    def cut(self, descriptor: int, size: int) -> None:
        """Takes what is behind the first octets of an open file away, for good."""
        os.ftruncate(descriptor, size)
        os.fdatasync(descriptor)

    def sync(self, path: Path) -> None:
        """Has a file's octets reach the disk."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, path: Path, target: Path) -> None:
        """Gives a file its name."""
        path.rename(target)

    def unlink(self, paths: Iterable[Path]) -> None:
        """Takes files away that are there."""
        for path in paths:
            path.unlink(missing_ok=True)

    def prune(self, directory: Path) -> None:
        """Takes a directory away if nothing is in it.  Raises OSError otherwise."""
        directory.rmdir()

    def sync_names(self, directory: Path) -> None:
        """Has the names in a directory reach the disk."""
        self.sync(directory)

    def _last(self, directory: Path, is_new: bool) -> None:
        """Has a directory's name reach the disk; of one that was there before us, if we may."""
        try:
            self.sync_names(directory.parent)
        except OSError:
            if is_new:
                raise

    @staticmethod
    def _whole(descriptor: int, octets: bytes, at: int) -> None:
        view = memoryview(octets)
        while view:
            done = os.pwrite(descriptor, view, at)
            view, at = view[done:], at + done
