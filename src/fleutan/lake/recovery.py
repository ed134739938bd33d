# SPDX-License-Identifier: Apache-2.0
"""What a process that died left behind is put right: its parts without effect go, its tails are sealed."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from fleutan.lake import sealing
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import NEW, OPEN, PARQUET, tail, tail_names
from fleutan.lake.listing import hours
from fleutan.lake.tail import frames

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: A tail that is being made gets its name at once: one that is older, in ns, has none who makes it.
STALE = 60_000_000_000


def recover(connection: DuckDBPyConnection, root: Path, disk: Disk) -> int:
    """Seals the tails of processes that are gone; how many rows they had.

    Raises what was wrong with one of them when the others are sealed; it stays, and counts.
    """
    rows = 0
    wrong: list[Exception] = []
    for name in sorted(os.listdir(root / OPEN)):
        names = tail_names(name)
        try:
            if names is not None and names[1] in KINDS:
                rows += _recovered(connection, root, *names, disk)
            elif name.endswith(NEW) and time.time_ns() - (root / OPEN / name).stat().st_mtime_ns > STALE:
                disk.unlink([root / OPEN / name])
        except FileNotFoundError:
            continue  # somebody was quicker, or took away what is too old
        except Exception as error:  # the disk, or the database about the disk
            wrong.append(error)
    if wrong:
        raise wrong[0]
    return rows


def _recovered(connection: DuckDBPyConnection, root: Path, of: str, kind: str, disk: Disk) -> int:
    path = tail(root, of, kind)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0  # its process lives
        if not path.exists():
            return 0  # another one was quicker
        withdraw(root, of, kind, disk)
        found = [(each.arrow(), each.select) for each in frames(path.read_bytes())]
        if found:
            return sealing.seal(connection, root, of, KINDS[kind], found, disk)
        disk.unlink([path])
        return 0
    finally:
        os.close(descriptor)


def withdraw(root: Path, of: str, kind: str, disk: Disk) -> None:
    """Takes the parts of a stem away, of the kind and of its rollups, for good: its gate may go after that."""
    for where, paths in groupby(_parts(root, of, kind), lambda path: path.parent):
        disk.unlink(paths)
        disk.sync_names(where)


def _parts(root: Path, of: str, kind: str) -> Iterator[Path]:
    """Hidden and named."""
    for name in (kind, *KINDS[kind].rolled):
        for where, _ in hours(root, name):
            for path in (where / f"{of}{PARQUET}", where / f".{of}{PARQUET}"):
                if path.exists():
                    yield path
