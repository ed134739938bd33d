# SPDX-License-Identifier: Apache-2.0
"""What is in a lake at one moment: the parts that count, and the tails.

Others write meanwhile.  A directory is listed again until nothing changed while it was listed;
parts whose gate is there do not count, nor do those that another part stands for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleutan.errors import FleutanError
from fleutan.lake.layout import HOUR, OPEN, PARQUET, REPLACES, hour_ns, tail_names
from fleutan.lake.tail import Frame, frames

#: How often a listing begins anew before it is given up.
TRIES = 50
#: A directory that changed so little ago may change again without another time of change.
_GRAIN_NS = 20_000_000
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
        closed = gates(root)
        found = Snapshot({kind: _counting(root, kind, start_ns, end_ns, closed) for kind in kinds})
        found.tails = {kind: _tail_frames(root, kind) for kind in kinds}
        if gates(root) == closed:
            return found
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


def _tail_frames(root: Path, kind: str) -> list[Frame]:
    found: list[Frame] = []
    for name in sorted(_names(root / OPEN)):
        if (names := tail_names(name)) and names[1] == kind:
            try:
                found += frames((root / OPEN / name).read_bytes())
            except FileNotFoundError:
                continue  # sealed meanwhile: the gates differ, and all is listed again
    return found


def _counting(root: Path, kind: str, start_ns: int, end_ns: int, closed: frozenset[str]) -> list[Part]:
    found: list[Part] = []
    for where, hour in hours(root, kind, start_ns, end_ns):
        found += [part for part in counting(where, hour) if part.stem not in closed]
    return found


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


def counting(directory: Path, hour: int) -> list[Part]:
    """The parts of a directory, without those that others stand for; gates are not looked at."""
    files = listed(directory)
    replaced: set[str] = set()
    for name in files:
        if name.endswith(REPLACES) and name[1 : -len(REPLACES)] + PARQUET in files:
            try:
                replaced.update((directory / name).read_text().split())
            except FileNotFoundError:
                return counting(directory, hour)
    return [
        Part(directory / name, hour, size)
        for name, size in sorted(files.items())
        if name.endswith(PARQUET) and not name.startswith(".") and name not in replaced
    ]


def listed(directory: Path) -> dict[str, int]:
    """Names and sizes of a directory's files as they were at one moment; empty where there is none."""
    for _ in range(TRIES):
        try:
            before = os.stat(directory).st_mtime_ns
            with os.scandir(directory) as entries:
                found = {entry.name: entry.stat().st_size for entry in entries}
            after = os.stat(directory).st_mtime_ns
        except FileNotFoundError:
            if not directory.exists():
                return {}
            continue
        if before == after and time.time_ns() - after > _GRAIN_NS:
            return found
        time.sleep(_GRAIN_NS / 1e9)
    raise FleutanError(f"{directory} changes faster than it can be listed; try again")
