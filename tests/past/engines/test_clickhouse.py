# SPDX-License-Identifier: Apache-2.0
"""ClickHouse, in this process, against DuckDB; what is written to it, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import lakes
from tests.lakes import AT, LASTS, Rows
from tests.past.engines.questions import LATEST, QUESTIONS, Question, latest, told

from fleutan.errors import FilterError, FleutanError
from fleutan.past.engine import Limits
from fleutan.past.engines.clickhouse import ClickHouse, trouble, written
from fleutan.past.engines.where import Where
from fleutan.past.modules import answer
from fleutan.past.request import Request
from fleutan.query.expression import Comparison, Pattern

LOCAL = Where("clickhouse", "local")


@pytest.fixture(scope="module")
def engine(kept: Path) -> Iterator[ClickHouse]:
    pytest.importorskip("chdb", reason="fleutan[clickhouse] is not installed")
    with ClickHouse(kept, LOCAL, Limits()) as lake:
        yield lake


@pytest.mark.parametrize("number", range(len(QUESTIONS)), ids=lambda number: QUESTIONS[number].module)
def test_every_module_answers_as_duckdb_does(engine: ClickHouse, right: list[Rows], number: int) -> None:
    assert told(engine, QUESTIONS[number]) == right[number]


def test_the_latest_of_a_group(engine: ClickHouse) -> None:
    assert list(latest(engine)) == LATEST


def test_an_expression_that_it_does_not_take_is_the_filters_fault(engine: ClickHouse) -> None:
    with pytest.raises(FilterError, match=r"the filter cannot be evaluated: .*cannot compile"):
        told(engine, Question("talkers", "", {}, Comparison(("comm",), "=", (Pattern("("),))))


def test_files_that_it_does_not_see_are_missed(kept: Path, tmp_path: Path) -> None:
    """Of many files it would pass over those that are not there, and add up less."""
    pytest.importorskip("chdb", reason="fleutan[clickhouse] is not installed")
    request = Request("topaddr", AT, AT + LASTS)
    where = Where("clickhouse", "local", str(tmp_path))
    with ClickHouse(kept, where, Limits()) as lake, pytest.raises(FleutanError, match=r"sees 0 of the \d files|exist"):
        list(answer(lake, request))
    (some := tmp_path / next((kept / "records").glob("*/*/*")).relative_to(kept)).parent.mkdir(parents=True)
    some.write_bytes((kept / some.relative_to(tmp_path)).read_bytes())
    with ClickHouse(kept, where, Limits()) as lake, pytest.raises(FleutanError, match="sees 1 of the 2 files"):
        list(answer(lake, Request("tuple", AT, AT + LASTS, source="tuple")))


@pytest.mark.parametrize("sign", ["{", "*", "?", "'", ","])
def test_a_lake_whose_name_would_be_a_pattern_is_refused(tmp_path: Path, sign: str) -> None:
    """It would find no files, and say nothing."""
    root = lakes.sealed(tmp_path / f"a{sign}b", records=lakes.records(5))
    with pytest.raises(FleutanError, match="for a pattern"):
        list(answer(ClickHouse(root, LOCAL, Limits()), Request("topaddr", AT, AT + LASTS)))


def test_a_bucket_is_read_by_s3(tmp_path: Path) -> None:
    where = Where("clickhouse", "local", "https://bucket.example/lake/")
    lake = ClickHouse(tmp_path, where, Limits())
    assert lake._function(["records/a", "records/b"]) == "s3('https://bucket.example/lake/{records/a,records/b}'"
    assert lake._function(["records/a"]) == "s3('https://bucket.example/lake/records/a'"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (True, "true"),
        (0.5, "0.5"),
        ("it's", "it's"),
        ("a\tb\nc\\d", "a\\tb\\nc\\\\d"),
        ([1, 2], "[1,2]"),
        (["it's", "a\\b"], "['it\\'s','a\\\\b']"),
    ],
)
def test_parameters_are_written_as_it_reads_them(value: object, text: str) -> None:
    assert written(value) == text


def test_what_it_says_becomes_a_line() -> None:
    said = trouble("Code: 60. DB::Exception: Unknown table x: While executing File. (UNKNOWN_TABLE)\nmore")
    assert str(said) == "ClickHouse: Unknown table x"
    assert isinstance(trouble("Code: 427. DB::Exception: no"), FilterError)
    assert str(trouble("ArrowArrayStream::get_next() failed\nmore")).endswith(
        "broke off: ArrowArrayStream::get_next() failed"
    )
