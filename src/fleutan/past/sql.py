# SPDX-License-Identifier: Apache-2.0
"""A lake in SQL: its kinds as tables by name, for reading only, and nothing else of this machine.

What people write is run as it is, but for ``inside(src, '192.0.2.0/24')``, which becomes a
comparison of numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fleutan.address import parse_prefix
from fleutan.errors import FleutanError, UsageError
from fleutan.lake.kinds import KINDS, Kind
from fleutan.lake.layout import OPEN
from fleutan.lake.listing import EVER, snapshot
from fleutan.lake.sealing import gather
from fleutan.lake.storage import files_of, quoted
from fleutan.past.engine import Limits
from fleutan.past.macros import MACROS, refuse_writing
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_INSIDE = re.compile(r"\binside\s*\(\s*(\w+)\s*,\s*'([^']*)'\s*\)", re.IGNORECASE)
#: So many rows are taken from the database at once.
BATCH = 10_000


class Rows(NamedTuple):
    """An answer: the columns' names, and rows of plain values as they come."""

    names: list[str]
    batches: Iterator[Sequence[tuple[Any, ...]]]


@contextmanager
def asked(
    root: Path,
    statement: str,
    window: tuple[int, int] = EVER,
    limits: Limits | None = None,
    live: Mapping[str, Table] | None = None,
) -> Iterator[Rows]:
    """The answer to one SELECT over the lake's rows of a window; ``live`` are further tables by name.

    Raises UsageError with the database's own first line for what is wrong with it.
    """
    import duckdb

    limits = limits or Limits()
    config: dict[str, Any] = {"memory_limit": limits.memory, "enable_external_access": True}
    with duckdb.connect(config=config) as connection:
        _offer(connection, root, window, live or {})
        _close(connection, root)
        try:
            text = rewritten(statement)
            refuse_writing([str(one.type).rsplit(".", 1)[-1] for one in connection.extract_statements(text)])
            cursor = connection.execute(text)
            yield Rows([column[0] for column in cursor.description or ()], _batches(cursor))
        except duckdb.Error as error:
            raise UsageError(f"SQL: {_first_line(error)}") from None


def _batches(cursor: Any) -> Iterator[Sequence[tuple[Any, ...]]]:
    while rows := cursor.fetchmany(BATCH):
        yield rows


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else "the database gave up"


def rewritten(statement: str) -> str:
    """The statement with ``inside`` as a comparison.  Raises UsageError for what is no prefix."""

    def compared(match: re.Match[str]) -> str:
        column, text = match.groups()
        try:
            prefix = parse_prefix(text)
        except ValueError as error:
            raise UsageError(f"SQL: inside({column}, '{text}'): {error}") from None
        low = f"{column}_lo BETWEEN {prefix.lo_first} AND {prefix.lo_last}"
        return f"({column}_hi BETWEEN {prefix.hi_first} AND {prefix.hi_last} AND {low})"

    return _INSIDE.sub(compared, statement)


def _offer(connection: DuckDBPyConnection, root: Path, window: tuple[int, int], live: Mapping[str, Table]) -> None:
    """Every kind as a view, and the live tables."""
    for macro in MACROS:
        connection.execute(macro)
    found = snapshot(root, list(KINDS), *window)
    for kind in KINDS.values():
        places = []
        if parts := found.parts[kind.name]:
            places.append(f"SELECT * FROM {files_of(kind, [part.path for part in parts])}")
        if frames := found.tails[kind.name]:
            gather(connection, kind, [(frame.arrow(), frame.select) for frame in frames], f"tail_{kind.name}")
            places.append(f"SELECT * FROM tail_{kind.name}")
        connection.execute(f"CREATE VIEW {kind.name} AS {_view(kind, places, window)}")
    for name, table in live.items():
        connection.register(name, table.arrow())


def _view(kind: Kind, places: Sequence[str], window: tuple[int, int]) -> str:
    columns = []
    for field in kind.fields:
        if field.type == "address":
            columns.append(f"address({field.key}_hi, {field.key}_lo) AS {field.key}")
        columns += [f'"{name}"' for name in _on_disk(field.key, field.type)]
    none = ", ".join(f'CAST(NULL AS {type_}) AS "{name}"' for name, type_ in kind.columns)
    rows = " UNION ALL BY NAME ".join(places) or f"SELECT {none} WHERE false"
    bounds = "" if window == EVER else f" WHERE time_ns >= {window[0]} AND time_ns < {window[1]}"
    return f"SELECT {', '.join(columns)} FROM ({rows}){bounds}"


def _on_disk(key: str, type_: str) -> tuple[str, ...]:
    return (f"{key}_hi", f"{key}_lo") if type_ == "address" else (key,)


def _close(connection: DuckDBPyConnection, root: Path) -> None:
    """From here on the database reads the lake's files only, and nobody can change that."""
    if not (root / OPEN).is_dir():
        raise FleutanError(f"{root} is no lake: it has no {OPEN}")
    places = ", ".join(quoted(f"{root / kind}/") for kind in KINDS)
    connection.execute(f"SET allowed_directories = [{places}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
