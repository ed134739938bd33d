# SPDX-License-Identifier: Apache-2.0
"""``fleutan sql`` as it is typed."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import lakes
from tests.lakes import AT, HOUR, SECOND

from fleutan.faces import cli
from fleutan.faces.cli.selecting import live_tables

RECORDS = lakes.records()
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lakes.sealed(tmp_path_factory.mktemp("sql") / "lake", records=RECORDS, samples=lakes.samples(9))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], lake: Path) -> Run:
    def asked(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["sql", "--lake", str(lake), *words])
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return asked


ODD = "SELECT 1 AS a, NULL AS b, 'x,\"y' || chr(27) AS c, '\\x00\\xFF'::BLOB AS d, [1, NULL] AS e, {'f': 1.5} AS g"


def test_in_text_columns_stand_below_each_other(run: Run) -> None:
    status, out, err = run("SELECT proto, count(*) AS n FROM records GROUP BY proto ORDER BY n DESC")
    assert (status, err) == (0, "")
    heading, *rows = out.splitlines()
    assert heading == "proto  n"
    assert all(row[7:].isdecimal() for row in rows)
    assert sum(int(row[7:]) for row in rows) == len(RECORDS)
    cells = run(ODD)[1].splitlines()[1].split()
    assert cells == ["1", 'x,"y\\x1b', "00ff", "[1,", "None]", "{'f':", "1.5}"]


def test_in_every_other_form(run: Run) -> None:
    plain = {"a": 1, "b": None, "c": 'x,"y\x1b', "d": "00ff", "e": [1, None], "g": {"f": 1.5}}
    assert json.loads(run(ODD, "-f", "json")[1]) == {"schema": "fleutan/sql/1", "rows": [plain]}
    assert json.loads(run(ODD, "-f", "jsonl")[1]) == plain
    heading, row = csv.reader(io.StringIO(run(ODD, "-f", "csv")[1]))
    assert heading == list("abcdeg")
    assert row[:4] == ["1", "", 'x,"y\x1b', "00ff"]


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "csv"])
def test_without_rows(run: Run, form: str) -> None:
    status, out, err = run("SELECT src FROM records WHERE false", "-f", form)
    assert (status, err) == (0, "")
    assert {"text": "src\n", "jsonl": "", "csv": "src\r\n"}.get(form, out) in (out, out.replace("\n", "\r\n"))
    assert form != "json" or json.loads(out)["rows"] == []


def test_many_rows(run: Run) -> None:
    out = run("SELECT range AS number FROM range(25000)")[1].splitlines()
    assert out == ["number", *map(str, range(25000))]


def test_a_plan_is_text_of_its_own(run: Run) -> None:
    out = run("EXPLAIN SELECT count(*) FROM records")[1]
    assert len(out.splitlines()) > 5
    assert "\\n" not in out


def test_only_rows_of_a_window(run: Run) -> None:
    words = ("--from", f"@{AT // SECOND}", "--to", f"@{(AT + HOUR) // SECOND}")
    many = sum(row["time"] < AT + HOUR for row in RECORDS)
    assert run("SELECT count(*) AS n FROM records", *words)[1] == f"n\n{many}\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("SELECT nope FROM records",), 2, 'SQL: Binder Error: Referenced column "nope" not found'),
        (("DROP VIEW records",), 2, "SQL: a lake is only read: SELECT, not DROP"),
        (("SELECT 1", "--from", "1x"), 2, ""),
        (("SELECT 1", "--memory", "x"), 2, "'x' is no amount of memory"),
        (("SELECT 1", "-f", "xml"), 2, "invalid value for '-f'"),
        (("SELECT * FROM range(10000000) ORDER BY hash(range)", "--memory", "1KB"), 1, "needs more than 1KB of memory"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(run: Run, words: tuple[str, ...], status: int, said: str) -> None:
    found, out, err = run(*words)
    assert (found, out) == (status, "")
    assert said in err


def test_the_present_stands_beside_the_past(run: Run) -> None:
    """A listening socket of this process is in live_flows."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sql = f"SELECT src, sport, state FROM live_flows WHERE sport = {port}"
        assert json.loads(run(sql, "-f", "jsonl")[1]) == {"src": "127.0.0.1", "sport": port, "state": "listen"}


def test_the_present_is_read_only_where_it_is_named() -> None:
    assert live_tables("SELECT 1 FROM live_flowsx") == {}


def test_ctrl_c_ends_a_question_at_once(lake: Path) -> None:
    """One that would take for ever."""
    for_ever = "SELECT sum(a.range) FROM range(1000000000) a, range(1000000000) b WHERE hash(a.range + b.range) % 7 = 5"
    words = [sys.executable, "-c", "from fleutan.faces.cli import main; main()", "sql", "--lake", str(lake), for_ever]
    until = time.monotonic() + 60
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while len(os.listdir(f"/proc/{process.pid}/task")) < 2:  # the database, or what waits for signals
            assert time.monotonic() < until
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == (b"", b"")
        assert process.returncode == 130
