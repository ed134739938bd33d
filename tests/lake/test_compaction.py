# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.lake.disks import FullDisk, TellingDisk
from tests.lake.rows import NOW, PLAIN, ROLLED, hour, names, numbered, numbers, rows_of, sums

from fleutan.column import Column
from fleutan.lake import compaction
from fleutan.lake.compaction import GRACE, MANY, MOST, SETTLED, Compaction
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR, OPEN, PARQUET, REPLACES, tail
from fleutan.lake.listing import snapshot
from fleutan.lake.sealing import seal
from fleutan.lake.storage import files_of
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DURING = NOW + HOUR // 2
#: A moment at which the first hour may be put together, and one at which what was replaced may go.
AFTER = NOW + HOUR + SETTLED + 1

Round = Callable[..., int]


@pytest.fixture
def round_(connection: DuckDBPyConnection, lake: Path) -> Round:
    """A round at a time, on a disk."""

    def once(now_ns: int, disk: Disk | None = None) -> int:
        return Compaction(connection, lake, "mine", disk or Disk()).once(now_ns)

    return once


def sealed(connection: DuckDBPyConnection, lake: Path, count: int, kind: str = PLAIN, first: int = 0) -> None:
    """So many files of two rows each."""
    for number in range(first, first + count):
        of = f"a-test-1-{number:06d}"
        tail(lake, of, kind).touch()
        seal(connection, lake, of, KINDS[kind], rows_of(numbered(2 * number, 2, kind)), Disk())


def made_at(lake: Path, at_ns: int) -> None:
    """Hidden files were made at a time: they bear the machine's own, of which a test knows nothing."""
    for path in lake.glob("*/*/*/.*"):
        os.utime(path, ns=(at_ns, at_ns))


def visible(lake: Path, kind: str = PLAIN) -> list[str]:
    return [name for name in names(lake, f"{kind}/*/*/*") if not name.startswith(".")]


def test_files_of_an_hour_that_is_over_become_one(connection: DuckDBPyConnection, lake: Path, round_: Round) -> None:
    sealed(connection, lake, 3)
    assert round_(NOW + HOUR + SETTLED) == 0
    assert round_(AFTER) == 3
    found = snapshot(lake, [PLAIN]).parts[PLAIN]
    assert [part.stem for part in found] == [f"mine-compact-{AFTER:x}-000001"]
    assert numbers(connection, lake) == list(range(6))
    assert round_(AFTER) == 0


def test_files_of_an_hour_that_goes_on_become_one_when_they_are_many(
    connection: DuckDBPyConnection, lake: Path, round_: Round
) -> None:
    sealed(connection, lake, MANY - 1)
    assert round_(DURING) == 0
    sealed(connection, lake, 1, first=MANY - 1)
    assert round_(DURING) == MANY
    assert numbers(connection, lake) == list(range(2 * MANY))


def test_one_file_is_left_as_it_is_and_so_is_a_large_one(
    connection: DuckDBPyConnection, lake: Path, round_: Round
) -> None:
    sealed(connection, lake, 2)
    with open(lake.joinpath(*next(lake.glob(f"{PLAIN}/*/*/*0.parquet")).relative_to(lake).parts), "ab") as file:
        file.truncate(compaction.LARGE)  # by a hole
    assert round_(AFTER) == 0
    assert len(visible(lake)) == 2


def test_no_more_than_some_are_put_together_at_once(connection: DuckDBPyConnection, lake: Path, round_: Round) -> None:
    sealed(connection, lake, 1)
    (part,) = lake.glob(f"{PLAIN}/*/*/*")
    for number in range(1, MOST + 10):
        os.link(part, part.with_name(f"a-test-1-{number:06d}{PARQUET}"))
    assert round_(AFTER) == MOST
    assert numbers(connection, lake) == sorted([0, 1] * (MOST + 10))
    assert round_(AFTER + 1) == 11
    assert numbers(connection, lake) == sorted([0, 1] * (MOST + 10))


def test_rollups_are_added_up_and_stay_those_of_the_rows(
    connection: DuckDBPyConnection, lake: Path, round_: Round
) -> None:
    sealed(connection, lake, 4, ROLLED)
    assert round_(AFTER) == 12
    assert sums(connection, lake, "minutes") == sums(connection, lake, "hours") == (8, 8, 28)
    files = files_of(KINDS["minutes"], [part.path for part in snapshot(lake, ["minutes"]).parts["minutes"]])
    assert connection.execute(f"SELECT flows, packets, bytes FROM {files}").fetchall() == [(8, 8, 28)]


