# SPDX-License-Identifier: Apache-2.0
"""Slurm's commands are programs here that say what scontrol(1) and sacct(1) do, and look at how they are asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.errors import FleutanError
from fleutan.sources.jobs.found import NODES, Found, Unknown
from fleutan.sources.jobs.slurm import expanded, jobs

START, END = 1_700_000_000, 1_700_003_600
FOUND = Found(("n01", "n02", "n03", "login"), START * 10**9, END * 10**9)
SECONDS = 10.0
Program = Callable[..., None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a program on the PATH: what it says to which words, with which exit status."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(name: str, **cases: tuple[int, str, str]) -> None:
        lines = ["#!/bin/sh", '[ "$SLURM_TIME_FORMAT" = "%s" ] || exit 9', 'case "$*" in']
        for words, (status, output, trouble) in cases.items():
            (tmp_path / f"{name}.{words}").write_text(output)
            pattern = "*--json*" if words == "json" else "*"
            lines.append(f"{pattern}) cat '{tmp_path}/{name}.{words}'; echo '{trouble}' >&2; exit {status};;")
        path = tmp_path / name
        path.write_text("\n".join([*lines, "esac", ""]))
        path.chmod(0o755)

    return make


def record(**changes: Any) -> dict[str, Any]:
    known = {"set": True, "infinite": False}
    return {
        "job_id": 7,
        "job_state": ["COMPLETED"],
        "start_time": {**known, "number": START},
        "end_time": {**known, "number": END},
        "nodes": "n[01-03],login",
    } | changes


def said(*records: Any) -> str:
    return json.dumps({"jobs": list(records), "errors": []})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, FOUND),
        ({"job_state": "COMPLETED", "start_time": START, "end_time": END}, FOUND),
        ({"job_state": ["RUNNING"]}, FOUND._replace(end_ns=None)),
        ({"end_time": {"set": True, "infinite": True, "number": 0}}, FOUND._replace(end_ns=None)),
        ({"end_time": {"set": False, "infinite": False, "number": END}}, FOUND._replace(end_ns=None)),
    ],
)
def test_a_job_in_json_of_every_version(program: Program, changes: dict[str, Any], expected: Found) -> None:
    program("scontrol", json=(0, said(record(**changes)), ""))
    assert jobs("7", SECONDS) == [expected]


def test_of_an_array_those_that_have_begun(program: Program) -> None:
    waiting = record(job_state=["PENDING"], nodes="")
    program("scontrol", json=(0, said(record(nodes="a"), waiting, record(nodes="b")), ""))
    assert [one.nodes for one in jobs("7", SECONDS)] == [("a",), ("b",)]


TEXT = (
    "JobId=7 JobName=x UserId=me(1000) JobState={state} Reason=None StartTime={start} EndTime={end} Deadline=N/A "
    "ReqNodeList=(null) ExcNodeList=(null) NodeList=n[01-03],login BatchHost=n01 NumNodes=4\n"
)


@pytest.mark.parametrize("trouble", ["scontrol: unrecognized option '--json'", "invalid entity:json"])
def test_an_old_scontrol_is_asked_for_text(program: Program, trouble: str) -> None:
    text = TEXT.format(state="COMPLETED", start=START, end=END)
    program("scontrol", json=(1, "", trouble.replace("'", "")), text=(0, text, ""))
    assert jobs("7", SECONDS) == [FOUND]


def test_dates_without_a_zone_are_of_this_host(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        text = TEXT.format(state="RUNNING", start="2023-11-15T07:13:20", end="2023-11-15T08:13:20")
        program("scontrol", json=(0, text, ""), text=(0, text, ""))
        assert jobs("7", SECONDS) == [FOUND._replace(end_ns=None)]
    finally:
        monkeypatch.undo()
        time.tzset()


GONE = (1, "", "slurm_load_jobs error: Invalid job id specified")


@pytest.mark.parametrize("scontrol", [GONE, (0, said(), "")])
def test_a_job_that_scontrol_has_forgotten_is_in_the_accounts(program: Program, scontrol: tuple[int, str, str]) -> None:
    program("scontrol", json=scontrol)
    program("sacct", text=(0, f"CANCELLED by 1000|{START}|{END}|n[01-03],login\n", ""))
    assert jobs("7", SECONDS) == [FOUND]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("", "neither scontrol nor sacct knows it"),
        ("PENDING|Unknown|Unknown|None assigned", "it has not begun: it is PENDING"),
        (f"CANCELLED|{START}|{END}|None assigned", "it has no nodes"),
        (f"CANCELLED|None|{END}|n1", "it has not begun"),
        ("COMPLETED|then|later|n1", "'then' is no time"),
    ],
)
def test_what_the_accounts_cannot_tell_is_said(program: Program, line: str, what: str) -> None:
    program("scontrol", json=GONE)
    program("sacct", text=(0, f"{line}\n", ""))
    with pytest.raises(FleutanError, match=what) as raised:
        jobs("7", SECONDS)
    assert isinstance(raised.value, Unknown) == (line == "")


def test_commands_that_fail_or_are_missing_are_said(program: Program) -> None:
    program("scontrol", json=GONE)
    with pytest.raises(FleutanError, match="sacct: No such file or directory"):
        jobs("7", SECONDS)
    program("sacct", text=(1, "", "Slurm accounting storage is disabled"))
    with pytest.raises(FleutanError, match="sacct: Slurm accounting storage is disabled"):
        jobs("7", SECONDS)


def test_what_is_no_job_is_said(program: Program) -> None:
    program("scontrol", json=(0, said(7), ""))
    with pytest.raises(FleutanError, match="scontrol's answer is no job"):
        jobs("7", SECONDS)


# -- lists of hosts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a", "a"),
        ("a,b-2.x", "a b-2.x"),
        ("n[1-3]", "n1 n2 n3"),
        ("n[008-011,7]x", "n008x n009x n010x n011x n7x"),
        ("r[1-2]n[1-2],z", "r1n1 r1n2 r2n1 r2n2 z"),
        ("n[3-1]", ""),
    ],
)
def test_every_name_of_a_list(text: str, expected: str) -> None:
    assert " ".join(expanded(text)) == expected


@pytest.mark.parametrize("text", ["n[", "n]", "n[a-b]", "n[]", ",a", "n[1", "a,,b", "n[1-2]["])
def test_what_is_no_list_is_said(text: str) -> None:
    with pytest.raises(FleutanError, match="is no list of nodes"):
        list(expanded(text))


@pytest.mark.parametrize("text", ["n[0-999999999]", "n[0-9999]x[0-9999]x[0-9999]"])
def test_a_list_is_bounded(text: str) -> None:
    assert sum(1 for _ in expanded(text)) == NODES + 1


@given(st.text("ab[]-,019", max_size=12))
def test_any_text_is_a_list_or_an_error(text: str) -> None:
    names = []
    try:
        names = list(expanded(text))
    except FleutanError:
        return
    assert all("[" not in name and "," not in name for name in names)
