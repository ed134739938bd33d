# SPDX-License-Identifier: Apache-2.0
"""Rows become files: by the hour, with sums that are right, and without columns that no row knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.lakes import AT, HOUR, MINUTE, SECOND, Row, Rows, records, samples, table

from fleutan.lake import sealing
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import OPEN, directory, tail
from fleutan.lake.storage import files_of, stored

#: The beginning of an hour.
BEGINS = AT // HOUR * HOUR


def sealed(root: Path, kind: str, *batches: Rows) -> int:
    """Seals these batches as one stem."""
    rows = [stored(table(kind, batch), KINDS[kind], "here") for batch in batches]
    (root / OPEN).mkdir(parents=True, exist_ok=True)
    gate = tail(root, "stem", kind)
    gate.touch()
    with sealing.connect(1, "256MB", root) as connection:
        count = sealing.seal(
            connection, root, "stem", KINDS[kind], [(one.arrow.array, one.select) for one in rows], Disk()
        )
    assert not gate.exists()
    return count


def names(path: Path) -> list[str]:
    return [
        row[0]
        for row in duckdb.connect()
        .execute(f"DESCRIBE SELECT * FROM read_parquet('{path}', hive_partitioning = false)")
        .fetchall()
    ]


def asked(root: Path, kind: str, query: str) -> list[tuple[Any, ...]]:
    """The answer to a query of ``rows``, all of a kind's files."""
    files = files_of(KINDS[kind], sorted((root / kind).rglob("*.parquet")))
    return duckdb.connect().execute(f"WITH rows AS (FROM {files}) {query}").fetchall()