def test_replaced_files_go_some_time_later_and_their_list_after_them(
    connection: DuckDBPyConnection, lake: Path, round_: Round
) -> None:
    sealed(connection, lake, 3)
    round_(AFTER)
    made_at(lake, AFTER - GRACE)
    round_(AFTER)
    assert len(names(lake)) == 5
    made_at(lake, AFTER - GRACE - 1)
    steps: list[str] = []
    round_(AFTER, TellingDisk(lambda step, path: steps.append(f"{step} {path.name if path else ''}")))
    assert names(lake) == [f"mine-compact-{AFTER:x}-000001.parquet"]
    assert steps == [
        *(f"unlink a-test-1-{number:06d}.parquet" for number in range(3)),
        "sync_names hour=08",
        f"unlink .mine-compact-{AFTER:x}-000001.replaces",
    ]
    assert numbers(connection, lake) == list(range(6))


def test_a_list_reaches_the_disk_before_its_file_has_a_name(
    connection: DuckDBPyConnection, lake: Path, round_: Round
) -> None:
    sealed(connection, lake, 2)
    steps: list[str] = []
    round_(AFTER, TellingDisk(lambda step, path: steps.append(f"{step} {path.name if path else ''}")))
    of = f"mine-compact-{AFTER:x}-000001"
    assert steps[-7:] == [
        f"fill .{of}.parquet",
        f"write .{of}.replaces",
        "sync_names hour=08",
        f"sync_names {OPEN}",
        f"sync .{of}.parquet",
        f"rename {of}.parquet",
        "sync_names hour=08",
    ]


def test_a_file_stands_for_what_those_stood_for_that_it_is_made_of(
    connection: DuckDBPyConnection, lake: Path, round_: Round
) -> None:
    """Else the first list is without effect when its file has gone, and what it names counts again."""
    sealed(connection, lake, 2)
    round_(AFTER)
    made_at(lake, AFTER)
    sealed(connection, lake, 1, first=2)
    round_(AFTER + 1)
    second = next(lake.glob(f"*/*/*/.mine-compact-{AFTER + 1:x}*{REPLACES}"))
    assert second.read_text().split() == [
        "a-test-1-000002.parquet",
        f"mine-compact-{AFTER:x}-000001.parquet",
        "a-test-1-000000.parquet",
        "a-test-1-000001.parquet",
    ]
    next(lake.glob(f"*/*/*/mine-compact-{AFTER:x}-*{PARQUET}")).unlink()
    assert numbers(connection, lake) == list(range(6))
    made_at(lake, NOW)
    round_(AFTER + 2)
    assert len(names(lake)) == 1
    assert numbers(connection, lake) == list(range(6))


def test_parts_whose_gate_is_there_are_not_put_together(
    connection: DuckDBPyConnection, lake: Path, round_: Round
) -> None:
    sealed(connection, lake, 3)
    gate = tail(lake, "a-test-1-000001", PLAIN)
    gate.touch()
    assert round_(AFTER) == 2
    assert numbers(connection, lake) == [0, 1, 4, 5]
    gate.unlink()
    assert numbers(connection, lake) == list(range(6))


def test_what_a_dead_round_left_goes(connection: DuckDBPyConnection, lake: Path, round_: Round) -> None:
    sealed(connection, lake, 1, ROLLED)
    where = lake / ROLLED / "date=2027-01-15/hour=08"
    tops = lake / "tops/date=2027-01-15/hour=08"
    tops.mkdir(parents=True)
    dead = [
        where / ".mine-compact-1-000001.parquet",
        where / ".mine-compact-1-000001.replaces",
        tops / ".tops-records-0-000000.parquet",
    ]
    of_a_writer = where / ".a-test-1-000009.parquet"
    for path in (*dead, of_a_writer):
        path.write_text("a-test-1-000000.parquet\n")
    made_at(lake, DURING)
    round_(DURING)
    assert all(path.exists() for path in dead)
    made_at(lake, NOW)
    round_(DURING)
    assert not any(path.exists() for path in dead)
    assert of_a_writer.exists()
    assert numbers(connection, lake, ROLLED) == [0, 1]


