# SPDX-License-Identifier: Apache-2.0
"""Rows become Parquet: by the hour of their time, with their rollups, all at once or not at all.

A stem's gate (its tail, perhaps empty) stands in ``.open`` while its parts are made; readers do not
count parts whose gate is there.  Taking the gate away is what makes them count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from nanoarrow.c_array_stream import CArrayStream
from numpy.typing import NDArray

from fleutan.lake import rollups
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS, SCHEMA, Kind
from fleutan.lake.layout import HOUR, OPEN, PARQUET, directory, hour_of, tail
from fleutan.lake.storage import selected

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: What every file is written with: the second version's encodings are read in 0.6 of the time.
OPTIONS = f"FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, KV_METADATA {{fleutan_schema: '{SCHEMA}'}}"

#: Of files that are soon put together: a dictionary of many words is tried in vain, and costs a quarter of the time.
FRESH = f"{OPTIONS}, DICTIONARY_SIZE_LIMIT 1000"

#: The relation of rows to seal, and that of the sums made last.
_WHOLE, _SUMMED = "whole", "summed"
#: Rows to seal: an Arrow array, and what is the same in all of them (SQL by name).
Rows = tuple[Any, dict[str, str]]


class Stream:
    """Offers arrays of one schema as the Arrow stream that DuckDB reads."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self._arrays = arrays

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        stream = CArrayStream.from_c_arrays(list(self._arrays), self._arrays[0].schema)
        return stream.__arrow_c_stream__(requested_schema)


def connect(threads: int, memory: str) -> DuckDBPyConnection:
    """A database that has nothing of its own and writes files."""
    import duckdb

    return duckdb.connect(config={"threads": threads, "memory_limit": memory, "preserve_insertion_order": True})


def seal(connection: DuckDBPyConnection, root: Path, of: str, kind: Kind, rows: Sequence[Rows], disk: Disk) -> int:
    """Writes the rows' parts, makes them count, and says how many rows there were; the gate must be there."""
    hours = _hours(rows)
    with _offered(connection, kind, rows):
        listed = _listed(kind, rows)
        parts = [part for hour in hours for part in _written(connection, root, of, kind, hour, len(hours) == 1, listed)]
    placed(parts, disk)
    disk.unlink([tail(root, of, kind.name)])
    disk.sync_names(root / OPEN)
    return sum(array.length for array, _ in rows)


@contextmanager
def _offered(connection: DuckDBPyConnection, kind: Kind, rows: Sequence[Rows]) -> Iterator[None]:
    """All rows as one relation with every column of the kind, in their order, not copied."""
    parts = []
    for number, (constants, arrays) in enumerate(_alike(rows)):
        named = constants | {child.name: f'"{child.name}"' for child in arrays[0].schema.children}
        connection.register(f"coming{number}", Stream(arrays))
        parts.append(f"SELECT {selected(kind, named)} FROM coming{number}")
    try:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {_WHOLE} AS {' UNION ALL '.join(parts)}")
        yield
    finally:
        connection.execute(f"DROP VIEW IF EXISTS {_WHOLE}; DROP TABLE IF EXISTS {_SUMMED}")
        for number in range(len(parts)):
            connection.unregister(f"coming{number}")


def gather(connection: DuckDBPyConnection, kind: Kind, rows: Sequence[Rows], name: str) -> None:
    """All rows as one relation of the database with every column of the kind, in their order."""
    held = f"{name}_known"
    there = {child.name for array, _ in rows for child in array.schema.children}.union(*(one for _, one in rows))
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in kind.columns if name in there)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {held} ({columns})")
    missing = "".join(f', CAST(NULL AS {type_}) AS "{name}"' for name, type_ in kind.columns if name not in there)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT *{missing} FROM {held}")
    for constants, arrays in _alike(rows):
        columns_there = {child.name: f'"{child.name}"' for child in arrays[0].schema.children}
        connection.register("coming", Stream(arrays))
        try:
            named = constants | columns_there
            listed = ", ".join(f'"{name}"' for name in named)
            connection.execute(f"INSERT INTO {held} ({listed}) SELECT {', '.join(named.values())} FROM coming")
        finally:
            connection.unregister("coming")