def test_every_row_is_there_in_its_order_with_what_it_says(tmp_path: Path) -> None:
    rows = records(300)
    assert sealed(tmp_path, "records", rows[:100], rows[100:120], rows[120:]) == 300
    told = "SELECT time_ns, exporter_lo & 255, bytes, sampling_rate, src_mac, node FROM rows"
    expected = [
        (
            *(row["time"], int(row["exporter"].rpartition(".")[2]), row["bytes"], row["sampling_rate"]),
            *(row["src_mac"], "here"),
        )
        for row in rows
    ]
    assert sorted(asked(tmp_path, "records", told), key=str) == sorted(expected, key=str)
    hours = {row["time"] // HOUR * HOUR for row in rows}
    for hour in hours:
        path = directory(tmp_path, "records", hour) / "stem.parquet"
        found = [row[0] for row in duckdb.connect().execute(f"SELECT time_ns FROM '{path}'").fetchall()]
        assert found == [row["time"] for row in rows if row["time"] // HOUR * HOUR == hour]


def test_what_no_row_knows_is_in_no_file_and_null_where_it_is_asked_for(tmp_path: Path) -> None:
    sealed(tmp_path, "records", [{"time": BEGINS, "bytes": 7, "proto": "tcp"}])
    [path] = (tmp_path / "records").rglob("*.parquet")
    assert names(path) == ["time_ns", "node", "proto", "bytes"]
    assert asked(tmp_path, "records", "SELECT bytes, tunnel, src_hi, sport FROM rows") == [(7, None, None, None)]
    assert asked(tmp_path, "records", "SELECT count(*) FROM rows WHERE tunnel = 'gre'") == [(0,)]


def test_files_that_lack_different_columns_are_one_relation_with_the_types_of_the_kind(tmp_path: Path) -> None:
    sealed(tmp_path / "one", "samples", [{"time": BEGINS, "sport": 7}])
    sealed(tmp_path / "two", "samples", [{"time": BEGINS, "header": b"\0x", "link_type": 1}])
    files = [path for name in ("one", "two") for path in (tmp_path / name / "samples").rglob("*.parquet")]
    relation = duckdb.connect().sql(f"SELECT * FROM {files_of(KINDS['samples'], files)}")
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert types == dict(KINDS["samples"].columns)
    assert sorted(relation.project("sport, header").fetchall(), key=str) == [(7, None), (None, b"\0x")]


@pytest.mark.parametrize("word", ["tcp", "", "it's", 'a "b" é'])
def test_a_text_that_is_the_same_in_all_rows_is_that_text(word: str, tmp_path: Path) -> None:
    sealed(tmp_path, "records", [{"time": BEGINS, "proto": word}], [{"time": BEGINS + 1, "proto": word}])
    assert asked(tmp_path, "records", "SELECT proto FROM rows") == [(word,), (word,)]


def test_a_text_that_is_the_same_in_one_batch_only_differs(tmp_path: Path) -> None:
    batches: list[Rows] = [[{"time": BEGINS, "proto": "tcp"}], [{"time": BEGINS + 1, "proto": "udp"}]]
    batches += [[{"time": BEGINS + 2}], [{"time": BEGINS + 3, "proto": "tcp"}, {"time": BEGINS + 4}]]
    sealed(tmp_path, "records", *batches)
    found = asked(tmp_path, "records", "SELECT proto FROM rows ORDER BY time_ns")
    assert found == [("tcp",), ("udp",), (None,), ("tcp",), (None,)]


def sums(rows: Rows, bucket: int) -> dict[tuple[Any, ...], list[int]]:
    found: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        key = (row["time"] // bucket * bucket, row.get("exporter"), row.get("proto"), row.get("in_if"))
        told = found.setdefault(key, [0, 0, 0])
        rate = row.get("sampling_rate") or 1
        for place, value in enumerate((1, row["packets"] * rate, row["bytes"] * rate)):
            told[place] += value
    return found


@pytest.mark.parametrize(("name", "bucket"), [("minutes", MINUTE), ("hours", HOUR)])
@pytest.mark.parametrize("kind", ["records", "samples"])
def test_rollups_add_up(kind: str, name: str, bucket: int, tmp_path: Path) -> None:
    rows = records(300) if kind == "records" else samples(300)
    sealed(tmp_path, kind, rows[:200], rows[200:])
    query = (
        "SELECT time_ns, exporter_lo & 255, proto, in_if, sum(flows), sum(packets), sum(bytes), any_value(kind) "
        "FROM rows GROUP BY ALL"
    )
    found = {tuple(row[:4]): [int(value) for value in row[4:7]] for row in asked(tmp_path, name, query)}
    expected = {(key[0], int(key[1][-1]), *key[2:]): told for key, told in sums(rows, bucket).items()}
    assert found == expected
    assert asked(tmp_path, name, "SELECT DISTINCT kind, node FROM rows") == [(kind, "here")]


def test_rows_of_several_hours_go_into_a_file_each(tmp_path: Path) -> None:
    rows: Rows = [{"time": BEGINS + place * HOUR + SECOND, "bytes": place, "packets": 1} for place in (0, 3, 1)]
    assert sealed(tmp_path, "records", rows[:1], rows[1:]) == 3
    for row in rows:
        where = directory(tmp_path, "records", row["time"] // HOUR * HOUR) / "stem.parquet"
        assert duckdb.connect().execute(f"SELECT bytes FROM '{where}'").fetchall() == [(row["bytes"],)]
    assert len(list((tmp_path / "hours").rglob("*.parquet"))) == 3


def test_nothing_stays_behind_in_the_database(tmp_path: Path) -> None:
    (tmp_path / OPEN).mkdir()
    row: Mapping[str, Any] = {"time": BEGINS, "proto": "tcp"}
    with sealing.connect(1, "256MB", tmp_path) as connection:
        for place in range(3):
            one = stored(table("records", [row]), KINDS["records"], "here")
            tail(tmp_path, f"s{place}", "records").touch()
            sealing.seal(connection, tmp_path, f"s{place}", KINDS["records"], [(one.arrow.array, one.select)], Disk())
        assert connection.execute("SHOW ALL TABLES").fetchall() == []


def test_tails_are_gathered_with_every_column(tmp_path: Path) -> None:
    rows: list[Row] = [{"time": BEGINS, "proto": "tcp", "sport": 7}, {"time": BEGINS + 1, "proto": "udp"}]
    parts = [stored(table("records", [row]), KINDS["records"], "here") for row in rows]
    with sealing.connect(1, "256MB", tmp_path) as connection:
        sealing.gather(connection, KINDS["records"], [(one.arrow.array, one.select) for one in parts], "tail_records")
        found = connection.execute("SELECT proto, sport, node, tunnel FROM tail_records").fetchall()
        assert found == [("tcp", 7, "here", None), ("udp", None, "here", None)]
        assert len(connection.sql("FROM tail_records").columns) == len(KINDS["records"].columns)
