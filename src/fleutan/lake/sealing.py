# SPDX-License-Identifier: Apache-2.0
"""Rows become Parquet: by the hour of their time, with their rollups, all at once or not at all.

A stem's gate (its tail, perhaps empty) stands in ``.open`` while its parts are made; readers do not
count parts whose gate is there.  Taking the gate away is what makes them count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from nanoarrow.c_array_stream import CArrayStream
from numpy.typing import NDArray

from fleutan.lake import rollups
from fleutan.lake.disk import Disk
from fleutan.lake.kinds import KINDS, SCHEMA, Kind
from fleutan.lake.layout import HOUR, OPEN, SPILL, tail
from fleutan.lake.layout import hidden as hidden_path
from fleutan.lake.storage import quoted, selected

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: What every file is written with: the second version's encodings are read in 0.6 of the time.
OPTIONS = f"FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, KV_METADATA {{fleutan_schema: '{SCHEMA}'}}"

#: Of files that are soon put together: a dictionary of many words is tried in vain and costs a quarter of the time,
#: and the next level takes a quarter more for a thirtieth of the room.
FRESH = f"{OPTIONS}, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 1000"

#: The relation of rows to seal, and that of the sums made last.
_WHOLE, _SUMMED = "whole", "summed"
#: The hour that a row is filed under; DuckDB's ``//`` cuts towards 0, so that all before 1970 is of its first hour.
_HOUR = f"greatest(time_ns, 0) // {HOUR} * {HOUR}"
#: So many runs of rows at most are one statement: what it costs to plan grows with their square.
_RUNS = 32
#: Rows to seal: an Arrow array, and what is the same in all of them (SQL by name).
Rows = tuple[Any, dict[str, str]]


class Stream:
    """Offers arrays of one schema as the Arrow stream that DuckDB reads."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self._arrays = arrays

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        stream = CArrayStream.from_c_arrays(list(self._arrays), self._arrays[0].schema)
        return stream.__arrow_c_stream__(requested_schema)


def connect(threads: int, memory: str, root: Path) -> DuckDBPyConnection:
    """A database that has nothing of its own and writes files; what it has no memory for it puts beside the tails."""
    import duckdb

    spill = str(root / OPEN / SPILL)  # else it were the working directory, which a service cannot write to
    config: dict[str, Any] = {
        "threads": threads,
        "memory_limit": memory,
        "preserve_insertion_order": True,
        "temp_directory": spill,
        "async_threads": 0,  # idle, they give the whole process's free memory back (malloc_trim), again and again
    }
    return duckdb.connect(config=config)


def seal(connection: DuckDBPyConnection, root: Path, of: str, kind: Kind, rows: Sequence[Rows], disk: Disk) -> int:
    """Writes the rows' parts, makes them count, and says how many rows there were; the gate must be there."""
    parts: list[Path] = []
    hours = _hours(rows)
    with _offered(connection, kind, rows):
        listed = _listed(kind, rows)
        for hour in hours:
            within = f"(SELECT * FROM {_WHOLE} WHERE {_HOUR} = {hour})"
            place = partial(hidden_path, root, of, hour)
            parts += _written(connection, kind, _WHOLE if len(hours) == 1 else within, listed, place, disk)
    placed(parts, disk)
    disk.unlink([tail(root, of, kind.name)])
    with suppress(OSError):  # they count already: who took this for a failure would write the rows again
        disk.sync_names(root / OPEN)
    return sum(array.length for array, _ in rows)


@contextmanager
def _offered(connection: DuckDBPyConnection, kind: Kind, rows: Sequence[Rows]) -> Iterator[None]:
    """All rows as one relation with every column of the kind, in their order, not copied."""
    parts = []
    runs = list(_alike(rows))
    if len(runs) > _RUNS:
        yield from _gathered(connection, kind, rows)
        return
    for number, (constants, arrays) in enumerate(runs):
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


