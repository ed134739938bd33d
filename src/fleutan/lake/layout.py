# SPDX-License-Identifier: Apache-2.0
"""Where things stand in a lake: names of directories and files, both ways.

    KIND/date=YYYY-MM-DD/hour=HH/STEM.parquet    sealed: never changed, only replaced as a whole
    KIND/date=…/hour=…/.STEM.replaces            names of files that STEM.parquet stands for
    .open/STEM.KIND.arrow                        rows not sealed yet; parts called STEM do not count while it is there
    .open/STEM.KIND.arrow.new                    one that is being made: it is nothing yet
    .open/spill                                  what databases that write files have no memory for

A stem is NODE-NAME-START-NUMBER: who wrote it, since when (ns, hexadecimal), and which of its files.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

HOUR = 3_600_000_000_000
OPEN, SPILL = ".open", "spill"
PARQUET, TAIL, REPLACES, NEW = ".parquet", ".arrow", ".replaces", ".new"
_UNSAFE = re.compile("[^A-Za-z0-9]+")


def stem(node: str, name: str, start_ns: int, number: int) -> str:
    """What a writer calls its files of this number."""
    safe = _UNSAFE.sub("_", node)[:64] or "_"
    return f"{safe}-{_UNSAFE.sub('_', name)}-{start_ns:x}-{number:06d}"


def directory(root: Path, kind: str, hour_ns: int) -> Path:
    """Where rows of an hour (its beginning, ns) are."""
    at = datetime.fromtimestamp(hour_ns // 1_000_000_000, UTC)
    return root / kind / f"date={at:%Y-%m-%d}" / f"hour={at:%H}"


def hidden(root: Path, of: str, hour_ns: int, kind: str) -> Path:
    """The part of a stem and an hour while it is made: its name is this one's without the point."""
    return directory(root, kind, hour_ns) / f".{of}{PARQUET}"


@lru_cache(1 << 16)  # each kind has the same hours, and dates are slow to read
def hour_ns(date: str, hour: str) -> int | None:
    """The beginning of the hour that two names of directories mean; None where they mean none."""
    try:
        at = datetime.strptime(f"{date} {hour}", "date=%Y-%m-%d hour=%H").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp()) * 1_000_000_000


def tail(root: Path, of: str, kind: str) -> Path:
    """The file of rows that are not sealed yet."""
    return root / OPEN / f"{of}.{kind}{TAIL}"


def tail_names(name: str) -> tuple[str, str] | None:
    """Stem and kind of a tail by its file's name; None for another file."""
    if not name.endswith(TAIL) or "." not in name[: -len(TAIL)]:
        return None
    of, kind = name[: -len(TAIL)].rsplit(".", 1)
    return of, kind
