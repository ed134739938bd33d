# SPDX-License-Identifier: Apache-2.0
"""In one lake: two processes that write and put files together, a thread that takes old rows away, and a reader."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from glob import glob  # Path's gives up where a directory goes meanwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
from tests.lake.rows import NOW, PATIENCE, ROLLED, numbered, numbers, numbers_of, rows_of, sums

from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR, tail
from fleutan.lake.listing import snapshot
from fleutan.lake.recovery import recover
from fleutan.lake.retention import Keep, expire
from fleutan.lake.sealing import connect, seal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Looks that find every file still there, and where files are that were put together.
LOOKS, PARTS = 30, f"{ROLLED}/*/*/*"
#: Numbers of the two writers begin here, and those of rows that go again.
FIRST, OLD = (0, 1_000_000), -1_000_000
#: Rows of this hour are taken away; those of the writers are younger.
AGO = NOW - 1000 * HOUR
KEEP = dict.fromkeys((ROLLED, "minutes", "hours"), Keep(age_ns=100 * HOUR))


class Process:
    """A writer in a process of its own (``mortal``): what it said to be flushed."""

    def __init__(self, lake: Path, first: int) -> None:
        self._lake, self._first = lake, first
        self._pid = 0
        self._said = b""
        self.flushed = first

    def __enter__(self) -> Self:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.lake.mortal", str(self._lake)]
        self._parent = subprocess.Popen(command, cwd=Path(__file__).parents[2], env=environment, **pipes)
        assert self._parent.stdin
        self._parent.stdin.write(f"{self._first} {self._first}\n".encode())
        while self.flushed == self._first:
            self.listen(PATIENCE)
        return self

    def __exit__(self, *trouble: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        self._parent.communicate()

    def listen(self, seconds: float = 0.0) -> None:
        """Hears what was said until now; waits for it so long."""
        assert self._parent.stdout
        while select.select([self._parent.stdout], [], [], seconds)[0]:
            heard = os.read(self._parent.stdout.fileno(), 1 << 16)
            assert heard, "the writer ended by itself"
            self._said += heard
            *lines, self._said = self._said.split(b"\n")
            for said, number, *_ in (line.split() for line in lines):
                if said == b"pid":
                    self._pid = int(number)
                else:
                    self.flushed = int(number)
            seconds = 0.0


def going(lake: Path, over: threading.Event) -> None:
    """Seals old rows, which count at once, and takes them away."""
    with connect(1, "64MB", lake) as connection:
        for number in range(1 << 20):
            if over.wait(0.02):
                return
            of = f"old-test-1-{number:06d}"
            tail(lake, of, ROLLED).touch()
            table = numbered(OLD - 2 * number, 2, ROLLED, AGO)
            seal(connection, lake, of, KINDS[ROLLED], rows_of(table), Disk())
            if number % 3 == 2:
                expire(lake, KEEP, NOW, Disk())


def looked(connection: DuckDBPyConnection, lake: Path, processes: tuple[Process, Process]) -> bool:
    """Counts once; whether all files that counted were still there (they are kept for no time at all here)."""
    known = [set(range(first, process.flushed)) for first, process in zip(FIRST, processes, strict=True)]
    try:
        found = numbers_of(connection, snapshot(lake, [ROLLED]), ROLLED)
    except duckdb.IOException:
        return False
    there = set(found)
    assert len(found) == len(there), "rows count twice"
    assert known[0] | known[1] <= there, "flushed rows are missing"
    return True


def test_every_row_counts_once_whoever_else_is_there(connection: DuckDBPyConnection, lake: Path) -> None:
    over = threading.Event()
    beside = threading.Thread(target=going, args=(lake, over))
    looks = 0
    with Process(lake, FIRST[0]) as one, Process(lake, FIRST[1]) as other:

        def is_enough() -> bool:
            flushed = min(one.flushed - FIRST[0], other.flushed - FIRST[1])
            return looks >= LOOKS and flushed > 100 and any("compact" in name for name in glob(str(lake / PARTS)))

        beside.start()
        ends = time.monotonic() + PATIENCE
        try:
            while not is_enough():
                assert time.monotonic() < ends, f"{looks} looks, up to {one.flushed} and {other.flushed}"
                one.listen()
                other.listen()
                looks += looked(connection, lake, (one, other))
        finally:
            over.set()
            beside.join()
    recover(connection, lake, Disk())
    assert looked(connection, lake, (one, other))
    expire(lake, KEEP, NOW, Disk())  # who puts files together while another takes them away may bring rows back
    sealed = numbers(connection, lake, ROLLED)
    wanted = (len(sealed), len(sealed), sum(sealed))
    assert sums(connection, lake, "minutes") == sums(connection, lake, "hours") == wanted
