# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from tests import lakes

from fleutan.errors import FilterError, FleutanError
from fleutan.past.statements import Statement
from fleutan.past.troubles import FilesReplaced, broken, errors, looked_for, said, told

RECORDS = lakes.records(20)


@pytest.mark.parametrize(
    ("text", "sort", "line"),
    [
        ("INTERRUPT Error: Interrupted!", FleutanError, "the question took too long and was given up"),
        ("Query interrupted", FleutanError, "the question took too long and was given up"),
        ("Out of Memory Error: failed\nmore", FleutanError, "the question needs more than 2GB of memory: ask of a"),
        ('IO Error: No files found that match the pattern "x"', FilesReplaced, ""),
        ('IO Error: Cannot open file "x": No such file or directory', FilesReplaced, ""),
        (
            'IO Error: Cannot open file "x": Permission denied',
            FleutanError,
            'read: Cannot open file "x": Permission denied',
        ),
    ],
)
@pytest.mark.parametrize("before", ["", "ArrowArrayStream::get_next() failed (5): "])
def test_what_the_database_says_is_told_by_its_text(text: str, sort: type[Exception], line: str, before: str) -> None:
    """The same text comes of the stream of an answer, in an error of another class."""
    found = told(RuntimeError(before + text), "2GB")
    assert type(found) is sort
    assert line in str(found)
    assert "\n" not in str(found)


def test_other_text_means_nothing_by_itself() -> None:
    assert told(duckdb.Error("Binder Error: no"), "1GB") is None
    assert said(ValueError()) == "ValueError"
    assert said(RuntimeError("a: b\nc")) == "a: b"


def test_real_errors_are_caught() -> None:
    with pytest.raises(errors(), match="No files found"):
        duckdb.connect().execute("SELECT * FROM read_parquet('/nowhere/*.parquet')")


def test_whose_fault_it_is(tmp_path: Path) -> None:
    lakes.sealed(tmp_path, records=RECORDS)
    files = sorted((tmp_path / "records").rglob("*.parquet"))
    connection = duckdb.connect()
    plain = Statement("SELECT 1")
    found = looked_for(RuntimeError("Invalid Error: odd"), connection, plain, files)
    assert str(found) == "the lake cannot be read: odd"
    asked = Statement('SELECT regexp_matches("unit", $filter0), regexp_matches("comm", $filter1)', {})
    asked = Statement(asked.sql, {"filter0": "fine", "filter1": "[[:foo:]]"})
    found = looked_for(RuntimeError("Invalid Input Error: odd"), connection, asked, files)
    assert isinstance(found, FilterError)
    assert str(found) == "the filter cannot be evaluated: invalid character class range: [:foo:]"
    files[-1].write_bytes(b"")
    found = looked_for(RuntimeError("Invalid Input Error: odd"), connection, plain, files)
    assert str(found) == f"{files[-1]} is broken and cannot be read; the lake answers again when it is moved away"


def test_a_file_whose_rows_alone_are_broken_is_found_and_one_that_is_gone_is_not_broken(tmp_path: Path) -> None:
    lakes.sealed(tmp_path, records=RECORDS)
    files = sorted((tmp_path / "records").rglob("*.parquet"))
    connection = duckdb.connect()
    assert broken(connection, files) is None
    octets = files[0].read_bytes()
    files[0].write_bytes(octets[:4] + b"\xff" * 300 + octets[304:])
    assert duckdb.connect().execute(f"SELECT count(*) FROM parquet_file_metadata('{files[0]}')").fetchall() == [(1,)]
    assert broken(connection, files) == files[0]
    files[0].unlink()
    assert broken(connection, files) is None
