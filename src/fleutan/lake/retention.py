# SPDX-License-Identifier: Apache-2.0
"""What is too old, or too much, goes: whole hours of a kind, the oldest first."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR
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
        files = listed(where)
        size = sum(files.values())
        is_old = keep.age_ns and hour + HOUR < now_ns - keep.age_ns
        is_much = keep.octets and held + size > keep.octets and hour + HOUR < now_ns
        if not (is_old or is_much):
            held += size
            continue
        disk.unlink(where / name for name in files)
        with suppress(OSError):  # somebody writes there
            where.rmdir()
            where.parent.rmdir()
        gone += size
    return gone
