# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lake.disks import FullDisk, TellingDisk
from tests.lake.rows import NOW, PLAIN, ROLLED, framed, names, numbered, numbers, rows_of, sums

from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR, NEW, OPEN, hidden, tail
from fleutan.lake.recovery import STALE, recover, withdraw
from fleutan.lake.sealing import seal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLE = numbered(0, 8, ROLLED, NOW, HOUR // 4)


def left(lake: Path, of: str, kind: str = PLAIN, octets: bytes | None = None) -> Path:
    """A tail that a dead process left."""
    path = tail(lake, of, kind)
    path.write_bytes(framed(numbered(0, 5, kind)) if octets is None else octets)
    return path


def test_rows_of_dead_processes_are_sealed(connection: DuckDBPyConnection, lake: Path) -> None:
    left(lake, "a-1", octets=framed(numbered(0, 3)) + framed(numbered(3, 2)) + b"FLT1half")
    left(lake, "b-1", octets=framed(numbered(5, 1)))
    assert recover(connection, lake, Disk()) == 6
    assert os.listdir(lake / OPEN) == []
    assert names(lake) == ["a-1.parquet", "b-1.parquet"]
    assert numbers(connection, lake) == list(range(6))
    assert recover(connection, lake, Disk()) == 0


def test_a_gate_without_rows_goes_and_before_it_the_parts_that_it_kept_from_counting(
    connection: DuckDBPyConnection, lake: Path
) -> None:
    tail(lake, "a-1", ROLLED).touch()
    seal(connection, lake, "a-1", KINDS[ROLLED], rows_of(TABLE), Disk())
    gate = left(lake, "a-1", ROLLED, b"")
    hidden(lake, "a-1", NOW, "hours").touch()
    steps: list[tuple[str, str]] = []
    disk = TellingDisk(lambda step, path: steps.append((step, path.name if path else "")))
    assert recover(connection, lake, disk) == 0
    assert names(lake) == []
    assert sums(connection, lake, "minutes") == (0, 0, 0)
    assert not gate.exists()
    # Five directories lose names; each of them has reached the disk before the gate goes.
    assert [step for step, _ in steps].count("sync_names") == 6
    assert steps[-1] == ("unlink", gate.name)


def test_a_tail_whose_parts_were_being_made_is_sealed_once(connection: DuckDBPyConnection, lake: Path) -> None:
    tail(lake, "a-1", ROLLED).touch()
    seal(connection, lake, "a-1", KINDS[ROLLED], rows_of(TABLE), Disk())
    next(lake.glob("minutes/*/hour=09/*")).unlink()
    left(lake, "a-1", ROLLED, framed(TABLE))
    assert recover(connection, lake, Disk()) == 8
    assert numbers(connection, lake, ROLLED) == list(range(8))
    assert sums(connection, lake, "minutes") == sums(connection, lake, "hours") == (8, 8, 28)


def test_what_a_process_holds_is_its_own(connection: DuckDBPyConnection, lake: Path) -> None:
    path = left(lake, "a-1")
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert recover(connection, lake, Disk()) == 0
        assert path.exists()
    finally:
        os.close(descriptor)
    assert recover(connection, lake, Disk()) == 5


def test_what_is_of_another_version_or_no_tail_stays(connection: DuckDBPyConnection, lake: Path) -> None:
    others = [lake / OPEN / name for name in ("a-1.of_tomorrow.arrow", "keeper.lock", f"a-2.{PLAIN}.arrow.new")]
    for path in others:
        path.write_bytes(framed(numbered(0, 1)))
    assert recover(connection, lake, Disk()) == 0
    assert all(path.exists() for path in others)


def test_a_tail_that_nobody_made_an_end_of_goes(connection: DuckDBPyConnection, lake: Path) -> None:
    path = lake / OPEN / f"a-1.{PLAIN}.arrow{NEW}"
    path.touch()
    long_ago = time.time_ns() - STALE - 1_000_000_000
    os.utime(path, ns=(long_ago, long_ago))
    assert recover(connection, lake, Disk()) == 0
    assert not path.exists()


def test_one_that_cannot_be_sealed_stays_and_the_others_are(connection: DuckDBPyConnection, lake: Path) -> None:
    left(lake, "a-1")
    left(lake, "b-1", ROLLED)

    def tell(step: str, path: Path | None) -> None:
        if step == "rename" and path is not None and path.name == "a-1.parquet":
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        recover(connection, lake, TellingDisk(tell))
    assert numbers(connection, lake) == list(range(5))
    assert os.listdir(lake / OPEN) == [f"a-1.{PLAIN}.arrow"]
    assert recover(connection, lake, Disk()) == 5
    assert numbers(connection, lake) == numbers(connection, lake, ROLLED) == list(range(5))


@pytest.mark.usefixtures("closed")
def test_nothing_stays_open(connection: DuckDBPyConnection, lake: Path) -> None:
    left(lake, "a-1")
    with pytest.raises(OSError, match="No space left"):
        recover(connection, lake, FullDisk("fill"))


def test_what_goes_meanwhile_was_sealed_by_another(connection: DuckDBPyConnection, lake: Path) -> None:
    left(lake, "a-1", ROLLED)
    second = left(lake, "b-1", ROLLED)
    disk = TellingDisk(lambda _step, _path: second.unlink(missing_ok=True))
    assert recover(connection, lake, disk) == 5
    assert names(lake, f"{ROLLED}/*/*/*") == ["a-1.parquet"]


def test_parts_of_a_stem_are_taken_away_of_all_hours(connection: DuckDBPyConnection, lake: Path) -> None:
    for of in ("a-1", "a-10"):
        tail(lake, of, ROLLED).touch()
        seal(connection, lake, of, KINDS[ROLLED], rows_of(TABLE), Disk())
    withdraw(lake, "a-1", ROLLED, Disk())
    assert names(lake) == ["a-10.parquet"] * 6
