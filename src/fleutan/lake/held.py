# SPDX-License-Identifier: Apache-2.0
"""A tail that this process appends to, and holds so that no other process seals it meanwhile.

It is the gate of the parts that are made of it; one without rows is that alone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fleutan.lake import sealing
from fleutan.lake.backlog import Limits
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import NEW, tail
from fleutan.lake.recovery import withdraw
from fleutan.lake.tail import frames

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class HeldTail:
    """An open tail of a kind, with its rows and octets on disk; ``hold`` makes it."""

    def __init__(self, root: Path, of: str, kind: str, disk: Disk, descriptor: int) -> None:
        self.kind = kind
        self.rows = 0
        self._root, self._of, self._disk, self._descriptor = root, of, disk, descriptor
        self._octets = 0
        self._is_torn = False
        self._since_ns: int | None = None
        self._again_ns: int | None = None

    def append(self, octets: bytes, rows: int) -> None:
        """Writes frames; all of them are on disk, or none counts.  Raises OSError."""
        self.mend()
        self._is_torn = True
        try:
            self._disk.append(self._descriptor, octets, self._octets)
            self._is_torn = False
        finally:
            with suppress(OSError):
                self.mend()
        self._octets += len(octets)
        self.rows += rows

    def mend(self) -> None:
        """Takes away what a failed append left: what of it is whole would count beside the rows written again."""
        if self._is_torn:
            self._disk.cut(self._descriptor, self._octets)
            self._is_torn = False

    def is_due(self, now_ns: int | None, limits: Limits) -> bool:
        """Whether it is time to seal it; clocks may be set back."""
        if now_ns is None:
            return False
        if self._since_ns is None or self._since_ns > now_ns:
            self._since_ns, self._again_ns = now_ns, None
        if self._again_ns is not None and now_ns < self._again_ns:
            return False
        return now_ns - self._since_ns >= limits.seal_ns or self._octets >= limits.tail_octets

    def later(self, now_ns: int | None, limits: Limits) -> None:
        """It could not be sealed: not at once again, for it is read and written as a whole each time."""
        self._again_ns = None if now_ns is None else now_ns + limits.flush_ns

    def seal(self, connection: DuckDBPyConnection, rows: Sequence[sealing.Rows] | None = None) -> int:
        """Makes parts of its rows, or of others where it is a gate only; how many there were.

        Where that fails it is as before.
        """
        if rows is None:
            rows = [(each.arrow(), each.select) for each in frames(self._read())]
        if not rows:
            self.discard()
            return 0
        try:
            sealed = sealing.seal(connection, self._root, self._of, KINDS[self.kind], rows, self._disk)
        except BaseException:
            with suppress(OSError):
                withdraw(self._root, self._of, self.kind, self._disk)
            raise
        self.close()
        return sealed

    def discard(self) -> None:
        """Takes it away, and parts that were made of it; those that cannot be taken away never count."""
        try:
            withdraw(self._root, self._of, self.kind, self._disk)
            self._disk.unlink([tail(self._root, self._of, self.kind)])
        finally:
            self.close()

    def _read(self) -> bytes:
        with open(self._descriptor, "rb", closefd=False) as file:
            file.seek(0)
            return file.read(self._octets)

    def close(self) -> None:
        """Holds it no longer: another process may seal it."""
        os.close(self._descriptor)


def hold(root: Path, of: str, kind: str, disk: Disk) -> HeldTail:
    """A new tail, without rows.  Raises OSError."""
    path = tail(root, of, kind)
    fresh = path.with_name(path.name + NEW)  # a tail that is not held is another process's to seal
    descriptor = disk.create(fresh)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held while this process lives
        disk.rename(fresh, path)
        disk.sync_names(path.parent)
    except BaseException:
        os.close(descriptor)
        with suppress(OSError):
            disk.unlink([fresh, path])
        raise
    return HeldTail(root, of, kind, disk, descriptor)
