# SPDX-License-Identifier: Apache-2.0
"""What is done to files, in an order that a power cut cannot turn into wrong data.

A file is written under a hidden name, its octets reach the disk, then it gets its name, then the
name reaches the disk.  What a name means is known elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class Disk:
    """The file system; a test has one that remembers what reached the disk."""

    def make(self, directory: Path) -> None:
        """Makes a directory, and those above, so that their names last."""
        missing = [directory]
        while not missing[-1].exists() and missing[-1] != missing[-1].parent:
            missing.append(missing[-1].parent)
        directory.mkdir(parents=True, exist_ok=True)
        for parent in missing[1:]:
            self.sync_names(parent)

    def write(self, path: Path, octets: bytes) -> None:
        """A new file whose octets have reached the disk; its name may not have."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            self._whole(descriptor, octets)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def append(self, descriptor: int, octets: bytes) -> None:
        """More octets at the end of an open file; they have reached the disk."""
        self._whole(descriptor, octets)
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

    def sync_names(self, directory: Path) -> None:
        """Has the names in a directory reach the disk."""
        self.sync(directory)

    @staticmethod
    def _whole(descriptor: int, octets: bytes) -> None:
        view = memoryview(octets)
        while view:
            view = view[os.write(descriptor, view) :]
