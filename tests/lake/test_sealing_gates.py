# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.lake.disks import FullDisk, TellingDisk
from tests.lake.rows import NOW, PLAIN, ROLLED, in_files, names, numbered, numbers, rows_of, sums

from fleutan.column import Column, text_column
from fleutan.lake import sealing
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS, SCHEMA
from fleutan.lake.layout import HOUR, OPEN, SPILL, hidden, tail
from fleutan.lake.listing import snapshot
from fleutan.lake.sealing import connect, gather, placed, seal
from fleutan.lake.storage import files_of, quoted
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OF = "mine-test-1-000001"


def sealed(connection: DuckDBPyConnection, lake: Path, *tables: Table, disk: Disk | None = None) -> int:
    kind = KINDS[tables[0].kind]
    tail(lake, OF, kind.name).touch()
    return seal(connection, lake, OF, kind, [row for table in tables for row in rows_of(table)], disk or Disk())


def test_rows_are_filed_by_the_hour_with_their_sums(connection: DuckDBPyConnection, lake: Path) -> None:
    assert sealed(connection, lake, numbered(0, 8, ROLLED, NOW, HOUR // 4)) == 8
    assert sorted(str(path.relative_to(lake)) for path in lake.glob("*/date=*/*/*")) == [
        f"{kind}/date=2027-01-15/hour={hour}/{OF}.parquet"
        for kind in ("hours", "minutes", "records")
        for hour in ("08", "09")
    ]
    assert numbers(connection, lake, ROLLED) == list(range(8))
    assert numbers(connection, lake, ROLLED, (NOW, NOW + HOUR)) == [0, 1, 2, 3]
    assert sums(connection, lake, "minutes") == sums(connection, lake, "hours") == (8, 8, 28)
    assert os.listdir(lake / OPEN) == []


def test_a_kind_without_rollups_has_its_rows_alone(connection: DuckDBPyConnection, lake: Path) -> None:
    assert sealed(connection, lake, numbered(0, 3), numbered(3, 4)) == 7
    assert names(lake) == [f"{OF}.parquet"]
    assert numbers(connection, lake) == list(range(7))


def test_many_unlike_tables_are_sealed_as_few(connection: DuckDBPyConnection, lake: Path) -> None:
    tables = [numbered(number, 1, ROLLED) for number in range(2 * sealing._RUNS)]
    assert sealed(connection, lake, *tables) == len(tables)
    assert numbers(connection, lake, ROLLED) == list(range(len(tables)))
    assert sums(connection, lake, "hours")[2] == sum(range(len(tables)))
    assert connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'whole%'").fetchall() == [
        (0,)
    ]


@pytest.mark.parametrize(
    "times",
    [
        [-1, 1, -HOUR - 1],
        [-(1 << 63), NOW],
        [(1 << 63) - 1, 0],
    ],
)
def test_rows_of_any_time_are_kept(connection: DuckDBPyConnection, lake: Path, times: list[int]) -> None:
    count = len(times)
    columns = {"time": Column(np.array(times)), "bytes": Column(np.arange(count)), "packets": Column(np.arange(count))}
    assert sealed(connection, lake, Table(ROLLED, columns)) == count
    parts = snapshot(lake, [ROLLED], -(1 << 63), 1 << 63)
    assert sorted(in_files(connection, parts, ROLLED)) == list(range(count))
    assert len(names(lake, "hours/*/*/*")) == len(names(lake, f"{ROLLED}/*/*/*"))


def test_a_column_that_no_row_knows_is_in_no_file(connection: DuckDBPyConnection, lake: Path) -> None:
    sealed(connection, lake, numbered(0, 3))
    path = next(lake.glob("*/*/*/*.parquet"))
    found = connection.execute(f"SELECT name FROM parquet_schema({quoted(str(path))})").fetchall()
    assert [name for (name,) in found][1:] == ["time_ns", "node", "bytes", "packets"]
    told = connection.execute(f"SELECT key, value FROM parquet_kv_metadata({quoted(str(path))})").fetchall()
    assert (b"fleutan_schema", str(SCHEMA).encode()) in told


def test_nothing_counts_before_the_gate_is_gone_and_all_after_it(connection: DuckDBPyConnection, lake: Path) -> None:
    counted: list[tuple[str, int]] = []

    def tell(step: str, path: Path | None) -> None:
        counted.append((step, len(in_files(connection, snapshot(lake, [PLAIN]), PLAIN))))

    with connect(1, "64MB", lake) as other:
        sealed(other, lake, numbered(0, 4, PLAIN, NOW, HOUR // 2), disk=TellingDisk(tell))
    assert {count for _, count in counted} == {0, 4}
    assert counted[-2:] == [("unlink", 0), ("sync_names", 4)]


def test_files_and_names_reach_the_disk_before_the_gate_goes(connection: DuckDBPyConnection, lake: Path) -> None:
    steps: list[tuple[str, str]] = []
    disk = TellingDisk(lambda step, path: steps.append((step, path.name if path else "")))
    sealed(connection, lake, numbered(0, 3), disk=disk)
    assert steps[-6:] == [
        ("fill", f".{OF}.parquet"),
        ("sync", f".{OF}.parquet"),
        ("rename", f"{OF}.parquet"),
        ("sync_names", "hour=08"),
        ("unlink", f"{OF}.{PLAIN}.arrow"),
        ("sync_names", OPEN),
    ]
    assert ("sync_names", "date=2027-01-15") in steps[:-6]


def test_where_the_disk_refuses_the_gate_stays_and_no_half_file(connection: DuckDBPyConnection, lake: Path) -> None:
    for refused in ("make", "fill", "sync", "rename", "unlink"):
        with pytest.raises(OSError, match="No space left"):
            sealed(connection, lake, numbered(0, 3), disk=FullDisk(refused))
        assert numbers(connection, lake) == []
        assert os.listdir(lake / OPEN) == [f"{OF}.{PLAIN}.arrow"]
    assert sealed(connection, lake, numbered(0, 3)) == 3
    assert names(lake) == [f"{OF}.parquet"]
    assert numbers(connection, lake) == [0, 1, 2]


def test_half_a_file_goes_at_once(connection: DuckDBPyConnection, lake: Path) -> None:
    def half(step: str, path: Path | None) -> None:
        if step == "fill" and path is not None:
            path.write_bytes(b"PAR1 and then no more room")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        sealed(connection, lake, numbered(0, 3), disk=TellingDisk(half))
    assert names(lake) == []


def test_what_counts_is_sealed_even_if_the_disk_says_no_to_the_name(connection: DuckDBPyConnection, lake: Path) -> None:
    def tell(step: str, path: Path | None) -> None:
        if (step, path) == ("sync_names", lake / OPEN):
            raise OSError(5, "Input/output error")

    assert sealed(connection, lake, numbered(0, 3), disk=TellingDisk(tell)) == 3
    assert numbers(connection, lake) == [0, 1, 2]


def test_hidden_files_get_their_names(lake: Path) -> None:
    paths = [hidden(lake, OF, hour, PLAIN) for hour in (NOW, NOW + HOUR)]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    assert placed(paths, Disk()) == [path.with_name(f"{OF}.parquet") for path in paths]
    assert names(lake) == [f"{OF}.parquet"] * 2


def test_gathered_rows_are_in_their_order_with_every_column(connection: DuckDBPyConnection) -> None:
    kind = KINDS[PLAIN]
    tables = (numbered(0, 3), Table(PLAIN, {"time": Column(np.array([NOW]))}), numbered(3, 1))
    there = gather(connection, kind, [row for table in tables for row in rows_of(table)], "gathered")
    assert there == {"time_ns", "node", "bytes", "packets"}
    assert connection.execute("SELECT bytes FROM gathered").fetchall() == [(0,), (1,), (2,), (None,), (3,)]
    columns = connection.execute("SELECT column_name FROM (DESCRIBE gathered)").fetchall()
    assert {name for (name,) in columns} == {name for name, _ in kind.columns}


def test_a_database_spills_into_the_lake(lake: Path) -> None:
    with connect(1, "64MB", lake) as connection:
        found = connection.execute("SELECT current_setting('temp_directory')").fetchall()
    assert found == [(str(lake / OPEN / SPILL),)]


@pytest.mark.parametrize("text", ["", "it's", "a\0b", "\0", "\udcff", "x" * 100_000])
def test_text_that_is_the_same_in_all_rows_is_sealed(connection: DuckDBPyConnection, lake: Path, text: str) -> None:
    columns = {"time": Column(NOW + np.arange(3)), "comm": text_column([text] * 3)}
    assert sealed(connection, lake, Table("flows", columns)) == 3
    files = files_of(KINDS["flows"], list(lake.glob("flows/*/*/*.parquet")))
    plain = text.encode("utf-8", "replace").decode()
    assert connection.execute(f"SELECT comm FROM {files}").fetchall() == [(plain,)] * 3
