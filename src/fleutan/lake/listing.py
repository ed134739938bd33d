# SPDX-License-Identifier: Apache-2.0
"""What is in a lake at one moment: the parts that count, and the tails.

Others write meanwhile.  Tails are read first, then parts are listed: those whose tail was read do not
count, nor do those whose gate is still there, nor those that another part stands for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from fleutan.errors import FleutanError
from fleutan.lake.layout import HOUR, OPEN, PARQUET, REPLACES, hour_ns, tail_names
from fleutan.lake.tail import Frame, frames

#: How often a listing begins anew before it is given up.
TRIES = 50
#: A directory that changed so little ago may change again without another time of change.
_GRAIN_NS = 20_000_000
#: Seconds by which it is waited longer for each listing that was in vain: to take hundreds of files away takes a while.
_PAUSE = 0.001
EVER = (-(1 << 62), 1 << 62)


@dataclass(frozen=True)
class Part:
    """A sealed file, and the beginning of the hour of its rows."""

    path: Path
    hour_ns: int
    size: int

    @property
    def stem(self) -> str:
        """Which file of which writer it is."""
        return self.path.name[: -len(PARQUET)]


@dataclass
class Snapshot:
    """Parts and tails by kind."""

    parts: dict[str, list[Part]] = field(default_factory=dict)
    tails: dict[str, list[Frame]] = field(default_factory=dict)


def snapshot(root: Path, kinds: Sequence[str], start_ns: int = EVER[0], end_ns: int = EVER[1]) -> Snapshot:
    """What counts of these kinds and of the hours that [start, end) touches.

    Tails are not bounded by time.  Raises FleutanError where there is no lake, and where it changes
    faster than it can be listed.
    """
    if not root.is_dir():
        raise FleutanError(f"there is no lake at {root}: 'fleutan collect' and 'fleutan record' make one")
    for _ in range(TRIES):
        tails, read = _tails(root, kinds)
        found = {kind: [_told(*hour) for hour in hours(root, kind, start_ns, end_ns)] for kind in kinds}
        if any(read & told.replaced for some in found.values() for told in some):
            continue  # rows that were read in a tail are in a file by now that was put together of parts of it
        closed = read | gates(root)
        parts = {
            kind: [part for told in some for part in told.parts if part.stem not in closed]
            for kind, some in found.items()
        }
        return Snapshot(parts, tails)
    raise FleutanError(f"the lake at {root} changes faster than it can be listed; try again")


def gates(root: Path) -> frozenset[str]:
    """The stems whose parts do not count (yet)."""
    names = (tail_names(name) for name in _names(root / OPEN))
    return frozenset(name[0] for name in names if name)


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _tails(root: Path, kinds: Sequence[str]) -> tuple[dict[str, list[Frame]], frozenset[str]]:
    """The rows of all tails of some kinds, and the stems of all tails that were there."""
    found: dict[str, list[Frame]] = {kind: [] for kind in kinds}
    there: set[str] = set()
    for name in sorted(_names(root / OPEN)):
        if names := tail_names(name):
            try:
                if names[1] in found:
                    found[names[1]] += frames((root / OPEN / name).read_bytes())
            except FileNotFoundError:
                continue  # sealed meanwhile: all of its parts count, and are listed after this
            there.add(names[0])
    return found, frozenset(there)


def hours(root: Path, kind: str, start_ns: int = EVER[0], end_ns: int = EVER[1]) -> Iterator[tuple[Path, int]]:
    """The directories of the hours that [start, end) touches, and their beginnings, in order of time."""
    for date in sorted(_names(root / kind)):
        day = hour_ns(date, "hour=00")
        if day is None or day >= end_ns or day + 24 * HOUR <= start_ns:
            continue
        for hour in sorted(_names(root / kind / date)):
            begins = hour_ns(date, hour)
            if begins is not None and begins < end_ns and begins + HOUR > start_ns:
                yield root / kind / date / hour, begins


class Told(NamedTuple):
    """Parts of an hour without those that others stand for, and the stems of those."""

    parts: list[Part]
    replaced: frozenset[str]


def counting(root: Path, where: Path, hour: int) -> list[Part]:
    """The parts of an hour that count at this moment."""
    parts = _told(where, hour).parts
    closed = gates(root)  # after them: a part that is there had its gate before
    return [part for part in parts if part.stem not in closed]


def _told(where: Path, hour: int) -> Told:
    """The parts of a directory; gates are not looked at."""
    files = listed(where)
    replaced: set[str] = set()
    for name in files:
        if name.endswith(REPLACES) and name[1 : -len(REPLACES)] + PARQUET in files:
            try:
                replaced.update((where / name).read_text().split())
            except FileNotFoundError:
                return _told(where, hour)
    parts = [
        Part(where / name, hour, size)
        for name, size in sorted(files.items())
        if name.endswith(PARQUET) and not name.startswith(".") and name not in replaced
    ]
    return Told(parts, frozenset(name.removesuffix(PARQUET) for name in replaced))


def listed(directory: Path) -> dict[str, int]:
    """Names and sizes of a directory's files as they were at one moment; empty where there is none."""
    for attempt in range(TRIES):
        time.sleep(attempt * _PAUSE)
        try:
            before, now = os.stat(directory).st_mtime_ns, time.time_ns()
            found = _files(directory)
            # What changed since it was begun shows in the time of change, or in that another list differs: names never
            # come back.  Clocks may go wrong; lists alone would do, but two cost twice.
            if before == os.stat(directory).st_mtime_ns and now - before > _GRAIN_NS:
                return found
            if _files(directory).keys() == found.keys():
                return found
        except FileNotFoundError:
            if not directory.exists():
                return {}
    raise FleutanError(f"{directory} changes faster than it can be listed; try again")


def _files(directory: Path) -> dict[str, int]:
    with os.scandir(directory) as entries:
        return {entry.name: entry.stat().st_size for entry in entries}
