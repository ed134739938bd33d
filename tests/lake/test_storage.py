# SPDX-License-Identifier: Apache-2.0
"""What goes into a lake comes out of it: each kind, each type of column, through a tail and through a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.lake.rows import NOW, framed, made, rows_of

from fleutan.column import Column, Slices, text_column
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS, Kind
from fleutan.lake.layout import tail
from fleutan.lake.listing import snapshot
from fleutan.lake.sealing import gather, seal
from fleutan.lake.storage import constant, files_of, literal, quoted, selected, stored
from fleutan.lake.tail import frames
from fleutan.protocols.spans import joined
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Rows = list[dict[str, Any]]
#: Text that SQL, Arrow or files could stumble over.
TEXTS = ("", "curl", "it's", '"quoted"', "a\0b", "\0", "wide ☃ 𝔘", "line\nbreak", "%s {} $1 ; --", "NULL")
ROWS = 12


def column(type_: str, rng: np.random.Generator) -> Column:
    """A column of a type with some rows unknown."""
    known = rng.random(ROWS) < 0.7
    if type_ == "address":
        return Column(rng.integers(-(1 << 63), 1 << 63, (ROWS, 2), np.int64, endpoint=False), known)
    if type_ == "float":
        return Column(np.where(rng.random(ROWS) < 0.2, np.inf, rng.normal(size=ROWS)), known)
    if type_ == "bool":
        return Column(rng.random(ROWS) < 0.5, known)
    words: tuple[Any, ...] = {
        "text": TEXTS,
        "octets": (b"", b"\0\xff'", bytes(range(256))),
        "ints": ((), (0,), (-1, 1 << 40)),
    }.get(type_, ())
    if words:
        return Column(rng.integers(-1, len(words), ROWS).astype(np.int32), None, words)
    return Column(rng.integers(-(1 << 31), 1 << 31, ROWS), known)


def of_every_type(kind: Kind, rng: np.random.Generator) -> Table:
    columns = {field.name: column(field.type, rng) for field in kind.fields if field.name not in ("time", "node")}
    return Table(kind.name, {"time": Column(NOW + rng.integers(0, 1 << 40, ROWS)), **columns})


def constants(table: Table, row: int) -> Table:
    """The table with all rows as one of it."""
    rows = np.full(len(table), row)
    return Table(table.kind, {name: column.take(rows) for name, column in table.columns.items()})


def told(table: Table, node: str = "mine") -> Rows:
    """Its rows as a lake should say them: every column of the kind by name."""
    kind = KINDS[table.kind]
    columns: dict[str, list[Any]] = {name: [None] * len(table) for name, _ in kind.columns}
    columns["node"] = [node] * len(table)
    for name, column in table.columns.items():
        field = next(field for field in kind.fields if field.name == name)
        if field.type == "address":
            for half, end in enumerate(("hi", "lo")):
                known = zip(column.values[:, half].tolist(), column.mask().tolist(), strict=True)
                columns[f"{field.key}_{end}"] = [value if is_known else None for value, is_known in known]
        else:
            columns[field.key] = [list(value) if isinstance(value, tuple) else value for value in column.objects()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def answers(connection: DuckDBPyConnection, relation: str) -> Rows:
    cursor = connection.execute(f"SELECT * FROM {relation}")
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def through_tail(connection: DuckDBPyConnection, root: Path, *tables: Table) -> Rows:
    kind = KINDS[tables[0].kind]
    rows = [(frame.arrow(), frame.select) for frame in frames(framed(*tables))]
    gather(connection, kind, rows, "read")
    return answers(connection, "read")


def through_file(connection: DuckDBPyConnection, root: Path, *tables: Table) -> Rows:
    kind = KINDS[tables[0].kind]
    root = made(root)
    tail(root, "of", kind.name).touch()
    assert seal(connection, root, "of", kind, [row for table in tables for row in rows_of(table)], Disk()) == sum(
        map(len, tables)
    )
    files = [part.path for part in snapshot(root, [kind.name]).parts[kind.name]]
    return answers(connection, files_of(kind, files))


Through = Callable[..., Rows]
BOTH = pytest.mark.parametrize("through", [through_tail, through_file])


@BOTH
@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_rows_of_every_kind_and_type_come_back(
    tmp_path: Path, connection: DuckDBPyConnection, kind: Kind, through: Through
) -> None:
    tables = [of_every_type(kind, np.random.default_rng(seed)) for seed in range(2)]
    assert through(connection, tmp_path, *tables) == [row for table in tables for row in told(table)]


@BOTH
@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_is_the_same_in_all_rows_comes_back(
    tmp_path: Path, connection: DuckDBPyConnection, kind: Kind, through: Through
) -> None:
    whole = of_every_type(kind, np.random.default_rng(3))
    tables = [constants(whole, row) for row in range(ROWS)]
    found = through(connection, tmp_path, *tables)
    wanted = [row for table in tables for row in told(table)]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


@BOTH
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.none() | st.text(), min_size=1, max_size=6))
def test_any_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, connection: DuckDBPyConnection, through: Through, words: list[str | None]
) -> None:
    times = Column(NOW + np.arange(len(words)))
    table = Table("flows", {"time": times, "comm": text_column(words)})
    found = through(connection, tmp_path_factory.mktemp("lake"), table)
    assert [row["comm"] for row in found] == words


@BOTH
def test_text_that_is_none_becomes_marks(tmp_path: Path, connection: DuckDBPyConnection, through: Through) -> None:
    for place, words in enumerate((["\udcff"], ["\udcff", "a\udc80b"])):
        table = Table("flows", {"time": Column(NOW + np.arange(len(words))), "comm": text_column(words)})
        found = through(connection, tmp_path / str(place), table)
        assert [row["comm"] for row in found] == [word.encode("utf-8", "replace").decode() for word in words]


@BOTH
def test_figures_that_do_not_fit_are_unknown(tmp_path: Path, connection: DuckDBPyConnection, through: Through) -> None:
    tables = [
        Table("records", {"time": Column(NOW + np.arange(len(tos))), "tos": Column(np.array(tos))})
        for tos in ([1, 1 << 31, -(1 << 31) - 1, (1 << 31) - 1], [1 << 40], [7])
    ]
    found = through(connection, tmp_path, *tables)
    assert [row["tos"] for row in found] == [1, None, None, (1 << 31) - 1, None, 7]


@BOTH
def test_octets_in_one_buffer_come_back(tmp_path: Path, connection: DuckDBPyConnection, through: Through) -> None:
    header = Column(np.array([1, -1, 0, 1], np.int32), None, Slices(joined([b"\0one", b"two"])))
    table = Table("samples", {"time": Column(NOW + np.arange(4)), "header": header})
    assert [row["header"] for row in through(connection, tmp_path, table)] == [b"two", None, b"\0one", b"two"]


@BOTH
def test_files_of_many_constants_come_back(tmp_path: Path, connection: DuckDBPyConnection, through: Through) -> None:
    tables = [
        Table("records", {"time": Column(np.array([NOW + number])), "in_if": Column(np.array([number]))})
        for number in range(300)
    ]
    assert [row["in_if"] for row in through(connection, tmp_path, *tables)] == list(range(300))


def test_a_table_with_a_column_that_its_kind_has_not_is_refused() -> None:
    table = Table("flows", {"time": Column(np.array([NOW])), "ttl": Column(np.array([1]))})
    with pytest.raises(ValueError, match="kind flows has no ttl"):
        stored(table, KINDS["flows"], "mine")


@pytest.mark.parametrize(
    "columns", [{}, {"time": Column(np.array([NOW, 0]), np.array([True, False]))}, {"mss": Column(np.array([1]))}]
)
def test_a_table_without_time_is_refused(columns: dict[str, Column]) -> None:
    with pytest.raises(ValueError, match="must say the time of every row"):
        stored(Table("flows", columns), KINDS["flows"], "mine")


def test_words_weigh_as_often_as_rows_say_them() -> None:
    header = Column(np.zeros(1000, np.int32), None, (b"x" * 1500,))
    heavy = stored(
        Table("samples", {"time": Column(NOW + np.arange(1000)), "header": header}), KINDS["samples"], "mine"
    )
    assert heavy.octets >= 1_500_000
    light = stored(Table("samples", {"time": Column(NOW + np.arange(1000))}), KINDS["samples"], "mine")
    assert 8000 <= light.octets < 9000


def test_a_column_without_rows_or_without_figures_is_no_column() -> None:
    assert constant("mss", Column(np.array([], np.int64))) == {}
    assert constant("mss", Column(np.array([1, 1]), np.zeros(2, np.bool_))) == {}
    assert constant("mss", Column(np.array([1, 1]), np.array([True, False]))) is None


def test_a_float_that_equals_nothing_is_no_constant(tmp_path: Path, connection: DuckDBPyConnection) -> None:
    table = Table("paths", {"time": Column(NOW + np.arange(2)), "path_loss": Column(np.array([np.nan, np.nan]))})
    assert [str(row["path_loss"]) for row in through_tail(connection, tmp_path, table)] == ["nan", "nan"]


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        (np.bool_(True), "true"),
        (False, "false"),
        (np.int64(-5), "-5"),
        (np.float64("inf"), "CAST('inf' AS DOUBLE)"),
        (np.float64(0.1), "CAST('0.1' AS DOUBLE)"),
    ],
)
def test_values_as_sql(value: Any, sql: str) -> None:
    assert literal(value) == sql


@given(st.text())
def test_text_as_sql_is_the_text(connection: DuckDBPyConnection, text: str) -> None:
    assert connection.execute(f"SELECT {quoted(text)}").fetchall() == [(text,)]


def test_old_files_have_null_for_what_they_did_not_know(tmp_path: Path, connection: DuckDBPyConnection) -> None:
    old, new = tmp_path / "it's old.parquet", tmp_path / "new.parquet"
    connection.execute(f"COPY (SELECT {NOW} AS time_ns, 'a' AS node) TO {quoted(str(old))}")
    connection.execute(f"COPY (SELECT {selected(KINDS['queues'], {'time_ns': '1', 'bytes': '2'})}) TO '{new}'")
    found = answers(connection, files_of(KINDS["queues"], [old, new]))
    assert [(row["time_ns"], row["node"], row["bytes"]) for row in found] == [(NOW, "a", None), (1, None, 2)]
    assert list(found[0]) == [name for name, _ in KINDS["queues"].columns]
