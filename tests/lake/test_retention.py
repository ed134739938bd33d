# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from tests.lake.disks import FullDisk, TellingDisk
from tests.lake.rows import NOW, PLAIN, hour, names

from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR, directory
from fleutan.lake.listing import hours
from fleutan.lake.retention import DAY, DEFAULTS, Keep, expire


def kept(lake: Path, kind: str = PLAIN) -> list[int]:
    """Hours after NOW that are there."""
    return [(begins - NOW) // HOUR for _, begins in hours(lake, kind)]


def filled(lake: Path, sizes: dict[int, int], kind: str = PLAIN) -> None:
    """Hours after NOW, with a file of a size each."""
    for number, size in sizes.items():
        where = directory(lake, kind, hour(number))
        where.mkdir(parents=True, exist_ok=True)
        (where / "a-1.parquet").write_bytes(bytes(size))


def test_hours_that_are_too_old_go(lake: Path) -> None:
    filled(lake, {-30: 10, -3: 5, -2: 1, -1: 1, 0: 1})
    assert expire(lake, {PLAIN: Keep(age_ns=2 * HOUR)}, NOW + 1, Disk()) == 15
    assert kept(lake) == [-2, -1, 0]
    assert not (lake / PLAIN / "date=2027-01-14").exists()
    assert expire(lake, {PLAIN: Keep(age_ns=2 * HOUR)}, NOW + 1, Disk()) == 0


def test_of_what_is_too_much_the_oldest_hours_go(lake: Path) -> None:
    filled(lake, {-4: 1, -3: 50, -2: 50, -1: 50, 0: 10})
    assert expire(lake, {PLAIN: Keep(octets=120)}, NOW + 1, Disk()) == 51
    assert kept(lake) == [-2, -1, 0]


def test_an_hour_that_goes_on_stays_however_large_it_is(lake: Path) -> None:
    filled(lake, {-1: 1, 0: 1000, 1: 1000})
    assert expire(lake, {PLAIN: Keep(octets=10)}, NOW + 1, Disk()) == 1
    assert kept(lake) == [0, 1]


def test_what_is_bounded_by_nothing_stays(lake: Path) -> None:
    filled(lake, {-100_000: 1})
    assert expire(lake, {PLAIN: Keep(), "flows": Keep(1, 1)}, NOW, Disk()) == 0
    assert kept(lake) == [-100_000]


def test_every_kind_has_its_bounds() -> None:
    assert set(DEFAULTS) == set(KINDS)
    assert DEFAULTS["records"].age_ns < DEFAULTS["minutes"].age_ns < DEFAULTS["hours"].age_ns
    assert all(bounds.age_ns >= 30 * DAY and bounds.octets for bounds in DEFAULTS.values())


@pytest.mark.parametrize("stop", range(1, 5))
def test_while_an_hour_goes_nothing_counts_twice(lake: Path, stop: int) -> None:
    """A list goes after all that it names, and after their going has reached the disk."""
    filled(lake, {-5: 1})
    where = directory(lake, PLAIN, hour(-5))
    (where / "m-1.parquet").touch()
    (where / ".m-1.replaces").write_text("a-1.parquet\n")
    left = stop

    def tell(step: str, path: Path | None) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        expire(lake, {PLAIN: Keep(age_ns=1)}, NOW, TellingDisk(tell))
    there = names(lake)
    assert ".m-1.replaces" in there
    assert len(there) == max(1, 4 - stop)
    expire(lake, {PLAIN: Keep(age_ns=1)}, NOW, Disk())
    assert names(lake) == []


def test_what_another_process_writes_there_is_left_alone(lake: Path) -> None:
    filled(lake, {-5: 1})
    where = directory(lake, PLAIN, hour(-5))
    (where / ".b-1.parquet").touch()
    expire(lake, {PLAIN: Keep(age_ns=1)}, NOW, Disk())
    assert names(lake) == [".b-1.parquet"]


def test_a_directory_that_cannot_go_stays(lake: Path) -> None:
    filled(lake, {-5: 1})
    assert expire(lake, {PLAIN: Keep(age_ns=1)}, NOW, FullDisk("prune")) == 1
    assert kept(lake) == [-5]
    assert names(lake) == []
