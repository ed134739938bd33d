# SPDX-License-Identifier: Apache-2.0
"""Rows with numbers, and which of them a lake has: as its readers count them, in files and in tails."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleutan.column import Column
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR, OPEN
from fleutan.lake.listing import Snapshot, snapshot
from fleutan.lake.sealing import gather
from fleutan.lake.storage import files_of, stored
from fleutan.lake.tail import Frame, frame, frames
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: The beginning of an hour.
NOW = 1_800_000_000_000_000_000
#: A kind with rollups, and one without.
ROLLED, PLAIN = "records", "queues"
#: How long a test waits for another thread or process at most.
PATIENCE = 30.0


def numbered(first: int, count: int, kind: str = PLAIN, at_ns: int = NOW, step_ns: int = 1_000_000) -> Table:
    """Rows of ``count`` numbers, from ``first`` on: their ``bytes``; each is one packet."""
    numbers = np.arange(first, first + count)
    columns = {
        "time": Column(at_ns + np.arange(count) * step_ns),
        "bytes": Column(numbers),
        "packets": Column(np.ones(count, np.int64)),
    }
    return Table(kind, columns)


def rows_of(table: Table) -> list[tuple[Any, dict[str, str]]]:
    """The table as rows to seal."""
    kept = stored(table, KINDS[table.kind], "mine")
    return [(kept.arrow.array, kept.select)]


def framed(*tables: Table) -> bytes:
    """Frames of a tail."""
    return b"".join(frame(stored(table, KINDS[table.kind], "mine")) for table in tables)


def made(root: Path) -> Path:
    """A lake without rows."""
    Disk().make(root / OPEN)
    return root


def numbers(
    connection: DuckDBPyConnection, root: Path, kind: str = PLAIN, window: tuple[int, int] | None = None
) -> list[int]:
    """All numbers that a reader finds, in order; those twice that are there twice."""
    return numbers_of(connection, snapshot(root, [kind], *(window or ())), kind)


def numbers_of(connection: DuckDBPyConnection, found: Snapshot, kind: str = PLAIN) -> list[int]:
    """All numbers of what was found, in order."""
    return sorted(in_files(connection, found, kind) + in_tails(connection, found.tails[kind], kind))


def in_files(connection: DuckDBPyConnection, found: Snapshot, kind: str) -> list[int]:
    if not (parts := found.parts[kind]):
        return []
    files = files_of(KINDS[kind], [part.path for part in parts])
    return [row[0] for row in connection.execute(f"SELECT bytes FROM {files}").fetchall()]


def in_tails(connection: DuckDBPyConnection, tails: Sequence[Frame], kind: str) -> list[int]:
    if not tails:
        return []
    gather(connection, KINDS[kind], [(each.arrow(), each.select) for each in tails], "tails")
    return [row[0] for row in connection.execute("SELECT bytes FROM tails").fetchall()]


def read(octets: bytes, connection: DuckDBPyConnection, kind: str = PLAIN) -> list[int]:
    """The numbers of a tail's octets."""
    return in_tails(connection, list(frames(octets)), kind)


def sums(connection: DuckDBPyConnection, root: Path, kind: str) -> tuple[int, int, int]:
    """Flows, packets and bytes of a rollup's files."""
    parts = snapshot(root, [kind]).parts[kind]
    if not parts:
        return (0, 0, 0)
    files = files_of(KINDS[kind], [part.path for part in parts])
    query = f"SELECT sum(flows)::BIGINT, sum(packets)::BIGINT, sum(bytes)::BIGINT FROM {files}"
    flows, packets, octets = connection.execute(query).fetchall()[0]
    return flows, packets, octets


def names(root: Path, pattern: str = "*/date=*/hour=*/*") -> list[str]:
    """The names of all files in directories of hours, in order."""
    return sorted(path.name for path in root.glob(pattern))


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Waits for a condition.  Raises AssertionError where it does not come true in time."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "this took too long"
        time.sleep(0.001)


def hour(number: int) -> int:
    """The beginning of an hour after NOW."""
    return NOW + number * HOUR
