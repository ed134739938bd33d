# SPDX-License-Identifier: Apache-2.0
"""Sums, against sums that numpy and plain loops make of the same rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.lake.rows import NOW, rows_of

from fleutan.column import Column, text_column
from fleutan.lake import rollups
from fleutan.lake.kinds import KINDS
from fleutan.lake.rollups import HOUR, MINUTE, TOP
from fleutan.lake.sealing import gather
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MANY = 3000


def traffic(seed: int = 1, count: int = MANY) -> Table:
    """Records of two exporters over two hours, some with a sampling rate, some without an address or a port."""
    rng = np.random.default_rng(seed)
    ends = {
        end: Column(np.stack([np.zeros(count, np.int64), rng.integers(0, 300, count)], 1), rng.random(count) < 0.9)
        for end in ("src", "dst")
    }
    ports = {port: Column(rng.integers(0, 200, count), rng.random(count) < 0.9) for port in ("sport", "dport")}
    return Table(
        "records",
        {
            "time": Column(NOW + rng.integers(0, 2 * HOUR, count)),
            "exporter": Column(np.stack([np.zeros(count, np.int64), rng.integers(1, 3, count)], 1)),
            "proto": text_column([str(name) for name in rng.choice(["tcp", "udp"], count)]),
            "packets": Column(rng.integers(1, 100, count)),
            "bytes": Column(rng.integers(1, 10**6, count)),
            "sampling_rate": Column(rng.integers(1, 1000, count), rng.random(count) < 0.5),
            **ends,
            **ports,
        },
    )


def weighed(table: Table) -> list[tuple[dict[str, Any], int, int]]:
    """Rows as they are, with their packets and bytes times the sampling rate."""
    names = list(table.columns)
    columns = {
        name: column.values[:, 1].tolist() if column.values.ndim == 2 else column.objects()
        for name, column in table.columns.items()
    }
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for end in ("src", "dst"):
        for row, known in zip(rows, table.columns[end].mask().tolist(), strict=True):
            row[end] = row[end] if known else None
    return [
        (row, row["packets"] * (row["sampling_rate"] or 1), row["bytes"] * (row["sampling_rate"] or 1)) for row in rows
    ]


@pytest.fixture
def rows(connection: DuckDBPyConnection) -> Table:
    table = traffic()
    gather(connection, KINDS["records"], rows_of(table), "traffic")
    return table


def query(connection: DuckDBPyConnection, sql: str, columns: str) -> Counter[tuple[Any, ...]]:
    return Counter(connection.execute(f"SELECT {columns} FROM ({sql})").fetchall())


SUMMED = "time_ns, kind, node, exporter_lo, proto, flows, packets, bytes"


def summed(table: Table, bucket: int) -> Counter[tuple[Any, ...]]:
    found: dict[tuple[Any, ...], list[int]] = {}
    for row, packets, octets in weighed(table):
        key = (row["time"] // bucket * bucket, "records", "mine", row["exporter"], row["proto"])
        sums = found.setdefault(key, [0, 0, 0])
        sums[:] = sums[0] + 1, sums[1] + packets, sums[2] + octets
    return Counter((*key, *sums) for key, sums in found.items())


@pytest.mark.parametrize(("name", "bucket"), [("minutes", MINUTE), ("hours", HOUR)])
def test_sums_by_time(connection: DuckDBPyConnection, rows: Table, name: str, bucket: int) -> None:
    found = rollups.query(name, "records", "traffic")
    assert query(connection, found, SUMMED) == summed(rows, bucket)


def test_sums_by_the_hour_are_made_of_those_by_the_minute(connection: DuckDBPyConnection, rows: Table) -> None:
    minutes = rollups.query("minutes", "records", "traffic")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE by_minute AS {minutes}")
    there = [row[0] for row in connection.execute("SELECT column_name FROM (DESCRIBE by_minute)").fetchall()]
    missing = [f'NULL AS "{name}"' for name, _ in KINDS["minutes"].columns if name not in there]
    again = rollups.again("hours", f"(SELECT {', '.join(['*', *missing])} FROM by_minute)")
    assert query(connection, again, SUMMED) == summed(rows, HOUR)


def test_of_an_hour_all_addresses_and_ports(connection: DuckDBPyConnection, rows: Table) -> None:
    found = rollups.digest("records", "traffic", NOW)
    wanted: dict[tuple[Any, ...], list[int]] = {}
    for row, packets, octets in weighed(rows):
        for side in ("src", "dst", "sport", "dport"):
            is_port = side.endswith("port")
            key = (NOW, side, *((None, row[side], row["proto"]) if is_port else (row[side], None, None)))
            sums = wanted.setdefault(key, [0, 0, 0])
            sums[:] = sums[0] + 1, sums[1] + packets, sums[2] + octets
    columns = "time_ns, side, address_lo, port, proto, flows, packets, bytes"
    assert query(connection, found, columns) == Counter((*key, *sums) for key, sums in wanted.items())


def test_of_a_minute_the_ends_with_most_bytes(connection: DuckDBPyConnection, rows: Table) -> None:
    found = connection.execute(
        "SELECT time_ns, side, exporter_lo, address_lo, port, proto, bytes "
        f"FROM ({rollups.query('tops', 'records', 'traffic')})"
    ).fetchall()
    wanted: dict[tuple[Any, ...], Counter[tuple[Any, ...]]] = {}
    for row, _, octets in weighed(rows):
        for side in ("src", "dst", "sport", "dport"):
            if row[side] is not None:
                where = (row["time"] // MINUTE * MINUTE, side, row["exporter"])
                is_port = side.endswith("port")
                end: tuple[Any, ...] = (None, row[side], row["proto"]) if is_port else (row[side], None, None)
                wanted.setdefault(where, Counter())[end] += octets
    kept: dict[tuple[Any, ...], Counter[tuple[Any, ...]]] = {}
    for time_ns, side, exporter, *told, octets in found:
        kept.setdefault((time_ns, side, exporter), Counter())[tuple(told)] += octets
    assert kept.keys() == wanted.keys()
    for where, ends in wanted.items():
        assert sorted(kept[where].values()) == sorted(ends.values())[-TOP:]
        assert kept[where].items() <= ends.items()


def test_no_more_than_some_are_kept_of_a_minute(connection: DuckDBPyConnection) -> None:
    count = 3 * TOP
    address = Column(np.stack([np.zeros(count, np.int64), np.arange(count)], 1))
    columns = {"time": Column(np.full(count, NOW)), "src": address, "bytes": Column(np.arange(count))}
    gather(connection, KINDS["records"], rows_of(Table("records", columns)), "crowd")
    found = query(connection, rollups.query("tops", "records", "crowd"), "side, address_lo, bytes")
    assert found == Counter(("src", number, number) for number in range(count - TOP, count))


@pytest.mark.parametrize("name", ["minutes", "hours", "tops"])
def test_what_64_bits_do_not_hold_is_unknown(connection: DuckDBPyConnection, name: str) -> None:
    huge = np.full(4, 1 << 62)
    columns = {
        "time": Column(NOW + np.arange(4)),
        "bytes": Column(huge),
        "packets": Column(np.full(4, 3)),
        "sampling_rate": Column(np.full(4, 2)),
        "dport": Column(np.full(4, 53)),
    }
    gather(connection, KINDS["records"], rows_of(Table("records", columns)), "hostile")
    found = rollups.query(name, "records", "hostile")
    assert set(query(connection, found, "flows, packets, bytes")) == {(4, 24, None)}


def test_sums_of_sums_that_64_bits_do_not_hold_are_unknown(connection: DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE summed AS SELECT * FROM (VALUES "
        f"({NOW}, {1 << 62}, 1, 1), ({NOW + MINUTE}, {1 << 62}, 1, 1)) AS t(time_ns, packets, flows, bytes)"
    )
    keys = [name for name, _ in KINDS["hours"].columns if name not in ("time_ns", *rollups.SUMS)]
    again = rollups.again("hours", f"(SELECT *, {', '.join(f'NULL AS {key}' for key in keys)} FROM summed)")
    assert query(connection, again, "flows, packets, bytes") == Counter([(2, None, 2)])