def _gathered(connection: DuckDBPyConnection, kind: Kind, rows: Sequence[Rows]) -> Iterator[None]:
    """As ``_offered``, by a copy."""
    try:
        gather(connection, kind, rows, _WHOLE)
        yield
    finally:
        connection.execute(f"DROP VIEW IF EXISTS {_WHOLE}; DROP TABLE IF EXISTS {_SUMMED}")
        connection.execute(f"DROP TABLE IF EXISTS {_WHOLE}_known")


def gather(connection: DuckDBPyConnection, kind: Kind, rows: Sequence[Rows], name: str) -> set[str]:
    """All rows as one relation of the database with every column of the kind, in their order; which it has of them."""
    held = f"{name}_known"
    there = {child.name for array, _ in rows for child in array.schema.children}.union(*(one for _, one in rows))
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in kind.columns if name in there)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {held} ({columns})")
    missing = "".join(f', CAST(NULL AS {type_}) AS "{name}"' for name, type_ in kind.columns if name not in there)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT *{missing} FROM {held}")
    types = dict(kind.columns)
    for constants, arrays in _alike(rows):
        columns_there = {child.name: f'"{child.name}"' for child in arrays[0].schema.children}
        connection.register("coming", Stream(arrays))
        try:
            named = {name: sql for name, sql in (constants | columns_there).items() if name in types}
            listed = ", ".join(f'"{name}"' for name in named)
            values = ", ".join(f"TRY_CAST({sql} AS {types[name]})" for name, sql in named.items())
            connection.execute(f"INSERT INTO {held} ({listed}) SELECT {values} FROM coming")
        finally:
            connection.unregister("coming")
    return there


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
    return np.maximum(times, 0)  # as _HOUR has it


def _listed(kind: Kind, rows: Sequence[Rows]) -> str:
    """What of the relation is written, as the list of a SELECT.

    A column that no row knows is in no file: to write nothing costs as much as to write numbers.  A text that is
    the same in all rows is given as an ENUM of it, which is written without a look at every row; not one with a NUL,
    which no plain constant of SQL can be (``quoted``).
    """
    there = {child.name for array, _ in rows for child in array.schema.children}
    first = rows[0][1]
    plain = {name: sql for name, sql in first.items() if sql.startswith("'")}
    same = {name: sql for name, sql in plain.items() if all(one.get(name) == sql for _, one in rows[1:])}
    there.update(*(one for _, one in rows))
    return ", ".join(
        f'CAST({same[name]} AS ENUM({same[name]})) AS "{name}"' if name in same and type_ == "VARCHAR" else f'"{name}"'
        for name, type_ in kind.columns
        if name in there
    )


def _written(
    connection: DuckDBPyConnection,
    kind: Kind,
    rows: str,
    listed: str,
    place: Callable[[str], Path],
    disk: Disk,
) -> Iterator[Path]:
    """Hidden files of an hour's rows and of their rollups, each at the place of its kind."""
    yield hidden(connection, f"SELECT {listed} FROM {rows}", place(kind.name), disk, FRESH)
    for number, name in enumerate(kind.rolled):
        summed = rollups.again(name, _SUMMED) if number else rollups.query(name, kind.name, rows)
        columns = {column: f'"{column}"' for column in connection.sql(summed).columns}
        query = f"SELECT {selected(KINDS[name], columns)} FROM ({summed})"
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_SUMMED} AS {query}")
        yield hidden(connection, f"FROM {_SUMMED}", place(name), disk)


def hidden(connection: DuckDBPyConnection, query: str, path: Path, disk: Disk, options: str = OPTIONS) -> Path:
    """A query's rows in a file that nobody sees yet, in the directory where it will stand."""
    disk.make(path.parent)
    try:
        disk.fill(path, lambda file: connection.execute(f"COPY ({query}) TO {quoted(str(file))} ({options})"))
    except BaseException:
        with suppress(OSError):
            disk.unlink([path])  # where the disk is full, half a file is in the way
        raise
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
