# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from fleutan.errors import FleutanError
from fleutan.sources import statefile
from fleutan.sources.statefile import Layout, Unusable, opened

LAYOUT = Layout(1, "CREATE TABLE things (name TEXT);")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def ignore(_: str) -> None:
    return


def add(path: Path, name: str, notes: list[str] | None = None, layout: Layout = LAYOUT) -> bytes:
    with opened(path, layout, ignore if notes is None else notes.append) as (connection, identity):
        connection.execute("INSERT INTO things VALUES (?)", (name,))
        return identity


def things(path: Path) -> list[str]:
    with opened(path, LAYOUT, ignore) as (connection, _):
        return [name for (name,) in connection.execute("SELECT name FROM things")]


def aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.broken-*"))


def test_a_file_is_made_once_and_keeps_what_is_written(path: Path) -> None:
    assert add(path, "a") == add(path, "b")
    assert things(path) == ["a", "b"]
    assert not aside(path)


def test_what_a_block_wrote_before_it_raised_is_not_there(path: Path) -> None:
    add(path, "a")
    with suppress(ZeroDivisionError), opened(path, LAYOUT, ignore) as (connection, _):
        connection.execute("INSERT INTO things VALUES ('b')")
        raise ZeroDivisionError
    assert things(path) == ["a"]


def database(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("CREATE TABLE theirs (x)", "is a database of something else"),
        ("PRAGMA application_id = 7", "is a database of something else"),
        (f"PRAGMA application_id = {statefile.APPLICATION}; PRAGMA user_version = 9", "layout 9"),
    ],
)
def test_another_database_is_renamed_aside_as_it_is(path: Path, script: str, why: str) -> None:
    database(path, script)
    before = path.read_bytes()
    notes: list[str] = []
    add(path, "a", notes)
    assert things(path) == ["a"]
    (kept,) = aside(path)
    assert kept.read_bytes() == before
    assert len(notes) == 1
    assert why in notes[0]
    assert kept.name in notes[0]


@pytest.mark.parametrize("octets", [b"something else altogether " * 50, os.urandom(20_000)])
def test_no_database_is_renamed_aside(path: Path, octets: bytes) -> None:
    path.write_bytes(octets)
    notes: list[str] = []
    first = add(path, "a", notes)
    assert (things(path), len(notes), aside(path)[0].read_bytes()) == (["a"], 1, octets)
    assert add(path, "b") == first


def test_a_file_that_was_begun_anew_has_another_identity(path: Path) -> None:
    first = add(path, "a")
    path.unlink()
    assert add(path, "a") != first


def test_what_lies_beside_a_broken_file_goes_with_it(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to look at" * 20)
    path.with_name(path.name + "-shm").write_bytes(b"index")
    add(path, "a")
    assert [one.name.endswith("-shm") for one in aside(path)] == [False, True]
    assert things(path) == ["a"]


def test_a_file_that_turns_out_to_be_broken_is_aside_for_the_next(path: Path) -> None:
    add(path, "a")
    database(path, "DROP TABLE things")
    notes: list[str] = []
    with pytest.raises(FleutanError, match="no such table"):
        add(path, "b", notes)
    assert len(aside(path)) == len(notes) == 1
    add(path, "b", notes)
    assert things(path) == ["b"]


@pytest.mark.parametrize("script", ["DELETE FROM file", "UPDATE file SET identity = 7"])
def test_a_file_without_identity_is_renamed_aside(path: Path, script: str) -> None:
    add(path, "a")
    database(path, script)
    add(path, "b")
    assert (things(path), len(aside(path))) == (["b"], 1)


def test_a_block_may_find_the_file_broken(path: Path) -> None:
    add(path, "a")
    with pytest.raises(FleutanError, match="makes no sense"), opened(path, LAYOUT, ignore):
        raise Unusable("makes no sense")
    assert (things(path), len(aside(path))) == ([], 1)


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FleutanError, match="No such file or directory"):
        add(tmp_path / "none" / "state.sqlite", "a")


def test_a_file_that_cannot_be_opened_stays(path: Path) -> None:
    path.mkdir()
    with pytest.raises(FleutanError, match="unable to open"):
        add(path, "a")
    assert path.is_dir()
    assert not aside(path)


def test_a_file_in_use_stays_and_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(path, "a")
    monkeypatch.setattr(statefile, "BUSY_S", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FleutanError, match="locked"):
            add(path, "b")
    assert things(path) == ["a"]
    assert not aside(path)


MANY = """
import sys
from pathlib import Path
from fleutan.sources.statefile import Layout, opened
for number in range(20):
    with opened(Path(sys.argv[1]), Layout(1, "CREATE TABLE things (name TEXT);"), print) as (connection, _):
        connection.execute("INSERT INTO things VALUES (?)", (f"{sys.argv[2]} {number}",))
"""


def test_processes_that_begin_together_over_a_broken_file_agree_on_one_new_file(path: Path) -> None:
    path.write_bytes(b"broken" * 1000)
    started = [
        subprocess.Popen([sys.executable, "-c", MANY, str(path), name], stdout=subprocess.PIPE, text=True)
        for name in "abcd"
    ]
    said = "".join(one.communicate(timeout=60)[0] for one in started)
    assert [one.returncode for one in started] == [0, 0, 0, 0]
    assert len(aside(path)) == 1
    assert said.count("a new one is begun") == 1
    assert sorted(things(path)) == sorted(f"{name} {number}" for name in "abcd" for number in range(20))
