# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.lake.disks import FullDisk, TellingDisk
from tests.lake.rows import NOW, PLAIN, ROLLED, framed, in_files, in_tails, names, numbered, numbers, sums, until

from fleutan.column import Column
from fleutan.errors import FleutanError
from fleutan.lake.apart import Apart
from fleutan.lake.layout import OPEN, tail
from fleutan.lake.listing import snapshot
from fleutan.lake.writer import Account, Limits, Writer
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

pytestmark = pytest.mark.usefixtures("closed")

SECOND = 1_000_000_000
#: Nothing is done before it is said that it is time.
SLOW = Limits(flush_ns=5 * SECOND, seal_ns=60 * SECOND)


def writer(lake: Path, limits: Limits = SLOW, **more: FullDisk | TellingDisk | Apart) -> Writer:
    return Writer(lake, "test", limits, "mine", **more)  # type: ignore[arg-type]


def tails(lake: Path) -> list[str]:
    return sorted(name for name in os.listdir(lake / OPEN) if name.endswith(".arrow"))


def test_few_rows_go_into_a_tail_and_are_sealed_later(connection: DuckDBPyConnection, lake: Path) -> None:
    with writer(lake) as one:
        one.tick(NOW)
        one.add(numbered(0, 3))
        one.tick(NOW + 5 * SECOND)
        until(lambda: one.account().flushed == 3)
        assert one.account() == Account(rows=3, flushed=3)
        assert in_tails(connection, snapshot(lake, [PLAIN]).tails[PLAIN], PLAIN) == [0, 1, 2]
        # No rows come any more: it is sealed nevertheless.
        one.tick(NOW + 10 * SECOND)
        one.tick(NOW + 70 * SECOND)
        until(lambda: one.account().sealed == 3)
        assert tails(lake) == []
        assert in_files(connection, snapshot(lake, [PLAIN]), PLAIN) == [0, 1, 2]
    assert one.account() == Account(rows=3, flushed=3, sealed=3)


def test_many_rows_are_sealed_at_once_before_anybody_says_the_time(connection: DuckDBPyConnection, lake: Path) -> None:
    with writer(lake, Limits(many=10)) as one:
        for first in (0, 5):
            one.add(numbered(first, 5, ROLLED))
        until(lambda: one.account().sealed == 10)
        assert numbers(connection, lake, ROLLED) == list(range(10))
        assert sums(connection, lake, "hours") == (10, 10, 45)
        assert tails(lake) == []


def test_a_large_tail_is_sealed(connection: DuckDBPyConnection, lake: Path) -> None:
    with writer(lake, Limits(flush_ns=0, tail_octets=200), disk=(disk := FullDisk())) as one:
        one.add(numbered(0, 5))  # less than that in memory, more with what a frame says of itself
        one.tick(NOW)
        until(lambda: one.account().sealed == 5)
        assert disk.told.count("append") == 1
    assert numbers(connection, lake) == list(range(5))


def test_what_would_fill_a_tail_is_sealed_at_once(connection: DuckDBPyConnection, lake: Path) -> None:
    with writer(lake, Limits(flush_ns=0, tail_octets=8), disk=(disk := FullDisk())) as one:
        one.add(numbered(0, 5))
        one.tick(NOW)
        until(lambda: one.account().sealed == 5)
        assert "append" not in disk.told
    assert numbers(connection, lake) == list(range(5))


def test_all_is_sealed_at_the_end(connection: DuckDBPyConnection, lake: Path) -> None:
    with writer(lake) as one:
        one.add(numbered(0, 5))
        one.add(Table("flows", {"time": Column(np.array([NOW]))}))
        one.add(Table("flows", {}))
    assert one.account() == Account(rows=6, flushed=6, sealed=6)
    assert numbers(connection, lake) == list(range(5))
    assert os.listdir(lake / OPEN) == []


def test_a_lake_is_made_where_there_is_none(tmp_path: Path) -> None:
    with writer(tmp_path / "new" / "lake"):
        pass
    assert (tmp_path / "new" / "lake" / OPEN).is_dir()


def test_a_lake_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FleutanError, match=r"cannot make a lake at .*/file/lake: Not a directory; name another place"):
        writer(tmp_path / "file" / "lake").__enter__()


def test_the_node_is_the_hosts_name(connection: DuckDBPyConnection, lake: Path) -> None:
    with Writer(lake, "test") as one:
        one.add(numbered(0, 1))
    assert names(lake)[0].split("-")[0].startswith(os.uname().nodename[:1])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (Table("nothing", {}), "a lake keeps no tables of kind nothing"),
        (Table("flows", {"ttl": Column(np.array([1]))}), "has no ttl"),
        (Table("flows", {"mss": Column(np.array([1]))}), "must say the time"),
    ],
)
def test_what_no_lake_keeps_is_refused(lake: Path, table: Table, message: str) -> None:
    with writer(lake) as one, pytest.raises(ValueError, match=message):
        one.add(table)
    assert one.account() == Account()