def _alike(rows: Sequence[Rows]) -> Iterator[tuple[dict[str, str], list[Any]]]:
    """Runs of arrays with the same columns and the same constants."""
    for (constants, _), run in groupby(
        rows, key=lambda one: (one[1], [child.name for child in one[0].schema.children])
    ):
        yield constants, [array for array, _ in run]


def _hours(rows: Sequence[Rows]) -> list[int]:
    """The hours that rows are of, in order."""
    found: set[int] = set()
    for times in (_times(array) for array, _ in rows):
        first, last = int(times.min()) // HOUR, int(times.max()) // HOUR
        found.update([first] if first == last else np.unique(times // HOUR).tolist())
    return [hour * HOUR for hour in sorted(found)]


def _times(array: Any) -> NDArray[np.int64]:
    """The times of an array's rows."""
    view = array.view()
    place = [child.name for child in array.schema.children].index("time_ns")
    times: NDArray[np.int64] = np.asarray(view.child(place).buffer(1))[view.offset : view.offset + view.length]
    return times


def _listed(kind: Kind, rows: Sequence[Rows]) -> str:
    """What of the relation is written, as the list of a SELECT.

    A column that no row knows is in no file: to write nothing costs as much as to write numbers.  A text that is
    the same in all rows is given as an ENUM of it, which is written without a look at every row.
    """
    there = {child.name for array, _ in rows for child in array.schema.children}
    first = rows[0][1]
    same = {name: sql for name, sql in first.items() if all(one.get(name) == sql for _, one in rows[1:])}
    there.update(*(one for _, one in rows))
    return ", ".join(
        f'CAST({same[name]} AS ENUM({same[name]})) AS "{name}"' if name in same and type_ == "VARCHAR" else f'"{name}"'
        for name, type_ in kind.columns
        if name in there
    )


def _written(
    connection: DuckDBPyConnection, root: Path, of: str, kind: Kind, hour: int, is_only: bool, listed: str
) -> Iterator[Path]:
    """Hidden files of an hour's rows and of their rollups."""
    within = f"(SELECT * FROM {_WHOLE} WHERE time_ns >= {hour} AND time_ns < {hour + HOUR})"
    rows = _WHOLE if is_only else within
    yield hidden(connection, f"SELECT {listed} FROM {rows}", root, of, kind.name, hour, FRESH)
    for place, name in enumerate(kind.rolled):
        summed = rollups.again(name, _SUMMED) if place else rollups.query(name, kind.name, rows)
        columns = {column: f'"{column}"' for column in connection.sql(summed).columns}
        query = f"SELECT {selected(KINDS[name], columns)} FROM ({summed})"
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_SUMMED} AS {query}")
        yield hidden(connection, f"FROM {_SUMMED}", root, of, name, hour)


def hidden(
    connection: DuckDBPyConnection, query: str, root: Path, of: str, kind: str, hour: int, options: str = OPTIONS
) -> Path:
    """A query's rows in a file that nobody sees yet, in the directory where it will stand."""
    where = directory(root, kind, hour_of(hour))
    Disk().make(where)
    path = where / f".{of}{PARQUET}"
    connection.execute(f"COPY ({query}) TO '{str(path).replace(chr(39), chr(39) * 2)}' ({options})")
    return path


def placed(paths: Iterable[Path], disk: Disk) -> list[Path]:
    """Gives hidden files their names, for good."""
    paths = list(paths)
    for path in paths:
        disk.sync(path)
    named = [path.with_name(path.name[1:]) for path in paths]
    for path, target in zip(paths, named, strict=True):
        disk.rename(path, target)
    for where in {path.parent for path in paths}:
        disk.sync_names(where)
    return named
