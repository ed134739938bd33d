# SPDX-License-Identifier: Apache-2.0
"""What is too old, or too much, goes: whole hours of a kind, the oldest first."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR, REPLACES
from fleutan.lake.listing import hours, listed

DAY = 24 * HOUR


@dataclass(frozen=True)
class Keep:
    """How long rows of a kind are kept, in ns, and how many octets of them; 0: without bound."""

    age_ns: int = 0
    octets: int = 0


#: What is kept unless somebody says otherwise: rows for a month, minutes for a quarter, hours for years.
DEFAULTS: Mapping[str, Keep] = {
    **dict.fromkeys(KINDS, Keep(30 * DAY, 50 << 30)),
    "minutes": Keep(92 * DAY, 10 << 30),
    "tops": Keep(92 * DAY, 10 << 30),
    "hours": Keep(5 * 366 * DAY, 10 << 30),
}


def expire(root: Path, keep: Mapping[str, Keep], now_ns: int, disk: Disk) -> int:
    """Takes away hours that are over and too old or too much; how many octets they had."""
    return sum(_expired(root, kind, bounds, now_ns, disk) for kind, bounds in keep.items())


def _expired(root: Path, kind: str, keep: Keep, now_ns: int, disk: Disk) -> int:
    gone = held = 0
    for where, hour in reversed(list(hours(root, kind))):
        size = _size(where)
        held += size
        is_old = keep.age_ns and hour + HOUR < now_ns - keep.age_ns
        is_much = keep.octets and held > keep.octets  # and all that is older: a small hour must not outlive a later one
        if (is_old or is_much) and hour + HOUR < now_ns:
            _take_away(where, listed(where), disk)
            gone += size
    return gone


def _size(where: Path) -> int:
    """The octets of an hour, about: of files that come and go meanwhile some."""
    size = 0
    with suppress(FileNotFoundError), os.scandir(where) as entries:
        for entry in entries:
            size += entry.stat().st_size
    return size


def _take_away(where: Path, names: Iterable[str], disk: Disk) -> None:
    """An hour goes; while it does, nothing counts twice: lists of replaced files outlive those files."""
    parts = [where / name for name in names if not name.startswith(".")]
    lists = [where / name for name in names if name.endswith(REPLACES)]
    disk.unlink(parts)
    disk.sync_names(where)
    disk.unlink(lists)
    with suppress(OSError):  # somebody writes there: what is hidden is not ours
        disk.prune(where)
        disk.prune(where.parent)