def test_what_dead_processes_left_is_sealed(connection: DuckDBPyConnection, lake: Path) -> None:
    tail(lake, "dead-test-1-000001", PLAIN).write_bytes(framed(numbered(0, 3)))
    with writer(lake):
        assert in_files(connection, snapshot(lake, [PLAIN]), PLAIN) == [0, 1, 2]


def test_what_was_left_and_cannot_be_sealed_now_is_sealed_when_there_is_room(
    connection: DuckDBPyConnection, lake: Path
) -> None:
    tail(lake, "dead-test-1-000001", PLAIN).write_bytes(framed(numbered(0, 3)))
    disk = FullDisk("fill")
    with writer(lake, disk=disk) as one:
        assert one.account().trouble == f"what was left cannot be sealed in {lake}: No space left on device"
        assert numbers(connection, lake) == [0, 1, 2]
        one.tick(NOW)
        until(lambda: disk.told.count("fill") == 2)
        one.tick(NOW + 4 * SECOND)
        disk.refused.clear()
        one.tick(NOW + 5 * SECOND)
        until(lambda: not one.account().trouble)
    assert in_files(connection, snapshot(lake, [PLAIN]), PLAIN) == [0, 1, 2]
    assert one.account() == Account()


def test_what_cannot_be_written_waits_and_is_said_and_written_later(connection: DuckDBPyConnection, lake: Path) -> None:
    disk = FullDisk("append")
    with writer(lake, Limits(flush_ns=0), disk=disk) as one:
        one.add(numbered(0, 3))
        one.tick(NOW)
        until(lambda: one.account().trouble)
        assert one.account().trouble == f"{PLAIN} cannot be written to {lake}: No space left on device"
        assert one.account().rows == 3
        one.add(numbered(3, 3))
        one.tick(NOW + 1)
        until(lambda: disk.told.count("append") == 2)
        with pytest.raises(FleutanError, match="No space left on device"):
            one.settled(0, 0.0)
        disk.refused.clear()
        one.tick(NOW + 2)
        assert one.settled(0, 30.0)
        until(lambda: one.account() == Account(rows=6, flushed=6))
        assert numbers(connection, lake) == list(range(6))


def test_many_rows_that_cannot_be_sealed_leave_nothing_and_are_sealed_later(
    connection: DuckDBPyConnection, lake: Path
) -> None:
    disk = FullDisk()
    with writer(lake, Limits(many=3), disk=disk) as one:
        for number, refused in enumerate(("create", "rename", "fill", "sync")):
            disk.refused = {refused}
            disk.told.clear()
            one.add(numbered(3 * number, 3))
            one.tick(NOW + number)
            until(lambda: refused in disk.told)  # noqa: B023
            until(lambda: tails(lake) == names(lake) == [])
            assert one.account().trouble
            assert numbers(connection, lake) == []
        disk.refused = set()
        one.tick(NOW + 9)
        until(lambda: one.account().sealed == 12)
    assert numbers(connection, lake) == list(range(12))
    assert one.account() == Account(rows=12, flushed=12, sealed=12)


def test_where_the_disk_says_no_it_is_not_asked_again_at_every_batch(lake: Path) -> None:
    disk = FullDisk("create")
    with writer(lake, Limits(many=3), disk=disk) as one:
        one.add(numbered(0, 3))
        until(lambda: one.account().trouble)
        for number in range(50):
            one.add(numbered(number, 3))
        one.tick(NOW)
        until(lambda: disk.told.count("create") == 2)
    assert disk.told.count("create") == 3
    assert one.account().lost == 51 * 3


def test_the_oldest_rows_are_lost_and_counted_where_too_many_wait(connection: DuckDBPyConnection, lake: Path) -> None:
    disk = FullDisk("append")
    with writer(lake, Limits(flush_ns=0, waiting_octets=5000), disk=disk) as one:
        one.add(numbered(0, 10))
        one.tick(NOW)
        until(lambda: one.account().trouble)
        for first in range(10, 1000, 10):
            one.add(numbered(first, 10))
        account = one.account()
        assert 0 < account.lost < 1000
        assert account.waiting_octets <= 5000
        disk.refused.clear()
        one.tick(NOW + 1000)
        assert one.settled(0, 30.0)
    assert one.account() == Account(
        rows=1000, flushed=1000 - account.lost, sealed=1000 - account.lost, lost=account.lost
    )
    assert numbers(connection, lake) == list(range(account.lost, 1000))


