# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lake.disks import FullDisk
from tests.lake.rows import NOW, PLAIN, hour, numbered, numbers, rows_of, until

from fleutan.lake.compaction import SETTLED
from fleutan.lake.disk import Disk
from fleutan.lake.keeper import LOCK, Keeper
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR, OPEN, tail
from fleutan.lake.listing import snapshot
from fleutan.lake.retention import Keep
from fleutan.lake.sealing import seal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AFTER = NOW + HOUR + SETTLED + 1


@pytest.fixture
def filled(connection: DuckDBPyConnection, lake: Path) -> Path:
    """Two files of the hour at NOW, and one of long ago."""
    for number, at_ns in enumerate((NOW, NOW, hour(-500))):
        tail(lake, f"a-{number}", PLAIN).touch()
        seal(connection, lake, f"a-{number}", KINDS[PLAIN], rows_of(numbered(number, 1, PLAIN, at_ns)), Disk())
    return lake


def stems(lake: Path) -> list[str]:
    return [part.stem for part in snapshot(lake, [PLAIN]).parts[PLAIN]]


def test_a_round_puts_files_together_and_takes_away_what_is_too_old(
    connection: DuckDBPyConnection, filled: Path
) -> None:
    assert Keeper(filled, "mine", {PLAIN: Keep(age_ns=HOUR)}, now=lambda: AFTER).once()
    assert stems(filled) == [f"mine-compact-{AFTER:x}-000001"]
    assert numbers(connection, filled) == [0, 1]


@pytest.mark.usefixtures("closed")
def test_one_process_does_it_at_a_time(filled: Path) -> None:
    descriptor = os.open(filled / OPEN / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert not Keeper(filled, "mine", now=lambda: AFTER).once()
        assert len(stems(filled)) == 3
    finally:
        os.close(descriptor)
    assert Keeper(filled, "mine", now=lambda: AFTER).once()
    assert len(stems(filled)) == 1 + 1


def test_rounds_go_on_beside_what_is_done_and_say_what_is_the_matter(
    connection: DuckDBPyConnection, filled: Path
) -> None:
    disk = FullDisk("fill")
    with Keeper(filled, "mine", {}, every=0.001, now=lambda: AFTER, disk=disk) as keeper:
        until(lambda: keeper.trouble)
        assert keeper.trouble == "the lake is not kept in order: [Errno 28] No space left on device"
        assert len(stems(filled)) == 3
        disk.refused.clear()
        until(lambda: not keeper.trouble)
    assert len(stems(filled)) == 2
    assert numbers(connection, filled) == [0, 1, 2]


def test_an_error_without_words_is_called_by_its_name(lake: Path) -> None:
    def now() -> int:
        raise MemoryError

    with Keeper(lake, "mine", every=0.001, now=now) as keeper:
        until(lambda: keeper.trouble)
    assert keeper.trouble == "the lake is not kept in order: MemoryError"
