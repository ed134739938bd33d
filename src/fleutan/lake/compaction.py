# SPDX-License-Identifier: Apache-2.0
"""Many small files of an hour become one, while others read and write.

The new file counts from the moment it has its name; a list beside it says which files it stands
for, and those go some time later, when nobody who listed them reads them any more.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleutan.lake import rollups
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS, Kind
from fleutan.lake.layout import HOUR, OPEN, PARQUET, REPLACES, directory, stem
from fleutan.lake.layout import hidden as hidden_path
from fleutan.lake.listing import Part, counting, hours, listed
from fleutan.lake.sealing import hidden, placed
from fleutan.lake.storage import files_of, selected

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: How long after an hour's end its files are left alone, and replaced files stay, in ns.
SETTLED, GRACE = 600_000_000_000, 120_000_000_000
#: Files of an hour that is not over are put together when they are so many.
MANY = 12
#: Files that are not worth sums of their own, in octets.
WORTH = 1 << 20
#: What is made of others here, and whose sums are.
MADE_HERE = ("tops", "ends")
ROLLED = tuple(kind.name for kind in KINDS.values() if kind.rolled)
#: So many files are put together at most, and none that is so large already.
MOST, LARGE = 256, 1 << 30


class Compaction:
    """Puts files together in one lake, as its only process that does."""

    def __init__(self, connection: DuckDBPyConnection, root: Path, node: str, disk: Disk, worth: int = WORTH) -> None:
        self._connection, self._root, self._node, self._disk = connection, root, node, disk
        self._number, self._worth = 0, worth

    def once(self, now_ns: int) -> int:
        """One round through all kinds and hours; how many files were put together.

        Raises what went wrong in an hour when all others are done.
        """
        files = 0
        wrong: list[Exception] = []
        for kind in KINDS.values():
            for where, hour in hours(self._root, kind.name):
                try:
                    files += self._hour(kind, where, hour, now_ns)
                except Exception as error:  # one broken file must not keep a lake from being put in order
                    wrong.append(error)
        self._forget()
        if wrong:
            raise wrong[0]
        return files

    def _hour(self, kind: Kind, where: Path, hour: int, now_ns: int) -> int:
        """What is to be done in an hour; most hours are one file, of which nothing but its name is looked at."""
        files = listed(where)
        if hidden_files := [name for name in files if name.startswith(".")]:
            self._clear(where, hidden_files, files, now_ns, kind.name in MADE_HERE)
        if kind.name in MADE_HERE:
            return 0
        parts = self._due(where, hour, now_ns) if len(files) > 1 else []
        if parts:
            self._merge(kind, where, hour, parts, now_ns)
            files = listed(where)
        if kind.rolled and hour + HOUR + SETTLED < now_ns and max(files.values(), default=0) >= self._worth:
            self._digest(kind, where, hour)
        return len(parts)

    def _due(self, where: Path, hour: int, now_ns: int) -> list[Part]:
        """The files of an hour that should be one; empty where that is not worth it."""
        parts = [part for part in counting(self._root, where, hour) if part.size < LARGE][:MOST]
        is_over = hour + HOUR + SETTLED < now_ns
        return parts if len(parts) > 1 and (is_over or len(parts) >= MANY) else []

    def _merge(self, kind: Kind, where: Path, hour: int, parts: Sequence[Part], now_ns: int) -> None:
        self._number += 1
        of = stem(self._node, "compact", now_ns, self._number)
        path = self._hidden(kind, merged(kind, [part.path for part in parts]), of, hour)
        beside = where / f".{of}{REPLACES}"
        # What a part stands for, this one does too: that one may go before what it stands for is gone.
        further = [name for part in parts for name in _replaced(where / f".{part.stem}{REPLACES}")]
        self._disk.write(beside, "".join(f"{name}\n" for name in [part.path.name for part in parts] + further).encode())
        self._disk.sync_names(where)  # a file without its list would count twice
        self._disk.sync_names(self._root / OPEN)  # so would one of parts whose gate comes back
        placed([path], self._disk)
        if kind.rolled:
            self._tops(kind, where, hour)

    def _tops(self, kind: Kind, where: Path, hour: int) -> None:
        """The addresses and ports with most bytes of each minute, of all that the hour has by now."""
        files = [part.path for part in counting(self._root, where, hour)]
        summed = rollups.query("tops", kind.name, files_of(kind, files))
        placed(
            [self._hidden(KINDS["tops"], self._whole("tops", summed), f"tops-{kind.name}-0-000000", hour)], self._disk
        )

    def _digest(self, kind: Kind, where: Path, hour: int) -> None:
        """Sums by address and port of the files that have none yet, each in a file of the same name."""
        there = listed(directory(self._root, "ends", hour))
        for part in counting(self._root, where, hour):
            if part.path.name in there or part.size < self._worth:
                continue
            summed = rollups.digest(kind.name, files_of(kind, [part.path]), hour)
            placed([self._hidden(KINDS["ends"], self._whole("ends", summed), part.stem, hour)], self._disk)

    def _whole(self, name: str, query: str) -> str:
        """The rows of a query with every column of the kind."""
        columns = {column: f'"{column}"' for column in self._connection.sql(query).columns}
        return f"SELECT {selected(KINDS[name], columns)} FROM ({query})"

    def _hidden(self, kind: Kind, query: str, of: str, hour: int) -> Path:
        return hidden(self._connection, query, hidden_path(self._root, of, hour, kind.name), self._disk)

    def _forget(self) -> None:
        """Takes away sums of files that are no more."""
        for where, hour in hours(self._root, "ends"):
            there = {name for kind in ROLLED for name in listed(directory(self._root, kind, hour))}
            self._disk.unlink(where / name for name in listed(where) if name.removeprefix(".") not in there)

    def _clear(
        self, where: Path, hidden_files: Iterable[str], files: Container[str], now_ns: int, is_ours: bool
    ) -> None:
        """Takes away files that another stands for since long ago, and what a dead compaction left hidden."""
        for name in hidden_files:
            if not _is_old(where / name, now_ns):
                continue
            if name.endswith(REPLACES):
                if name[1 : -len(REPLACES)] + PARQUET in files:
                    self._disk.unlink(where / each for each in _replaced(where / name))
                    self._disk.sync_names(where)
                self._disk.unlink([where / name])
            elif is_ours or name[1:].split("-")[1:2] == ["compact"]:
                self._disk.unlink([where / name])


def _replaced(beside: Path) -> list[str]:
    """The names in a list; none where there is no list."""
    try:
        return beside.read_text().split()
    except FileNotFoundError:
        return []


def _is_old(path: Path, now_ns: int) -> bool:
    try:
        return now_ns - path.stat().st_mtime_ns > GRACE
    except FileNotFoundError:
        return False


def merged(kind: Kind, paths: Sequence[Path]) -> str:
    """The query of all rows of these files; of rollups their sums."""
    if kind.name not in ("minutes", "hours"):
        return f"SELECT * FROM {files_of(kind, paths)}"
    keys = ", ".join(f'"{name}"' for name, _ in kind.columns if name not in rollups.SUMS)
    sums = ", ".join(f'TRY_CAST(sum("{name}") AS BIGINT) AS "{name}"' for name in rollups.SUMS)
    return f"SELECT {keys}, {sums} FROM {files_of(kind, paths)} GROUP BY ALL ORDER BY time_ns"
