# SPDX-License-Identifier: Apache-2.0
"""``fleutan query --engine``: the same page whatever reads the lake, and what is said beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import lakes
from tests.lakes import AT, LASTS, SECOND
from tests.past.engines.serving import Said, serving

from fleutan.faces import cli

WINDOW = ("--start", str(AT // SECOND), "--end", str((AT + LASTS) // SECOND))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lakes.sealed(tmp_path_factory.mktemp("fleet") / "lake", records=lakes.records(60))


def run(capsys: pytest.CaptureFixture[str], lake: Path, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["query", *words, *WINDOW, "--lake", str(lake)])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


@pytest.mark.parametrize("form", ["text", "json", "plain"])
def test_engines_give_the_same_page(capsys: pytest.CaptureFixture[str], lake: Path, form: str) -> None:
    pytest.importorskip("chdb", reason="fleutan[clickhouse] is not installed")
    duckdb = run(capsys, lake, "topports", "-f", form)
    assert duckdb[0] == 0
    assert len(duckdb[1]) > 300
    assert run(capsys, lake, "topports", "-f", form, "--engine", "clickhouse://local") == duckdb
    assert run(capsys, lake, "topports", "-f", form, "--engine", "duckdb") == duckdb


def test_rows_that_are_not_seen_are_noted_once(capsys: pytest.CaptureFixture[str], lake: Path) -> None:
    pytest.importorskip("chdb", reason="fleutan[clickhouse] is not installed")
    with lakes.unsealed(lake, records=lakes.records(20, 9)):
        status, out, err = run(capsys, lake, "tuple", "-f", "csv", "--engine", "clickhouse://local")
    assert status == 0
    assert len(out.splitlines()) > 50
    assert err == "fleutan: note: clickhouse reads sealed files only: the newest rows of records are not among these\n"


@pytest.mark.parametrize(
    ("engine", "status", "said"),
    [
        ("trino://host", 2, "no engine is called 'trino://host'; there are duckdb, clickhouse://local"),
        ("clickhouse", 2, "'clickhouse' is no engine"),
        ("clickhouse://local?x=1", 2, "'x' is no option of clickhouse"),
    ],
)
def test_what_is_no_engine(capsys: pytest.CaptureFixture[str], lake: Path, engine: str, status: int, said: str) -> None:
    code, out, err = run(capsys, lake, "traffic", "--engine", engine)
    assert (code, out) == (status, "")
    assert err.startswith(f"fleutan: {said}")
    assert err.count("\n") == 1


def test_a_server_that_refuses(capsys: pytest.CaptureFixture[str], lake: Path) -> None:
    with serving(lambda _: Said(b"Code: 516. DB::Exception: nobody: Authentication failed.", 403)) as (port, _):
        status, _, err = run(capsys, lake, "traffic", "--engine", f"clickhouse://127.0.0.1:{port}")
    assert (status, err) == (1, "fleutan: ClickHouse: nobody: Authentication failed.\n")
