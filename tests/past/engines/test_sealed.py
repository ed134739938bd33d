# SPDX-License-Identifier: Apache-2.0
"""What engines that read sealed files only have in common, with DuckDB reading them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest
from tests import lakes
from tests.lakes import AT, LASTS, Rows
from tests.past.conftest import named
from tests.past.engines.questions import QUESTIONS, told

from fleutan.column import Column
from fleutan.errors import FleutanError
from fleutan.lake.kinds import Kind
from fleutan.lake.storage import files_of
from fleutan.past.engines import sealed
from fleutan.past.engines.sealed import Sealed, gathered
from fleutan.past.engines.where import Where
from fleutan.past.modules import answer
from fleutan.past.request import Request
from fleutan.past.statements import Statement
from fleutan.past.tables import tables
from fleutan.query.dialects import DUCKDB
from fleutan.table import Reading, Table


class Duck(Sealed):
    """An engine that is somewhere else: it knows files by their names in a lake of its own."""

    name, dialect = "duck", DUCKDB

    def __init__(self, root: Path, files: str = "", meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__(root, Where("duck", "here", files))
        self.meanwhile = meanwhile

    def relation(self, kind: Kind, names: Sequence[str]) -> str:
        return files_of(kind, [Path(self.where.lake(self.root), name) for name in names])

    def tables(self, statement: Statement, name: str, reading: Reading) -> Iterator[Table]:
        with duckdb.connect() as connection:
            relation = connection.sql(statement.sql, params=dict(statement.parameters) or None)
            yield from tables(relation, name, statement.names, reading)
        self.meanwhile()


REQUEST = Request("tuple", AT, AT + LASTS)


def rows(engine: Sealed, request: Request = REQUEST) -> Rows:
    return [row for table in answer(engine, request) for row in named(table)]


def test_every_module_answers_without_what_only_duckdb_reads(kept: Path, right: list[Rows]) -> None:
    """Rollups are read, sums of hours by address are not."""
    engine = Duck(kept)
    assert [told(engine, question) for question in QUESTIONS] == right


def test_unsealed_rows_are_not_there_and_a_note_says_so(tmp_path: Path) -> None:
    lakes.sealed(tmp_path, records=lakes.records(30))
    with lakes.unsealed(tmp_path, records=lakes.records(20, 9)):
        (table,) = answer(Duck(tmp_path), REQUEST)
        assert table.reading.notes == ("duck reads sealed files only: the newest rows of records are not among these",)
        assert table.reading.source == f"lake {tmp_path}, read by duck"
        flows = sum(row["flows"] for row in rows(Duck(tmp_path), Request("talkers", AT, AT + LASTS, keys=("kind",))))
    assert flows == 30
    (table,) = answer(Duck(tmp_path), REQUEST)
    assert table.reading.notes == ()
    assert len(table) > 30


def test_the_engine_finds_files_where_it_is_told(tmp_path: Path) -> None:
    root = lakes.sealed(tmp_path / "here", records=lakes.records(20))
    whole = rows(Duck(root))
    there = (tmp_path / "there").absolute()
    root.rename(there)
    for part in there.glob("records/*/*/*"):
        (same := root / part.relative_to(there)).parent.mkdir(parents=True, exist_ok=True)
        same.touch()
    (root / ".open").mkdir()
    assert rows(Duck(root, f"{there}/")) == whole


def test_files_that_went_meanwhile_make_no_answer(tmp_path: Path) -> None:
    lakes.sealed(tmp_path, records=lakes.records(20))
    part = next(tmp_path.glob("records/*/*/*"))
    with pytest.raises(FleutanError, match="were replaced while they were read; ask again"):
        rows(Duck(tmp_path, "", part.unlink))


def test_no_lake(tmp_path: Path) -> None:
    with pytest.raises(FleutanError, match="there is no lake"):
        rows(Duck(tmp_path / "none"))


def test_a_kind_of_which_nothing_is_sealed_is_none(tmp_path: Path) -> None:
    with lakes.unsealed(tmp_path, records=lakes.records(5)):
        assert not Duck(tmp_path).has("records")
    assert Duck(tmp_path).has("records")


def test_what_an_engine_must_do_itself(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"relation.*tables"):
        Sealed(tmp_path, Where("x", "y"))  # type: ignore[abstract]


def test_many_small_tables_become_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "LEAST", 5)
    small = [Table("traffic", {"bytes": Column(np.arange(at, at + 2))}) for at in range(0, 16, 2)]
    found = list(gathered(iter(small)))
    assert [len(table) for table in found] == [6, 6, 4]
    assert np.concatenate([table["bytes"] for table in found]).tolist() == list(range(16))
    empty = Table("traffic", {"bytes": Column(np.zeros(0, np.int64))})
    assert list(gathered(iter([empty]))) == [empty]
    assert list(gathered(iter([]))) == []