def test_what_cannot_be_written_at_the_end_is_lost_and_counted(lake: Path) -> None:
    with writer(lake, disk=FullDisk("append")) as one:
        one.add(numbered(0, 3))
    assert one.account() == Account(
        rows=3, lost=3, trouble=f"{PLAIN} cannot be written to {lake}: No space left on device"
    )


def test_a_tail_that_cannot_be_sealed_stays_and_counts_and_is_the_next_writers(
    connection: DuckDBPyConnection, lake: Path
) -> None:
    disk = FullDisk("fill")
    with writer(lake, Limits(flush_ns=0, seal_ns=0), disk=disk) as one:
        one.add(numbered(0, 3))
        one.tick(NOW)
        until(lambda: one.account().trouble)
        assert one.account().trouble == f"{PLAIN} cannot be sealed in {lake}: No space left on device"
        one.add(numbered(3, 3))
        one.tick(NOW + 1)
        until(lambda: one.account().flushed == 6)
        # That rows can be written does not mean that they can be sealed.
        assert one.account().trouble
    assert numbers(connection, lake) == list(range(6))
    assert one.account().sealed == 0
    with writer(lake):
        assert tails(lake) == []
    assert numbers(connection, lake) == list(range(6))


def test_a_clock_that_is_set_back_holds_nothing_up(lake: Path) -> None:
    with writer(lake) as one:
        one.tick(NOW)
        one.add(numbered(0, 3))
        one.tick(NOW - 3600 * SECOND)
        one.tick(NOW - 3595 * SECOND)
        until(lambda: one.account().flushed == 3)
        one.tick(NOW - 7200 * SECOND)
        until(lambda: one._is_ticked is False)
        one.tick(NOW - 7140 * SECOND)
        until(lambda: one.account().sealed == 3)


def test_rows_of_a_tail_that_is_damaged_are_lost_and_counted(connection: DuckDBPyConnection, lake: Path) -> None:
    with writer(lake, Limits(flush_ns=0)) as one:
        for first in (0, 3):
            one.add(numbered(first, 3))
            one.tick(NOW)
            until(lambda: one.account().waiting_octets == 0)
        (name,) = tails(lake)
        with open(lake / OPEN / name, "r+b") as file:
            file.seek(-20, os.SEEK_END)
            file.write(b"broken")
    account = one.account()
    assert account.sealed + account.lost == account.flushed == 6
    assert numbers(connection, lake) == list(range(account.sealed))
    assert account.sealed in (0, 3)


def test_what_is_torn_is_cut_off_before_rows_are_sealed_elsewhere(connection: DuckDBPyConnection, lake: Path) -> None:
    disk = FullDisk()
    with writer(lake, Limits(flush_ns=0, many=10), disk=disk) as one:
        one.add(numbered(0, 3))
        one.tick(NOW)
        until(lambda: one.account().flushed == 3)
        disk.refused = {"append", "cut"}
        one.add(numbered(3, 3))
        one.tick(NOW)
        until(lambda: one.account().trouble)
        disk.refused = {"cut"}
        one.add(numbered(6, 7))
        one.tick(NOW)
        until(lambda: disk.told.count("cut") >= 2)
        assert one.account().flushed == 3
        disk.refused = set()
        one.tick(NOW)
        until(lambda: one.account().sealed == 10)
        assert numbers(connection, lake) == list(range(13))


def test_a_process_apart_seals_what_is_no_longer_held(connection: DuckDBPyConnection, lake: Path) -> None:
    apart = Apart(lake, "mine")
    with writer(lake, Limits(flush_ns=0, seal_ns=SECOND, many=2), apart=apart) as one:
        one.add(numbered(0, 3))
        one.tick(NOW)
        until(lambda: one.account().flushed == 3)
        assert one.account().sealed == 0
        one.tick(NOW + SECOND)
        until(lambda: one.account().sealed == 3)
        one.add(numbered(3, 3))
        assert numbers(connection, lake)[:3] == [0, 1, 2]
    assert one.account() == Account(rows=6, flushed=6, sealed=6)
    assert in_files(connection, snapshot(lake, [PLAIN]), PLAIN) == list(range(6))
    apart.trouble = "nothing is sealed: why"
    assert one.account().trouble == "nothing is sealed: why"


def test_what_is_written_can_be_read_by_its_owners_group_and_others_and_written_by_it_alone(lake: Path) -> None:
    with writer(lake) as one:
        one.add(numbered(0, 1))
    (path,) = lake.glob(f"{PLAIN}/*/*/*.parquet")
    assert not stat.S_IMODE(path.stat().st_mode) & 0o022


def test_it_settles_in_time_or_not(lake: Path) -> None:
    with writer(lake) as one:
        assert one.settled(0, 0.0)
        one.add(numbered(0, 3))
        assert not one.settled(0, 0.0)
        assert one.settled(1 << 20, 0.0)
