# SPDX-License-Identifier: Apache-2.0
"""What counts at one moment: of a lake at rest, and of one that changes while it is listed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lake.rows import NOW, PLAIN, framed, hour, in_tails, names, numbered, numbers, numbers_of, rows_of

from fleutan.errors import FleutanError
from fleutan.lake.compaction import Compaction
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR, OPEN, directory, tail
from fleutan.lake.listing import counting, gates, hours, listed, snapshot
from fleutan.lake.sealing import connect, seal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KIND = KINDS[PLAIN]
WHERE = "date=2027-01-15/hour=08"


def sealed(connection: DuckDBPyConnection, lake: Path, of: str, first: int, count: int, at_ns: int = NOW) -> None:
    tail(lake, of, PLAIN).touch()
    seal(connection, lake, of, KIND, rows_of(numbered(first, count, PLAIN, at_ns)), Disk())


def test_no_lake_is_said(tmp_path: Path) -> None:
    with pytest.raises(FleutanError, match="there is no lake at"):
        snapshot(tmp_path / "none", [PLAIN])


def test_a_lake_without_rows_has_none(tmp_path: Path) -> None:
    found = snapshot(tmp_path, [PLAIN, "flows"])
    assert (found.parts, found.tails) == ({PLAIN: [], "flows": []}, {PLAIN: [], "flows": []})
    assert gates(tmp_path) == frozenset()


def test_parts_are_those_of_the_hours_of_the_window(connection: DuckDBPyConnection, lake: Path) -> None:
    for number in (0, 1, 30):
        sealed(connection, lake, f"a-{number}", number, 1, hour(number))
    windows = [(NOW, hour(1)), (NOW + 1, hour(1) + 1), (hour(2), hour(30)), (hour(30), hour(31)), (hour(31), hour(99))]
    assert [numbers(connection, lake, PLAIN, window) for window in windows] == [[0], [0, 1], [], [30], []]
    assert numbers(connection, lake) == [0, 1, 30]
    parts = snapshot(lake, [PLAIN], NOW, hour(1)).parts[PLAIN]
    assert [(part.stem, part.hour_ns, part.size) for part in parts] == [("a-0", NOW, parts[0].path.stat().st_size)]


def test_directories_that_are_no_hours_are_passed_over(lake: Path) -> None:
    for name in (WHERE, "date=2027-01-15/hour=99", "date=no/hour=00", "date=2027-01-14/hour=23"):
        (lake / PLAIN / name).mkdir(parents=True)
    (lake / PLAIN / "date=2027-01-16").mkdir()
    assert [begins for _, begins in hours(lake, PLAIN)] == [hour(-9), NOW]
    assert list(hours(lake, "flows")) == []


def test_hidden_files_and_others_are_no_parts(connection: DuckDBPyConnection, lake: Path) -> None:
    sealed(connection, lake, "a-1", 0, 2)
    for name in (".b-1.parquet", "c.csv"):
        (lake / PLAIN / WHERE / name).write_bytes(b"")
    assert numbers(connection, lake) == [0, 1]


def test_parts_count_when_their_gate_is_gone(connection: DuckDBPyConnection, lake: Path) -> None:
    sealed(connection, lake, "a-1", 0, 2)
    for name in (".a-1.parquet", f"a-1.{PLAIN}.arrow.new"):
        (lake / OPEN / name).touch()
    assert numbers(connection, lake) == [0, 1]
    tail(lake, "a-1", "flows").touch()
    assert numbers(connection, lake) == []
    assert counting(lake, lake / PLAIN / WHERE, NOW) == []


def test_rows_of_a_tail_count_and_not_those_of_the_parts_made_of_it(connection: DuckDBPyConnection, lake: Path) -> None:
    sealed(connection, lake, "a-1", 0, 3)
    tail(lake, "a-1", PLAIN).write_bytes(framed(numbered(0, 3)) + framed(numbered(3, 1)) + b"half")
    tail(lake, "a-2", "flows").write_bytes(b"")
    assert numbers(connection, lake) == [0, 1, 2, 3]
    assert snapshot(lake, ["flows"]).tails == {"flows": []}


def test_a_tail_that_went_meanwhile_was_sealed(connection: DuckDBPyConnection, lake: Path) -> None:
    tail(lake, "a-1", PLAIN).symlink_to("gone")  # it is there when names are read, and is not when it is opened
    found = snapshot(lake, [PLAIN])
    assert found.tails == {PLAIN: []}
    sealed_since = directory(lake, PLAIN, NOW)
    assert not sealed_since.exists()


def test_what_a_file_stands_for_does_not_count_while_that_file_is_there(
    connection: DuckDBPyConnection, lake: Path
) -> None:
    for number in range(3):
        sealed(connection, lake, f"a-{number}", number, 1)
    sealed(connection, lake, "m-1", 0, 2)
    where = lake / PLAIN / WHERE
    (where / ".m-1.replaces").write_text("a-0.parquet\na-1.parquet\n")
    assert numbers(connection, lake) == [0, 1, 2]
    assert [part.stem for part in counting(lake, where, NOW)] == ["a-2", "m-1"]
    (where / "m-1.parquet").unlink()
    assert [part.stem for part in counting(lake, where, NOW)] == ["a-0", "a-1", "a-2"]


def test_rows_that_are_in_a_tail_and_in_a_file_put_together_of_it_never_count_twice(
    connection: DuckDBPyConnection, lake: Path
) -> None:
    sealed(connection, lake, "m-1", 0, 2)
    (lake / PLAIN / WHERE / ".m-1.replaces").write_text("a-0.parquet\n")
    tail(lake, "a-0", PLAIN).write_bytes(framed(numbered(0, 2)))
    with pytest.raises(FleutanError, match="changes faster than it can be listed"):
        snapshot(lake, [PLAIN])
    tail(lake, "a-0", PLAIN).unlink()
    assert numbers(connection, lake) == [0, 1]


def test_a_directory_is_listed_with_sizes(tmp_path: Path) -> None:
    assert listed(tmp_path / "none") == {}
    (tmp_path / "a").write_bytes(b"12")
    assert listed(tmp_path) == {"a": 2}


@pytest.mark.parametrize("aside_ns", [-HOUR, HOUR])
def test_a_directory_is_listed_whatever_the_clock_was(tmp_path: Path, aside_ns: int) -> None:
    (tmp_path / "a").write_bytes(b"12")
    at = time.time_ns() + aside_ns
    os.utime(tmp_path, ns=(at, at))
    assert listed(tmp_path) == {"a": 2}


def test_a_directory_that_cannot_be_listed_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("gone")
    with pytest.raises(FleutanError, match="changes faster"):
        listed(tmp_path)


@contextmanager
def beside(*works: Callable[[], None]) -> Iterator[threading.Event]:
    """Other threads do something again and again, until the event is set or one of them fails."""
    over = threading.Event()
    failed: list[BaseException] = []

    def work(once: Callable[[], None]) -> None:
        while not over.is_set():
            try:
                once()
            except BaseException as error:
                failed.append(error)
                over.set()

    threads = [threading.Thread(target=work, args=(once,)) for once in works]
    for thread in threads:
        thread.start()
    try:
        yield over
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert failed == []


class Tailed:
    """Rows go into a tail, are sealed, and so on: ``known`` is how many a reader must find."""

    def __init__(self, lake: Path, every: int) -> None:
        self.lake, self._every = lake, every
        self.begun = self.known = self._stem = 0
        self.connection = connect(1, "64MB", lake)

    def __call__(self) -> None:
        self._stem += 1
        of = f"a-test-1-{self._stem:06d}"
        path = tail(self.lake, of, PLAIN)
        tables = []
        for _ in range(self._every):
            tables.append(numbered(self.begun, 2))
            self.begun += 2
            with open(path, "ab") as file:
                file.write(framed(tables[-1]))
            self.known += 2
        seal(self.connection, self.lake, of, KIND, [row for table in tables for row in rows_of(table)], Disk())


def test_every_row_counts_once_while_it_is_sealed_and_put_together(connection: DuckDBPyConnection, lake: Path) -> None:
    writing = Tailed(lake, 3)
    with connect(1, "64MB", lake) as other:
        compaction = Compaction(other, lake, "mine", Disk())

        def compact() -> None:
            compaction.once(time.time_ns())

        looks = 0
        ends = time.monotonic() + 2.5
        with beside(writing, compact) as over:
            while not over.is_set() and time.monotonic() < ends:
                known = writing.known
                found = numbers_of(connection, snapshot(lake, [PLAIN]))
                assert len(found) == len(set(found)), "rows count twice"
                assert found[:known] == list(range(known)), "rows are missing"
                assert found[-1:] <= [writing.begun]
                looks += 1
    assert looks > 5
    assert any("compact" in name for name in names(lake))
    assert in_tails(connection, snapshot(lake, [PLAIN]).tails[PLAIN], PLAIN) == []
    assert numbers(connection, lake) == list(range(writing.begun))


def test_a_directory_is_listed_as_it_was_at_a_moment_while_it_changes(tmp_path: Path) -> None:
    """Names come in pairs, the first of which is there longer: as a list is, beside the file it is about."""
    number = 0

    def change() -> None:
        nonlocal number
        number += 1
        for name in (f"{number}.list", f"{number}.file"):
            (tmp_path / name).touch()
        for name in (f"{number - 20}.file", f"{number - 20}.list"):
            (tmp_path / name).unlink(missing_ok=True)
        pause.wait(0.002)

    pause = threading.Event()
    with beside(change):
        for _ in range(300):
            found = listed(tmp_path)
            files = {name for name in found if name.endswith(".file")}
            assert {name.replace(".file", ".list") for name in files} <= found.keys()


def test_a_part_never_counts_whose_gate_was_there_before_it_and_is_still(lake: Path) -> None:
    where = directory(lake, PLAIN, NOW)
    where.mkdir(parents=True)
    number = 0

    def change() -> None:
        nonlocal number
        number += 1
        tail(lake, f"a-{number}", PLAIN).touch()
        (where / f"a-{number}.parquet").touch()
        pause.wait(0.003)

    pause = threading.Event()
    with beside(change) as over:
        while number < 300 and not over.is_set():
            assert counting(lake, where, NOW) == []
            assert snapshot(lake, [PLAIN]).parts == {PLAIN: []}