@pytest.mark.parametrize("refused", ["fill", "write", "sync", "sync_names", "rename"])
def test_where_the_disk_refuses_all_rows_count_as_before(
    connection: DuckDBPyConnection, lake: Path, round_: Round, refused: str
) -> None:
    sealed(connection, lake, 3, ROLLED)
    with pytest.raises(OSError, match="No space left"):
        round_(AFTER, FullDisk(refused))
    assert numbers(connection, lake, ROLLED) == list(range(6))
    assert sums(connection, lake, "minutes") == (6, 6, 15)
    round_(AFTER + 1)
    assert numbers(connection, lake, ROLLED) == list(range(6))
    assert sums(connection, lake, "minutes") == (6, 6, 15)
    assert len(snapshot(lake, [ROLLED]).parts[ROLLED]) == 1


def test_where_the_disk_refuses_replaced_files_stay_without_effect(
    connection: DuckDBPyConnection, lake: Path, round_: Round
) -> None:
    sealed(connection, lake, 3)
    round_(AFTER)
    made_at(lake, NOW)
    for refused in ("unlink", "sync_names"):
        with pytest.raises(OSError, match="No space left"):
            round_(AFTER, FullDisk(refused))
        assert numbers(connection, lake) == list(range(6))
    round_(AFTER)
    assert len(names(lake)) == 1


def test_one_broken_file_keeps_no_other_hour_from_being_put_in_order(
    connection: DuckDBPyConnection, lake: Path, round_: Round
) -> None:
    sealed(connection, lake, 2)
    for number in (2, 3):
        of = f"b-{number}"
        tail(lake, of, PLAIN).touch()
        seal(connection, lake, of, KINDS[PLAIN], rows_of(numbered(number, 1, PLAIN, hour(-5))), Disk())
    broken = next(lake.glob(f"{PLAIN}/*/hour=03/b-2.parquet"))
    broken.write_bytes(b"no Parquet at all")
    with pytest.raises(Exception, match=r"b-2\.parquet"):
        round_(AFTER)
    assert len(snapshot(lake, [PLAIN], NOW, NOW + HOUR).parts[PLAIN]) == 1
    broken.unlink()
    assert numbers(connection, lake) == [0, 1, 2, 3, 3]


def ends(count: int) -> Table:
    address = Column(np.stack([np.zeros(count, np.int64), np.arange(count)], 1))
    more = {
        "src": address,
        "dport": Column(np.arange(count)),
        "header": Column(np.zeros(count, np.int32), None, (b"",)),
    }
    columns = {**numbered(0, count, "samples").columns, **more}
    return Table("samples", columns)


def test_compacted_files_have_their_tops(connection: DuckDBPyConnection, lake: Path, round_: Round) -> None:
    for number in range(2):
        of = f"a-test-1-{number:06d}"
        tail(lake, of, "samples").touch()
        seal(connection, lake, of, KINDS["samples"], rows_of(ends(5)), Disk())
    round_(AFTER)
    files = files_of(KINDS["tops"], [part.path for part in snapshot(lake, ["tops"]).parts["tops"]])
    found = connection.execute(
        f"SELECT side, address_lo, port, bytes FROM {files} WHERE bytes > 6 ORDER BY side"
    ).fetchall()
    assert found == [("dport", None, 4, 8), ("src", 4, None, 8)]
    assert names(lake, "ends/*/*/*") == []


def test_large_files_of_an_hour_that_is_over_have_sums_by_end_which_go_with_them(
    connection: DuckDBPyConnection, lake: Path
) -> None:
    compaction = Compaction(connection, lake, "mine", Disk(), worth=1)
    for number in range(2):
        of = f"a-test-1-{number:06d}"
        tail(lake, of, "samples").touch()
        seal(connection, lake, of, KINDS["samples"], rows_of(ends(5)), Disk())
    compaction.once(AFTER)
    (part,) = snapshot(lake, ["samples"]).parts["samples"]
    (sums_by_end,) = snapshot(lake, ["ends"]).parts["ends"]
    assert sums_by_end.stem == part.stem
    files = files_of(KINDS["ends"], [sums_by_end.path])
    assert connection.execute(f"SELECT count(*), sum(bytes)::BIGINT FROM {files}").fetchall() == [
        (12, 80)
    ]  # of two sides nothing is known
    made = sums_by_end.path.stat().st_mtime_ns
    compaction.once(AFTER)
    assert sums_by_end.path.stat().st_mtime_ns == made
    part.path.unlink()
    compaction.once(AFTER)
    assert names(lake, "ends/*/*/*") == []


def test_a_file_that_goes_while_it_is_looked_at_is_not_old(tmp_path: Path) -> None:
    assert not compaction._is_old(tmp_path / "gone", time.time_ns())
    assert compaction._replaced(tmp_path / "gone") == []
