# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests import lakes
from tests.exports.como.answers import TOPADDR, TRACE, some
from tests.past.conftest import named, tables

from fleutan.errors import FleutanError
from fleutan.past.database import Limits
from fleutan.past.parquet import PIECE, pieces
from fleutan.table import Table


def read(tmp_path: Path, *given: Table) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns with their types, and rows, as another reader sees them."""
    path = tmp_path / "answer.parquet"
    path.write_bytes(b"".join(pieces(iter(given))))
    relation = duckdb.connect().sql(f"SELECT * FROM '{path}'")
    assert relation is not None
    return [
        f"{name} {type_}" for name, type_ in zip(relation.columns, relation.types, strict=True)
    ], relation.fetchall()


def test_every_row_of_every_table_is_in_one_file(tmp_path: Path) -> None:
    columns, found = read(tmp_path, some(TOPADDR), TOPADDR, some(TOPADDR, 0))
    assert columns == ["time_ns BIGINT", "rank BIGINT", "address VARCHAR", "bytes BIGINT", "packets BIGINT"]
    rows = [tuple(row.values()) for row in named(TOPADDR)]
    assert found == [*rows, rows[0]]


def test_octets_and_what_is_not_known(tmp_path: Path) -> None:
    columns, found = read(tmp_path, TRACE)
    assert "header BLOB" in columns
    assert [row[columns.index("header BLOB")] for row in found] == TRACE.columns["header"].objects()


def test_without_rows_there_are_columns(tmp_path: Path) -> None:
    assert read(tmp_path, some(TRACE)) == (read(tmp_path, TRACE)[0], [])


def test_answers_of_modules(recorded: Path, sampled: Path, tmp_path: Path) -> None:
    for root, module in ((recorded, "tuple"), (recorded, "topports"), (sampled, "trace")):
        answer = tables(root, module)
        columns, found = read(tmp_path, *answer)
        assert [name.split()[0] for name in columns] == [field.key for field in answer[0].fields()]
        assert found == [tuple(row.values()) for table in answer for row in named(table)]


def test_nothing_of_it_stays_on_disk_even_where_nobody_takes_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    many = lakes.table("samples", [{"time": n, "header": n.to_bytes(8, "big") * 50} for n in range(9000)])
    given = pieces(iter([many]))
    assert len(next(given)) <= PIECE
    assert [path.name[:8] for path in tmp_path.iterdir()] == ["fleutan-"]
    del given
    assert list(tmp_path.iterdir()) == []


def test_what_goes_wrong_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FleutanError, match="needs more than 1KB of memory"):
        list(pieces(iter([TOPADDR]), Limits("1KB")))
    with pytest.raises(FleutanError, match="no Parquet file could be made: Binder Error"):
        list(pieces(iter([TOPADDR, TRACE])))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    with pytest.raises(FleutanError, match=r"a Parquet file is made on disk first: .*nowhere.*: No such file"):
        list(pieces(iter([TOPADDR])))


def test_what_breaks_off_the_answer_is_not_taken_for_the_files_fault() -> None:
    def answer() -> Iterator[Table]:
        yield TOPADDR
        raise FleutanError("the question took too long and was given up")

    with pytest.raises(FleutanError, match="took too long"):
        list(pieces(answer()))
