# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from fleutan.errors import FleutanError
from fleutan.sources.jobs.found import Found, Unknown
from fleutan.sources.jobs.told import GRID_JOBS, JOBS, by_command, in_file, several

START, END = 1_700_000_000, 1_700_003_600
ONE = {"nodes": ["a", "b"], "start": START, "end": "2023-11-14T23:13:20Z"}
FOUND = Found(("a", "b"), START * 10**9, END * 10**9)
SAYS = [sys.executable, "-c", "import sys; print(open(sys.argv[1] + sys.argv[2]).read())"]


def test_a_command_is_given_the_id(tmp_path: Path) -> None:
    (tmp_path / "7").write_text(json.dumps(ONE))
    assert by_command("7", [*SAYS, f"{tmp_path}/", "{id}"], 10) == [FOUND]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["sh", "-c", "echo no such job >&2; exit 1"], "sh: no such job"),
        (["sh", "-c", "exit 4"], "sh: exit status 4"),
        (["echo", "nothing"], "not JSON"),
        (["sleep", "100"], "takes longer"),
    ],
)
def test_a_command_that_fails_is_said(words: list[str], what: str) -> None:
    with pytest.raises(FleutanError, match=what):
        by_command("7", words, 0.5 if words[0] == "sleep" else 10)


@pytest.mark.parametrize("said", [ONE, [ONE], {"jobs": [ONE]}, {"jobs": ONE}])
def test_one_job_however_it_is_told(said: Any) -> None:
    assert several(said) == [FOUND]


def test_several_jobs() -> None:
    assert several([ONE, {"nodes": ["c"], "start": START}]) == [FOUND, Found(("c",), START * 10**9, None)]


@pytest.mark.parametrize("said", [7, None, {}, {"nodes": "a"}, [7], {"start": START}, {"jobs": 7}])
def test_what_is_no_job_is_said(said: Any) -> None:
    with pytest.raises(FleutanError, match="is no job"):
        several(said)


@pytest.mark.parametrize("said", [[], {"jobs": []}])
def test_nothing_told_is_an_unknown_job(said: Any) -> None:
    with pytest.raises(Unknown):
        several(said)


TOML = """
[jobs.7]
nodes = ["a", "b"]
start = 2023-11-14T22:13:20Z
end = 1700003600
[[grid_jobs.9]]
nodes = ["c"]
start = 1700000000
"""


def test_a_file_has_jobs_by_their_id(tmp_path: Path) -> None:
    toml, plain = tmp_path / "jobs.toml", tmp_path / "jobs.json"
    toml.write_text(TOML)
    plain.write_text(json.dumps({"jobs": {"7": ONE}}))
    assert in_file("7", toml, JOBS) == in_file("7", plain, JOBS) == [FOUND]
    assert in_file("9", toml, GRID_JOBS) == [Found(("c",), START * 10**9, None)]
    for path, where in ((toml, GRID_JOBS), (plain, GRID_JOBS)):
        with pytest.raises(Unknown, match="has none of that id"):
            in_file("7", path, where)


@pytest.mark.parametrize(
    ("name", "octets", "what"),
    [
        ("x.toml", b"a =", "is not TOML"),
        ("x.toml", b"\xff", "is not TOML"),
        ("x.toml", b"[jobs.7]\nnodes = ['a']\nstart = 2023-11-14T22:13:20", "has no time zone"),
        ("x.json", b"{", "not JSON"),
        ("x.json", b"[]", "is no table of jobs"),
        ("x.json", b'{"jobs": 7}', "has none of that id"),
    ],
)
def test_a_file_that_makes_no_sense_is_said(tmp_path: Path, name: str, octets: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(octets)
    with pytest.raises(FleutanError, match=what):
        in_file("7", tmp_path / name, JOBS)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FleutanError, match="cannot be read: No such file"):
        in_file("7", tmp_path / "none", JOBS)
