# SPDX-License-Identifier: Apache-2.0
"""The power may go at any moment: what was flushed is there once, whatever of the rest has reached the disk."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lake.powercut import Model, RememberingDisk, State, Step, every_state, state_of, subsets, written
from tests.lake.rows import PLAIN, ROLLED, framed, in_files, made, numbered, numbers, rows_of, sums, until

from fleutan.lake.compaction import Compaction
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR, OPEN, tail
from fleutan.lake.listing import snapshot
from fleutan.lake.recovery import recover
from fleutan.lake.retention import Keep, expire
from fleutan.lake.sealing import seal
from fleutan.lake.writer import Limits, Writer

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Long ago: all hours are over.
AT = 1_500_000_000_000_000_000 // HOUR * HOUR
SEED = 20270115
#: What is done to what a cut left.
STEPS = ("as it is", "recovered", "put together", "cleared")


#: So many states after one step at most are looked at, and whether files are put together of one in so many.  With
#: rollups it takes five times as long: ``FLEUTAN_CUTS`` has more of them looked at.
CUTS = {PLAIN: (20, 1), ROLLED: (int(os.environ.get("FLEUTAN_CUTS", "2")), 5)}


def check(connection: DuckDBPyConnection, lake: Path, kind: str, known: frozenset[int], steps: Sequence[str]) -> None:
    """What is known is there, once, for readers at once, after recovery, and after files are put together."""
    if not lake.is_dir():
        assert not known
        return
    later = time.time_ns() + HOUR
    for step in steps:
        if step == "recovered":
            (lake / OPEN).mkdir(exist_ok=True)
            recover(connection, lake, Disk())
        elif step != "as it is":
            Compaction(connection, lake, "later", Disk()).once(later)
        found = numbers(connection, lake, kind)
        assert len(found) == len(set(found)), f"{step}: rows count twice"
        assert known <= set(found), f"{step}: rows are lost"
        if KINDS[kind].rolled:
            sealed = in_files(connection, snapshot(lake, [kind]), kind)
            for name in KINDS[kind].rolled:
                assert sums(connection, lake, name) == (len(sealed), len(sealed), sum(sealed)), f"{step}: {name}"


def checked(
    connection: DuckDBPyConnection,
    where: Path,
    kind: str,
    disk: RememberingDisk,
    before: State | None = None,
    known: frozenset[int] = frozenset(),
) -> int:
    """Looks at every state; how many there were."""
    most, every = CUTS[kind]
    states = every_state(disk.steps, random.Random(SEED), most, before, known)  # noqa: S311
    for place, (state, rows, number) in enumerate(states):
        lake = written(state, where / "cut") / "lake"
        try:
            check(connection, lake, kind, rows, STEPS[: 2 if place % every else 4])
        except Exception as error:
            raise AssertionError(f"after {disk.steps[number][:2]} with {sorted(state)}: {error}") from error
        shutil.rmtree(where / "cut")
    return len(states)


class Written:
    """Rows go into a lake by a writer, on a disk that remembers."""

    def __init__(self, root: Path, kind: str) -> None:
        self.disk = RememberingDisk(root)
        self.lake, self._kind = root / "lake", kind
        self._next = self._now = 0

    def writer(self) -> Writer:
        return Writer(self.lake, "test", Limits(flush_ns=0, seal_ns=1000, many=8), "mine", self.disk)

    def add(self, writer: Writer, count: int) -> None:
        writer.add(numbered(self._next, count, self._kind, AT, HOUR // 6))
        self._next += count

    def tick(self, writer: Writer, by_ns: int = 1) -> None:
        self._now += by_ns
        writer.tick(self._now)

    def flush(self, writer: Writer, count: int) -> None:
        self.add(writer, count)
        self.tick(writer)
        assert writer.settled(0, 30.0)
        self.disk.know(range(self._next))

    def know_all(self) -> None:
        self.disk.know(range(self._next))

    def compact(self, connection: DuckDBPyConnection, later_ns: int = 0) -> None:
        Compaction(connection, self.lake, "mine", self.disk).once(time.time_ns() + later_ns)

    def refuse(self, step: str, name: str = "") -> None:
        """The next such step fails, or the next that is about a file of this name."""

        def fail(done: str, path: Path | None) -> None:
            if done == step and name in ("", path.name if path else ""):
                self.disk.fail = lambda _step, _path: None
                raise OSError(28, "No space left on device")

        self.disk.fail = fail


@pytest.mark.parametrize("kind", [PLAIN, ROLLED])
def test_a_cut_while_rows_are_flushed_and_sealed(connection: DuckDBPyConnection, tmp_path: Path, kind: str) -> None:
    one = Written(tmp_path / "disk", kind)
    one.disk._root.mkdir()
    with one.writer() as writer:
        one.flush(writer, 2)
        one.flush(writer, 1)
        one.flush(writer, 8)  # many: sealed at once, of two hours
        one.tick(writer, 2000)
        until(lambda: writer.account().sealed == 11)
        one.flush(writer, 2)
    one.know_all()
    assert checked(connection, tmp_path, kind, one.disk) > 40


def test_a_cut_while_the_disk_refuses(connection: DuckDBPyConnection, tmp_path: Path) -> None:
    """What was written in part is taken back, and written again elsewhere."""
    one = Written(tmp_path / "disk", PLAIN)
    one.disk._root.mkdir()
    with one.writer() as writer:
        one.flush(writer, 2)
        one.refuse("append")
        one.add(writer, 3)
        one.tick(writer)
        until(lambda: writer.account().trouble)
        one.flush(writer, 5)  # now they are many
        for step in ("rename", "sync_names", "unlink"):
            one.refuse(step)
            one.add(writer, 8)
            one.tick(writer)
            until(lambda: writer.account().trouble)
            one.flush(writer, 1)
        one.refuse("rename")
        one.tick(writer, 2000)
        until(lambda: writer.account().trouble)
    one.know_all()
    assert writer.account().lost == 0
    assert checked(connection, tmp_path, PLAIN, one.disk) > 60


@pytest.mark.parametrize("kind", [PLAIN, ROLLED])
def test_a_cut_while_files_are_put_together_and_go(connection: DuckDBPyConnection, tmp_path: Path, kind: str) -> None:
    one = Written(tmp_path / "disk", kind)
    one.disk._root.mkdir()
    for _ in range(2):
        with one.writer() as writer:
            one.flush(writer, 3)
    one.know_all()
    one.disk.steps, before = [], state_of(tmp_path / "disk")
    known = frozenset(range(one._next))
    one.compact(connection)
    with one.writer() as writer:
        one.flush(writer, 2)
    one.know_all()
    one.compact(connection)  # what stands for others is replaced itself
    one.compact(connection, HOUR)  # and all that was replaced goes
    assert len([name for name in state_of(tmp_path / "disk") if f"/{kind}/" in name and "." in name]) == 1
    assert checked(connection, tmp_path, kind, one.disk, before, known) > 50


def test_a_cut_after_files_were_put_together_whose_gates_may_come_back(
    connection: DuckDBPyConnection, tmp_path: Path
) -> None:
    """As where a writer is killed when its gate is gone, and before the disk knows."""
    one = Written(tmp_path / "disk", PLAIN)
    one.disk._root.mkdir()
    for _ in range(2):
        with one.writer() as writer:
            one.flush(writer, 3)
            one.refuse("sync_names", OPEN)
    one.know_all()
    one.compact(connection)
    one.compact(connection, HOUR)
    assert checked(connection, tmp_path, PLAIN, one.disk) > 40


def test_a_cut_while_what_is_too_old_goes(connection: DuckDBPyConnection, tmp_path: Path) -> None:
    one = Written(tmp_path / "disk", PLAIN)
    one.disk._root.mkdir()
    for _ in range(3):
        with one.writer() as writer:
            one.flush(writer, 8)
    one.compact(connection)
    one.disk.steps, before = [], state_of(tmp_path / "disk")
    first_hour = set(numbers(connection, one.lake, PLAIN, (AT, AT + HOUR)))
    known = frozenset(range(one._next)) - first_hour
    assert known
    assert first_hour
    expire(one.lake, {PLAIN: Keep(age_ns=time.time_ns() - AT - HOUR - 1)}, time.time_ns(), one.disk)
    assert set(numbers(connection, one.lake)) == known
    assert checked(connection, tmp_path, PLAIN, one.disk, before, known) > 8


@pytest.fixture
def left(connection: DuckDBPyConnection, tmp_path: Path) -> Path:
    """A lake with what dead processes left: a tail with half of its parts, and a gate with parts that never counted."""
    lake = made(tmp_path / "disk" / "lake")
    for of, first in (("a-1", 0), ("b-1", 10)):
        tail(lake, of, ROLLED).touch()
        seal(connection, lake, of, KINDS[ROLLED], rows_of(numbered(first, 8, ROLLED, AT, HOUR // 6)), Disk())
    next(lake.glob("minutes/*/*/a-1*")).unlink()
    tail(lake, "a-1", ROLLED).write_bytes(framed(numbered(0, 8, ROLLED, AT, HOUR // 6)))
    tail(lake, "b-1", ROLLED).touch()
    return lake


def test_a_cut_while_what_the_dead_left_is_sealed(connection: DuckDBPyConnection, tmp_path: Path, left: Path) -> None:
    disk = RememberingDisk(tmp_path / "disk")
    before, known = state_of(tmp_path / "disk"), frozenset(range(8))
    assert recover(connection, left, disk) == 8
    assert numbers(connection, left, ROLLED) == sorted(known)
    assert checked(connection, tmp_path, ROLLED, disk, before, known) > 40


def test_the_model_loses_what_was_not_synced_and_nothing_else() -> None:
    model = Model()
    step: Step
    for step in (("mkdir", "a"), ("sync_names", ""), ("create", "a/b"), ("data", "a/b", b"12"), ("sync", "a/b")):
        model.follow(step)
    chance = random.Random(SEED)  # noqa: S311
    assert list(model.states(chance)) == [{"a": None}, {"a": None, "a/b": b"12"}]
    for step in (("sync_names", "a"), ("data", "a/b", b"1234"), ("rename", "a/b", "c")):
        model.follow(step)
    wanted = [{"a": None, name: octets} for name in ("a/b", "a/c") for octets in (b"12", b"1234", b"123", b"123\0")]
    assert list(model.states(chance)) == wanted
    for step in (("sync", "a/c"), ("unlink", "a/c")):
        model.follow(step)
    assert list(model.states(chance)) == [
        {"a": None, "a/b": b"1234"},
        {"a": None, "a/c": b"1234"},
        {"a": None, "a/b": b"1234"},
        {"a": None},
    ]
    assert len(subsets(3, chance)) == 8
    assert {frozenset(), frozenset(range(9)), frozenset(range(8)), frozenset({3})} <= set(subsets(9, chance))
