# SPDX-License-Identifier: Apache-2.0
"""What a process that died left behind is put right: its parts without effect go, its tails are sealed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fleutan.lake import sealing
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import OPEN, PARQUET, tail, tail_names
from fleutan.lake.listing import hours
from fleutan.lake.tail import frames

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def recover(connection: DuckDBPyConnection, root: Path, disk: Disk) -> int:
    """Seals the tails of processes that are gone; how many rows they had."""
    rows = 0
    for name in sorted(os.listdir(root / OPEN)):
        names = tail_names(name)
        if names is None or names[1] not in KINDS:
            continue
        with suppress(FileNotFoundError):
            rows += _recovered(connection, root, *names, disk)
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
        for part in parts_of(root, of, kind):
            disk.unlink([part])
        found = [(each.arrow(), each.select) for each in frames(path.read_bytes())]
        if found:
            return sealing.seal(connection, root, of, KINDS[kind], found, disk)
        disk.unlink([path])
        return 0
    finally:
        os.close(descriptor)


def parts_of(root: Path, of: str, kind: str) -> Iterator[Path]:
    """Parts of a stem, hidden and named, of the kind and of its rollups."""
    for name in (kind, *KINDS[kind].rolled):
        for where, _ in hours(root, name):
            for path in (where / f"{of}{PARQUET}", where / f".{of}{PARQUET}"):
                if path.exists():
                    yield path
