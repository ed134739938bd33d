# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lake.disks import FullDisk, TellingDisk
from tests.lake.rows import PLAIN, ROLLED, framed, names, numbered, numbers, rows_of, sums

from fleutan.lake.backlog import Limits
from fleutan.lake.disk import Disk
from fleutan.lake.held import HeldTail, hold
from fleutan.lake.layout import OPEN, tail
from fleutan.lake.recovery import recover

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

pytestmark = pytest.mark.usefixtures("closed")

OF = "mine-test-1-000001"


def held(lake: Path, disk: Disk | None = None, kind: str = PLAIN) -> HeldTail:
    return hold(lake, OF, kind, disk or Disk())


def test_rows_are_read_as_soon_as_they_are_written_and_are_sealed(connection: DuckDBPyConnection, lake: Path) -> None:
    one = held(lake, kind=ROLLED)
    assert os.listdir(lake / OPEN) == [f"{OF}.{ROLLED}.arrow"]
    for first in (0, 3):
        one.append(framed(numbered(first, 3, ROLLED)), 3)
    assert one.rows == 6
    assert numbers(connection, lake, ROLLED) == list(range(6))
    assert one.seal(connection) == 6
    assert os.listdir(lake / OPEN) == []
    assert numbers(connection, lake, ROLLED) == list(range(6))
    assert sums(connection, lake, "minutes") == (6, 6, 15)


def test_a_gate_takes_rows_that_are_not_in_it(connection: DuckDBPyConnection, lake: Path) -> None:
    assert held(lake).seal(connection, rows_of(numbered(0, 4))) == 4
    assert numbers(connection, lake) == [0, 1, 2, 3]


def test_one_without_rows_goes(connection: DuckDBPyConnection, lake: Path) -> None:
    assert held(lake).seal(connection) == 0
    assert os.listdir(lake / OPEN) == names(lake) == []


def test_nobody_else_seals_it_while_it_is_held(connection: DuckDBPyConnection, lake: Path) -> None:
    one = held(lake)
    one.append(framed(numbered(0, 3)), 3)
    assert recover(connection, lake, Disk()) == 0
    one.close()
    assert recover(connection, lake, Disk()) == 3
    assert numbers(connection, lake) == [0, 1, 2]


@pytest.mark.parametrize("refused", ["create", "rename", "sync_names"])
def test_where_it_cannot_be_made_nothing_is_left(lake: Path, refused: str) -> None:
    with pytest.raises(OSError, match="No space left"):
        held(lake, FullDisk(refused))
    assert os.listdir(lake / OPEN) == []


class TornDisk(FullDisk):
    """Writes a part of what is appended, and then has no more room."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def append(self, descriptor: int, octets: bytes, at: int) -> None:
        super().append(descriptor, octets[: self.room], at)
        if len(octets) > self.room:
            raise OSError(28, "No space left on device")


def test_what_was_written_in_part_is_not_there(connection: DuckDBPyConnection, lake: Path) -> None:
    whole = framed(numbered(0, 2))
    disk = TornDisk(len(whole) + 100)
    one = held(lake, disk)
    with pytest.raises(OSError, match="No space left"):
        one.append(whole + framed(numbered(2, 2)), 4)
    assert numbers(connection, lake) == []
    disk.room = 1 << 20
    one.append(framed(numbered(0, 4)), 4)
    assert numbers(connection, lake) == [0, 1, 2, 3]
    assert one.seal(connection) == one.rows == 4


def test_what_cannot_be_cut_off_is_cut_off_before_anything_else_is_written(
    connection: DuckDBPyConnection, lake: Path
) -> None:
    whole = framed(numbered(0, 2))
    disk = TornDisk(len(whole) + 100)
    disk.refused = {"cut"}
    one = held(lake, disk)
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            one.append(whole + framed(numbered(2, 2)), 4)
    assert disk.told.count("append") == 1
    with pytest.raises(OSError, match="No space left"):
        one.mend()
    disk.room, disk.refused = 1 << 20, set()
    one.append(framed(numbered(5, 1)), 1)
    assert numbers(connection, lake) == [5]
    one.discard()


def test_one_that_cannot_be_sealed_is_as_before(connection: DuckDBPyConnection, lake: Path) -> None:
    disk = FullDisk()
    one = held(lake, disk, ROLLED)
    one.append(framed(numbered(0, 3, ROLLED)), 3)
    for refused in ("fill", "sync", "rename", "unlink"):
        disk.refused = {refused}
        with pytest.raises(OSError, match="No space left"):
            one.seal(connection)
        disk.refused = set()
        one.append(framed(numbered(one.rows, 1, ROLLED)), 1)
        assert numbers(connection, lake, ROLLED) == list(range(one.rows))
        assert sums(connection, lake, "minutes") == (0, 0, 0)
    assert one.seal(connection) == 7
    assert names(lake) == [f"{OF}.parquet"] * 3
    assert numbers(connection, lake, ROLLED) == list(range(7))


def test_what_is_discarded_is_gone_and_its_parts_before_it(connection: DuckDBPyConnection, lake: Path) -> None:
    steps: list[str] = []
    disk = TellingDisk(lambda step, path: steps.append(f"{step} {path.name if path else ''}"))
    one = held(lake, disk)

    def refuse(step: str, path: Path | None) -> None:
        steps.append(f"{step} {path.name if path else ''}")
        if step == "unlink" and path == tail(lake, OF, PLAIN):
            raise OSError(5, "Input/output error")

    disk._tell = refuse
    with pytest.raises(OSError, match="Input/output"):
        one.seal(connection, rows_of(numbered(0, 3)))
    steps.clear()
    with pytest.raises(OSError, match="Input/output"):
        one.discard()
    assert names(lake) == []
    assert os.listdir(lake / OPEN) == [f"{OF}.{PLAIN}.arrow"]
    assert recover(connection, lake, Disk()) == 0
    assert os.listdir(lake / OPEN) == []


def test_parts_that_cannot_be_taken_away_never_count(connection: DuckDBPyConnection, lake: Path) -> None:
    one = held(lake, FullDisk("unlink"))
    with pytest.raises(OSError, match="No space left"):
        one.seal(connection, rows_of(numbered(0, 3)))
    with pytest.raises(OSError, match="No space left"):
        one.discard()
    assert names(lake) == [f"{OF}.parquet"]
    assert numbers(connection, lake) == []
    assert recover(connection, lake, Disk()) == 0
    assert names(lake) == os.listdir(lake / OPEN) == []


def test_it_is_due_by_time_or_by_size(lake: Path) -> None:
    limits = Limits(seal_ns=100, flush_ns=10, tail_octets=2000)
    one = held(lake)
    assert not one.is_due(None, limits)
    assert not one.is_due(1000, limits)
    assert not one.is_due(1099, limits)
    assert one.is_due(1100, limits)
    one.later(1100, limits)
    assert not one.is_due(1109, limits)
    assert one.is_due(1110, limits)
    assert not one.is_due(500, limits)
    assert one.is_due(600, limits)
    one.later(None, limits)
    assert not one.is_due(0, limits)
    one.append(framed(*[numbered(0, 9)] * 5), 45)
    assert one.is_due(0, limits)
    one.discard()
