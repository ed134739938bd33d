# SPDX-License-Identifier: Apache-2.0
"""SQL over a lake: the right rows, and nothing but them."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from tests import lakes
from tests.lakes import AT, HOUR
from tests.past.conftest import LATE

from fleutan.errors import FleutanError, UsageError
from fleutan.lake.kinds import KINDS
from fleutan.past.database import Limits
from fleutan.past.sql import BATCH, asked, rewritten
from fleutan.table import Table

RECORDS, SAMPLES, FLOWS = lakes.records(), lakes.samples(), lakes.flows()


def ask(root: Path, statement: str, **more: Any) -> list[tuple[Any, ...]]:
    with asked(root, statement, **more) as rows:
        return [row for batch in rows.batches for row in batch]


def test_every_kind_is_a_table_of_its_rows(mixed: Path) -> None:
    every = len(RECORDS) + len(LATE)
    assert ask(mixed, "SELECT count(*), sum(bytes) FROM records") == [
        (every, sum(row["bytes"] for row in [*RECORDS, *LATE]))
    ]
    both = "SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM Flows), (SELECT count(*) FROM drops)"
    assert ask(mixed, both) == [(len(SAMPLES), len(FLOWS), 0)]
    assert {name for (name,) in ask(mixed, "SHOW TABLES")} == set(KINDS)


def test_addresses_are_text_and_may_be_asked_for_by_prefix(mixed: Path) -> None:
    texts = {row["src"] for row in [*RECORDS, *LATE] if row.get("src")}
    assert {text for (text,) in ask(mixed, "SELECT DISTINCT src FROM records WHERE src IS NOT NULL")} == texts
    sql = (
        "SELECT DISTINCT r.src FROM records AS r WHERE inside(r.src, '10.0.0.0/23') OR INSIDE ( src , '2001:db8::/64' )"
    )
    networks = (ip_network("10.0.0.0/23"), ip_network("2001:db8::/64"))
    assert {text for (text,) in ask(mixed, sql)} == {
        text for text in texts if any(ip_address(text) in network for network in networks)
    }


def test_only_a_windows_rows(mixed: Path) -> None:
    expected = sum(AT <= row["time"] < AT + HOUR for row in [*RECORDS, *LATE])
    assert ask(mixed, "SELECT count(*) FROM records", window=(AT, AT + HOUR)) == [(expected,)]
    assert ask(mixed, "SELECT count(*) FROM records", window=(0, 1)) == [(0,)]


def test_live_tables_stand_beside(mixed: Path) -> None:
    now = lakes.table("flows", [{"src": "10.0.0.1", "dport": 443, "comm": "nginx"}])
    live: Mapping[str, Table] = {"live_flows": now}
    assert ask(mixed, "SELECT src, dport, comm FROM live_flows", live=live) == [("10.0.0.1", 443, "nginx")]


def test_many_rows_come_in_batches(bare: Path) -> None:
    with asked(bare, f"SELECT range AS n FROM range({3 * BATCH + 1})") as rows:
        assert rows.names == ["n"]
        assert [len(batch) for batch in rows.batches] == [BATCH, BATCH, BATCH, 1]


@pytest.mark.parametrize(
    "statement",
    [
        *("FROM records", "TABLE records", "VALUES (1)", "WITH a AS (SELECT 1) SELECT * FROM a", "SELECT 1;"),
        *("DESCRIBE records", "SUMMARIZE records", "-- why\nSELECT 1", "EXPLAIN SELECT 1", "EXPLAIN (SELECT 1)"),
        *(
            "EXPLAIN ANALYZE SELECT * FROM records",
            "explain (FORMAT json) select 1",
            "EXPLAIN (SELECT 1) UNION SELECT 2",
        ),
    ],
)
def test_reading(bare: Path, statement: str) -> None:
    with asked(bare, statement) as rows:
        list(rows.batches)
        assert rows.names


@pytest.mark.parametrize(
    "statement",
    [
        *("COPY records TO '{}/records/x.parquet'", "EXPLAIN ANALYZE COPY (SELECT 1) TO '{}/records/x.parquet'"),
        *("EXPLAIN COPY (SELECT 1) TO '{}/records/x'", "/* */ EXPLAIN ANALYZE COPY (SELECT 1) TO '{}/records/x'"),
        *("EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{}/records/x'", "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1"),
        *("EXPLAIN EXPLAIN ANALYZE COPY (SELECT 1) TO '{}/records/x'", "EXPLAIN ANALYZE DROP VIEW records"),
        *("EXPLAIN (FORMAT ')') COPY (SELECT 1) TO '{}/records/x'", "DROP VIEW records", "DELETE FROM records"),
        *("CREATE TABLE x AS SELECT 1", "INSERT INTO records SELECT * FROM records", "ATTACH '{}/x.db'"),
        *("SET memory_limit='99GB'", "SET lock_configuration=false", "PRAGMA database_list", "INSTALL httpfs"),
        *("EXPORT DATABASE '{}/records/x'", "CALL pragma_version()", "PREPARE a AS SELECT 1", "CHECKPOINT"),
        *("SELECT 1; COPY (SELECT 1) TO '{}/records/x'", "BEGIN", "USE memory", "LOAD '{}/x.so'", ""),
    ],
)
def test_writing_and_all_else_is_refused(tmp_path: Path, statement: str) -> None:
    root = lakes.sealed(tmp_path, records=RECORDS[:5])
    before = sorted(path for path in root.rglob("*"))
    with pytest.raises(UsageError, match="SQL: "):
        ask(root, statement.format(root))
    assert sorted(path for path in root.rglob("*")) == before


@pytest.mark.parametrize(
    "relation",
    [
        *("read_text('/etc/hostname')", "read_csv('/etc/passwd')", "glob('/etc/*')", "'/etc/passwd'"),
        *("read_text('{}/records/../../../../../../../../etc/hostname')", "read_text('{}/.open/*')"),
        *("read_csv('http://192.0.2.1/x')", "sniff_csv('/etc/passwd')", "parquet_metadata('/etc/passwd')"),
        *("sqlite_scan('/etc/passwd', 'x')", "question", "connection", "read_blob('{}/../x')"),
    ],
)
def test_nothing_else_of_this_machine_can_be_read(mixed: Path, relation: str) -> None:
    """No file beyond the lake's, no other host, no variable of the program."""
    with pytest.raises(UsageError, match=r"SQL: (Permission|Catalog|Binder|IO|Invalid)"):
        ask(mixed, f"SELECT * FROM {relation.format(mixed)}")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("SELECT colour FROM records", 'SQL: Binder Error: Referenced column "colour" not found'),
        ("SELEC 1", 'SQL: Parser Error: syntax error at or near "SELEC"'),
        ("SELECT * FROM nowhere", "SQL: Catalog Error: Table with name nowhere does not exist"),
        ("SELECT 'a'::INTEGER", "SQL: Conversion Error"),
        ("SELECT error('boom') FROM records", "SQL: Invalid Input Error: boom"),
        ("SELECT inside(src, '10.0.0.0/99') FROM records", r"SQL: inside\(src, '10.0.0.0/99'\): "),
    ],
)
def test_what_is_wrong_with_a_statement_is_said_in_a_line(mixed: Path, statement: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        ask(mixed, statement)
    assert "\n" not in str(caught.value)


def test_what_breaks_in_the_middle(mixed: Path) -> None:
    """Rows that were given stay given."""
    sql = f"SELECT if(range < {3 * BATCH}, 0, error('boom')) FROM range({100 * BATCH})"
    with pytest.raises(UsageError, match="SQL: Invalid Input Error: boom"):
        ask(mixed, sql, limits=Limits(threads=1))


def test_too_much_memory(recorded: Path) -> None:
    with pytest.raises(FleutanError, match="needs more than 1KB of memory"):
        ask(recorded, "SELECT src, dst, count(*) FROM records GROUP BY ALL", limits=Limits("1KB"))


def test_a_broken_file_is_named_only_where_its_kind_is_asked(tmp_path: Path) -> None:
    lakes.sealed(tmp_path, records=RECORDS, samples=SAMPLES)
    path = next((tmp_path / "records").rglob("*.parquet"))
    path.write_bytes(b"")
    assert ask(tmp_path, "SELECT count(*) FROM samples") == [(len(SAMPLES),)]
    with pytest.raises(FleutanError, match=f"{path} is broken") as caught:
        ask(tmp_path, "SELECT count(*) FROM records")
    assert not isinstance(caught.value, UsageError)


def test_without_a_lake_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(FleutanError, match="there is no lake at"):
        ask(tmp_path / "nowhere", "SELECT 1")
    with pytest.raises(FleutanError, match=r"is no lake: it has no \.open"):
        ask(tmp_path, "SELECT 1")


def test_files_that_are_gone_each_time_are_said_to_be_replaced(tmp_path: Path) -> None:
    """A directory with a file's name is listed, and no file is found there."""
    lakes.sealed(tmp_path, records=RECORDS)
    path = next((tmp_path / "records").rglob("*.parquet"))
    path.unlink()
    path.mkdir()
    with pytest.raises(FleutanError, match="were replaced while they were read"):
        ask(tmp_path, "SELECT * FROM records")


def test_a_prefix_is_a_comparison_of_numbers() -> None:
    low, high = 0xFFFF0A000000, 0xFFFF0AFFFFFF
    assert rewritten("inside(src,'10.0.0.0/8')") == (f"(src_hi BETWEEN 0 AND 0 AND src_lo BETWEEN {low} AND {high})")
    assert rewritten("SELECT besides(src, '10.0.0.0/8')") == "SELECT besides(src, '10.0.0.0/8')"
