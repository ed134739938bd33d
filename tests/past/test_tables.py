# SPDX-License-Identifier: Apache-2.0
"""What DuckDB gives as Arrow becomes the columns that it was made of."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lakes import halves

from fleutan.past.tables import tables
from fleutan.table import Reading, Table

_INTS = st.one_of(st.none(), st.integers(-(1 << 63), (1 << 63) - 1))
_SIGNS = st.characters(exclude_characters="\0", codec="utf-8")
#: A field of each type, its columns in SQL, values of it.
_TYPES: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "bytes": ("BIGINT", _INTS),
    "dport": ("INTEGER", st.one_of(st.none(), st.integers(0, 65535))),
    "gauge": ("DOUBLE", st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))),
    "rtt": ("DOUBLE", st.one_of(st.none(), st.integers(0, 1 << 40).map(float))),
    "forwarded": ("BOOLEAN", st.one_of(st.none(), st.booleans())),
    "unit": (
        "VARCHAR",
        st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=90)),
    ),
    "header": ("BLOB", st.one_of(st.none(), st.binary(max_size=70))),
    "rates": ("BIGINT[]", st.one_of(st.none(), st.lists(st.integers(0, 9), max_size=4))),
}


def told(connection: duckdb.DuckDBPyConnection, sql: str, *names: str) -> list[Table]:
    return list(tables(connection.sql(sql), "x", names, Reading()))


def values(found: list[Table], name: str) -> list[Any]:
    return [value for table in found for value in table.columns[name].objects()]


@pytest.mark.parametrize("name", _TYPES)
def test_values_come_back(name: str) -> None:
    type_, strategy = _TYPES[name]
    connection = duckdb.connect()

    @given(st.lists(strategy, max_size=40))
    @settings(max_examples=60)
    def check(rows: list[Any]) -> None:
        connection.execute(f"CREATE OR REPLACE TABLE t (number INTEGER, v {type_})")
        if rows:
            connection.executemany(
                "INSERT INTO t VALUES (?, ?)", [[number, value] for number, value in enumerate(rows)]
            )
        found = values(told(connection, "SELECT v FROM t ORDER BY number", name), name)
        plain: list[Any] = [tuple(value) if isinstance(value, list) else value for value in rows]
        assert found == ([value if value is None else int(value) for value in plain] if name == "rtt" else plain)

    check()


def test_an_address_is_two_columns() -> None:
    connection = duckdb.connect()
    texts = ["10.0.0.1", "2001:db8::1", "::"]
    rows = ", ".join(f"({number}, {hi}, {lo}, {number})" for number, (hi, lo) in enumerate(map(halves, texts)))
    sql = f"SELECT * EXCLUDE n FROM (VALUES {rows}, (9, NULL, NULL, 5)) AS t(n, hi, lo, bytes) ORDER BY n"
    (table,) = told(connection, sql, "src", "bytes")
    assert table.columns["src"].objects() == [*texts, None]
    assert table.columns["bytes"].objects() == [0, 1, 2, 5]


@pytest.mark.parametrize(
    ("sql", "name"), [("VARCHAR", "unit"), ("BLOB", "header"), ("BIGINT", "bytes"), ("BIGINT[]", "rates")]
)
def test_columns_that_say_nothing(sql: str, name: str) -> None:
    connection = duckdb.connect()
    (table,) = told(connection, f"SELECT CAST(NULL AS {sql}) AS v FROM range(3)", name)
    assert table.columns[name].objects() == [None] * 3
    (table,) = told(connection, "SELECT NULL AS v", name) if name == "bytes" else (table,)
    assert not table.columns[name].mask().any()


def test_without_rows_there_is_one_table_with_columns_of_the_right_types() -> None:
    names = ("time", "src", "unit", "header", "rates", "gauge", "forwarded")
    columns = "1::BIGINT, 2::BIGINT, 3::BIGINT, 'a', 'b'::BLOB, [1], 1.5::DOUBLE, true"
    connection = duckdb.connect()
    (nothing,) = told(connection, f"SELECT {columns} WHERE false", *names)
    (something,) = told(connection, f"SELECT {columns}", *names)
    assert len(nothing) == 0
    for name in names:
        empty, full = nothing.columns[name], something.columns[name]
        assert empty.values.dtype == full.values.dtype
        assert empty.values.shape[1:] == full.values.shape[1:]
        assert (empty.words is None) == (full.words is None)


def test_many_rows_come_in_several_tables_in_order() -> None:
    connection = duckdb.connect()
    many = 1_000_000
    sql = f"SELECT range, if(range % 3 = 0, NULL, 'u' || range % 7), range % 2 = 0, [range] FROM range({many})"
    found = told(connection, f"{sql} ORDER BY range", "bytes", "unit", "forwarded", "rates")
    assert len(found) > 1
    assert (np.concatenate([table["bytes"] for table in found]) == np.arange(many)).all()
    expected = [None if number % 3 == 0 else f"u{number % 7}" for number in range(many)]
    assert values(found, "unit") == expected
    assert values(found, "forwarded") == [number % 2 == 0 for number in range(many)]
    assert values(found[:2], "rates") == [(number,) for number in range(sum(map(len, found[:2])))]
    assert found[0].columns["unit"].words is not None
    assert len(found[0].columns["unit"].words) <= 8
