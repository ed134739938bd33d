# SPDX-License-Identifier: Apache-2.0
"""Writers that are killed at any moment, a hundred times, into the same lake."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.lake.rows import PATIENCE, ROLLED, names

from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import OPEN
from fleutan.lake.listing import snapshot
from fleutan.lake.sealing import gather
from fleutan.lake.storage import files_of
from fleutan.lake.writer import Writer

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROUNDS = 100
SEED = 20270115
#: A writer lives so many seconds at most.
LIFE = 0.25


@pytest.fixture
def parent(lake: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process that makes writers."""
    command = [sys.executable, "-m", "tests.lake.mortal", str(lake)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=environment,
        bufsize=0,
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def line(stream: IO[bytes]) -> list[str]:
    assert select.select([stream], [], [], PATIENCE)[0], "the writers say nothing"
    return stream.readline().decode().split()


def killed(parent: subprocess.Popen[bytes], first: int, seed: int, life: float) -> tuple[int, int]:
    """Lets a writer write rows from a number on; up to which they are known to be flushed, and were added."""
    assert parent.stdin
    assert parent.stdout
    parent.stdin.write(f"{first} {seed}\n".encode())
    said, pid = line(parent.stdout)
    assert said == "pid"
    ends = time.monotonic() + life
    # One that is killed soon is killed while it seals what others left; others live from their first row on.
    is_begun = life < LIFE / 3
    flushed, added = first, first
    while True:
        # What is said is read until it is time: a writer that waits for its reader does nothing else.
        left = ends - time.monotonic() if is_begun else PATIENCE
        if pid and left <= 0:
            os.kill(int(pid), signal.SIGKILL)
            pid = ""
        if pid and not select.select([parent.stdout], [], [], left)[0]:
            continue
        match line(parent.stdout):
            case ["known", one, other]:
                flushed, added = int(one), int(other)
                ends, is_begun = (ends, True) if is_begun else (time.monotonic() + life, True)
            case ["over"]:
                assert not pid, "a writer ended by itself"
                return flushed, added


class Counted:
    """All numbers that a reader finds in files and in tails, and the sums of the minutes and of the hours."""

    def __init__(self, connection: DuckDBPyConnection, lake: Path) -> None:
        found = snapshot(lake, [ROLLED, "minutes", "hours"])
        self._connection = connection
        files = {kind: [part.path for part in parts] for kind, parts in found.parts.items()}
        self.sealed = self._column(files_of(KINDS[ROLLED], files[ROLLED])) if files[ROLLED] else np.zeros(0, np.int64)
        self.open = np.zeros(0, np.int64)
        if tails := found.tails[ROLLED]:
            gather(connection, KINDS[ROLLED], [(frame.arrow(), frame.select) for frame in tails], "tails")
            self.open = self._column("tails")
        self.sums = {kind: self._sums(kind, files[kind]) for kind in ("minutes", "hours")}

    @property
    def all(self) -> NDArray[np.int64]:
        return np.sort(np.concatenate((self.sealed, self.open)))

    def _column(self, relation: str) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self._connection.execute(f"SELECT bytes FROM {relation}").fetchnumpy()["bytes"]
        return np.asarray(found)

    def _sums(self, kind: str, files: list[Path]) -> tuple[int, int]:
        if not files:
            return (0, 0)
        query = f"SELECT sum(flows)::BIGINT, sum(bytes)::BIGINT FROM {files_of(KINDS[kind], files)}"
        flows, octets = self._connection.execute(query).fetchall()[0]
        return flows, octets


def test_nothing_flushed_is_lost_and_nothing_doubles_however_often_writers_are_killed(
    connection: DuckDBPyConnection, lake: Path, parent: subprocess.Popen[bytes]
) -> None:
    chance = random.Random(SEED)  # noqa: S311
    first, seen = 0, np.zeros(0, np.int64)
    states: set[str] = set()
    for number in range(ROUNDS):
        flushed, added = killed(parent, first, SEED + number, chance.uniform(0.01, LIFE))
        counted = Counted(connection, lake)
        found = counted.all
        where = f"round {number}"
        assert len(np.unique(found)) == len(found), f"{where}: rows count twice"
        assert np.isin(seen, found).all(), f"{where}: rows are gone that were there"
        assert np.isin(np.arange(first, flushed), found).all(), f"{where}: flushed rows are lost"
        # What the writer did not come to say was one batch at most.
        assert found[-1:].sum() < added + 50
        assert set(counted.sums.values()) == {(len(counted.sealed), int(counted.sealed.sum()))}, where
        first, seen = added + 50, found
        states |= told(lake)
    assert states >= {"a tail", "a part in the making", "put together", "replaced"}
    with Writer(lake, "last", node="mine"):
        pass
    counted = Counted(connection, lake)
    assert np.array_equal(counted.all, seen)
    assert len(counted.open) == 0
    assert len(seen) > 1000


def told(lake: Path) -> set[str]:
    """In which states writers and compactions were found dead."""
    tails = [name.split(".")[0] for name in os.listdir(lake / OPEN) if name.endswith(".arrow")]
    files = names(lake)
    told = {
        "a tail": bool(tails),
        "a part in the making": any(name.startswith(".") and name.endswith(".parquet") for name in files),
        "a gate with parts": any(f"{name}.parquet" in files for name in tails),
        "put together": any("compact" in name for name in files),
        "replaced": any(name.endswith(".replaces") for name in files),
    }
    return {state for state, is_so in told.items() if is_so}
