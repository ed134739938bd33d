# SPDX-License-Identifier: Apache-2.0
"""A disk that is really full: a small file system in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lake.rows import PLAIN, ROLLED, in_files, in_tails, numbered, numbers, sums, until

from fleutan.lake.listing import snapshot
from fleutan.lake.writer import Limits, Writer

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SIZE = 1 << 20
SECOND = 1_000_000_000


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory of a disk of one megabyte."""
    where = tmp_path / "small"
    where.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(where)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted (CAP_SYS_ADMIN): {mounted.stderr.decode().strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def filled(where: Path) -> Path:
    """Takes all room that is left."""
    path = where / "ballast"
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


@pytest.mark.parametrize(("kind", "many"), [(PLAIN, 1 << 30), (ROLLED, 1 << 30), (PLAIN, 50)])
def test_a_writer_goes_on_within_its_bound_and_recovers(
    connection: DuckDBPyConnection, small: Path, kind: str, many: int
) -> None:
    lake = small / "lake"
    limits = Limits(flush_ns=0, seal_ns=60 * SECOND, many=many, waiting_octets=40_000)
    with Writer(lake, "test", limits, "mine") as writer:
        writer.add(numbered(0, 100, kind))
        writer.tick(1)
        until(lambda: writer.account().flushed == 100)
        ballast = filled(small)
        writer.add(numbered(100, 100, kind))
        writer.tick(2)
        until(lambda: writer.account().trouble)
        assert writer.account().trouble.startswith(f"{kind} cannot be written to {lake}: ")
        for first in range(200, 10_000, 100):
            writer.add(numbered(first, 100, kind))
            assert writer.account().waiting_octets <= limits.waiting_octets + 3000
            writer.tick(first)
        assert numbers(connection, lake, kind)[:100] == list(range(100))
        account = writer.account()
        assert account.trouble
        assert account.lost > 5000
        ballast.unlink()
        writer.tick(10_000)
        assert writer.settled(0, 30.0)
        until(lambda: not writer.account().trouble)
        writer.add(numbered(10_000, 100, kind))
    account = writer.account()
    assert account.rows == 10_100 == account.flushed + account.lost
    assert (account.sealed, account.trouble) == (account.flushed, "")
    found = in_files(connection, snapshot(lake, [kind]), kind)
    assert len(found) == len(set(found)) == account.sealed
    assert set(found) >= {*range(100), *range(10_000, 10_100)}
    if kind == ROLLED:
        assert sums(connection, lake, "minutes")[::2] == (len(found), sum(found))


def test_a_tail_that_cannot_be_sealed_counts_until_it_can(connection: DuckDBPyConnection, small: Path) -> None:
    lake = small / "lake"
    with Writer(lake, "test", Limits(flush_ns=0, seal_ns=10), "mine") as writer:
        writer.add(numbered(0, 100, ROLLED))
        writer.tick(1)
        until(lambda: writer.account().flushed == 100)
        ballast = filled(small)
        for now in (11, 12, 13):
            writer.tick(now)
            until(lambda: writer.account().trouble)
        assert writer.account().trouble.startswith(f"{ROLLED} cannot be sealed in {lake}: ")
        assert in_tails(connection, snapshot(lake, [ROLLED]).tails[ROLLED], ROLLED) == list(range(100))
        ballast.unlink()
        writer.tick(14)
        until(lambda: writer.account().sealed == 100)
        assert not writer.account().trouble
    assert in_files(connection, snapshot(lake, [ROLLED]), ROLLED) == list(range(100))


def test_a_writer_can_begin_where_the_disk_is_full(connection: DuckDBPyConnection, small: Path) -> None:
    lake = small / "lake"
    with Writer(lake, "dead", Limits(flush_ns=0), "mine") as writer:
        writer.add(numbered(0, 100))
        writer.tick(1)
        until(lambda: writer.account().flushed == 100)
        ballast = filled(small)
    assert writer.account().sealed == 0
    with Writer(lake, "test", Limits(flush_ns=5), "mine") as writer:
        assert writer.account().trouble.startswith("what was left cannot be sealed in ")
        writer.add(numbered(100, 100))
        assert numbers(connection, lake) == list(range(100))
        ballast.unlink()
        writer.tick(10)
        until(lambda: not writer.account().trouble)
    assert in_files(connection, snapshot(lake, [PLAIN]), PLAIN) == list(range(200))
