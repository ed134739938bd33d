# SPDX-License-Identifier: Apache-2.0
"""A lake in SQL: its kinds as tables by name, for reading only, and nothing else of this machine.

What people write is run as it is, but for ``inside(src, '192.0.2.0/24')``, which becomes a
comparison of numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fleutan.address import parse_prefix
from fleutan.errors import FleutanError, UsageError
from fleutan.lake.kinds import KINDS, Kind
from fleutan.lake.layout import OPEN
from fleutan.lake.listing import EVER, Snapshot, snapshot
from fleutan.lake.sealing import gather
from fleutan.lake.storage import files_of, quoted
from fleutan.past.database import Limits, opened
from fleutan.past.macros import MACROS
from fleutan.past.troubles import FilesReplaced, broken, errors, said, told
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_INSIDE = re.compile(r"\binside\s*\(\s*([\w.]+)\s*,\s*'([^']*)'\s*\)", re.IGNORECASE)
#: EXPLAIN with all that it can have before the statement, and that.
_EXPLAIN = re.compile(r"\s*EXPLAIN\b(?:\s+ANALYZE\b)?\s*((?:\([^()]*\))?\s*(.+))", re.IGNORECASE | re.DOTALL)
#: What only the statement itself can be the cause of.
_OF_THE_STATEMENT = ("Binder", "Catalog", "Conversion", "Parser", "Permission", "Out of Range")
#: So many rows are taken from the database at once, and so often is it asked again because files were replaced.
BATCH, TRIES = 10_000, 4


class Rows(NamedTuple):
    """An answer: the columns' names, and rows of plain values as they come."""

    names: list[str]
    batches: Iterator[Sequence[tuple[Any, ...]]]


class _Question(NamedTuple):
    """A statement over the lake's rows of a window, and ``live`` tables besides."""

    root: Path
    statement: str
    window: tuple[int, int]
    limits: Limits
    live: Mapping[str, Table]


@contextmanager
def asked(
    root: Path,
    statement: str,
    window: tuple[int, int] = EVER,
    limits: Limits | None = None,
    live: Mapping[str, Table] | None = None,
    interruptible: Callable[[Callable[[], object]], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> Iterator[Rows]:
    """The answer to one SELECT over the lake's rows of a window; ``live`` are further tables by name.

    ``interruptible`` is given what ends the question, which another thread may call while it is worked on.

    Raises UsageError with the database's own first line for what is wrong with it, FleutanError for
    what is wrong with the lake.
    """
    question = _Question(root, rewritten(statement), window, limits or Limits(), live or {})
    for _ in range(TRIES):
        with opened(question.limits) as connection, interruptible(connection.interrupt):
            try:
                rows = _begun(connection, question)
            except FilesReplaced:
                continue
            yield rows
            return
    raise FleutanError(f"files of {root} were replaced while they were read; ask again")


def _begun(connection: DuckDBPyConnection, question: _Question) -> Rows:
    """The names, and the rows, the first of them at once: files are open by then.  Of kinds not named none is."""
    words = frozenset(re.findall(r"\w+", question.statement.lower()))
    found = snapshot(question.root, [kind for kind in KINDS if kind in words], *question.window)
    files = [part.path for parts in found.parts.values() for part in parts]
    try:
        _offer(connection, question, found)
        _close(connection, question.root)
        refuse_writing(connection, question.statement)
        cursor = connection.execute(question.statement)
        first = cursor.fetchmany(BATCH)
    except errors() as error:
        raise _meant(error, question, files, connection) from None

    def batches() -> Iterator[Sequence[tuple[Any, ...]]]:
        rows = first
        while rows:
            yield rows
            try:
                rows = cursor.fetchmany(BATCH)
            except errors() as error:
                raise _meant(error, question, files, connection) from None

    return Rows([column[0] for column in cursor.description or ()], batches())


def _meant(error: Exception, question: _Question, files: Sequence[Path], connection: DuckDBPyConnection) -> Exception:
    if meant := told(error, question.limits.memory):
        return meant
    if not said(error).startswith(_OF_THE_STATEMENT) and (where := broken(connection, files)):
        return FleutanError(f"{where} is broken and cannot be read; the lake answers again when it is moved away")
    return UsageError(f"SQL: {said(error)}")


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


def refuse_writing(connection: DuckDBPyConnection, statement: str) -> None:
    """Raises UsageError unless there is one statement, and it reads; EXPLAIN ANALYZE does what it explains."""
    sorts = _sorts(connection, statement)
    if len(sorts) != 1:
        raise UsageError(f"SQL: one statement at a time, not {len(sorts)}")
    if sorts[0] == "EXPLAIN" and (match := _EXPLAIN.fullmatch(statement)):
        sorts = next((inner for text in match.groups() if (inner := _parsed(connection, text))), sorts)
    if sorts != ["SELECT"]:
        raise UsageError(f"SQL: a lake is only read: SELECT, not {sorts[0]}")


def _sorts(connection: DuckDBPyConnection, text: str) -> list[str]:
    return [str(one.type).rsplit(".", 1)[-1] for one in connection.extract_statements(text)]


def _parsed(connection: DuckDBPyConnection, text: str) -> list[str]:
    try:
        return _sorts(connection, text)
    except errors():
        return []


def _offer(connection: DuckDBPyConnection, question: _Question, found: Snapshot) -> None:
    """Every kind as a view, of those that the statement names with their rows, and the live tables."""
    for macro in MACROS:
        connection.execute(macro)
    for kind in KINDS.values():
        places = []
        if parts := found.parts.get(kind.name):
            places.append(f"SELECT * FROM {files_of(kind, [part.path for part in parts])}")
        if frames := found.tails.get(kind.name):
            gather(connection, kind, [(frame.arrow(), frame.select) for frame in frames], f"tail_{kind.name}")
            places.append(f"SELECT * FROM tail_{kind.name}")
        connection.execute(f"CREATE VIEW {kind.name} AS {_view(kind, places, question.window)}")
    for name, table in question.live.items():
        connection.register(name, table.arrow())


def _view(kind: Kind, places: Sequence[str], window: tuple[int, int]) -> str:
    columns = []
    for field in kind.fields:
        if field.type == "address":  # to bind the macro costs, so that it is not where there is no row
            text = f"address({field.key}_hi, {field.key}_lo)" if places else "CAST(NULL AS VARCHAR)"
            columns.append(f"{text} AS {field.key}")
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
