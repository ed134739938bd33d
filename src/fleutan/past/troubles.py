# SPDX-License-Identifier: Apache-2.0
"""What a database says went wrong with a question, in a line that says what to do.

It says it by exceptions of its own, or in the middle of an answer as text in those of the stream:
so that it is told by its text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleutan.errors import FilterError, FleutanError
from fleutan.lake.storage import quoted
from fleutan.past.statements import Statement

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: What stands before the database's own words where a stream breaks off.
_STREAM = "ArrowArrayStream::"
#: How an answer that was broken off is told: by the database, and where it looked at Python's signals.
_INTERRUPTED = ("INTERRUPT", "Query interrupted")
_GONE = ("No files found", "No such file")
#: Where a statement asks for a regular expression, which is a parameter.
_PATTERN = re.compile(r"regexp_matches\([^,]+, \$(\w+)\)")


class FilesReplaced(Exception):
    """A file that was listed is no more: it was compacted, or too old."""


def errors() -> tuple[type[Exception], ...]:
    """What the database and its streams raise."""
    import duckdb

    return (duckdb.Error, RuntimeError)


def told(error: Exception, memory: str) -> Exception | None:
    """What the error means to who asked, by its text: FilesReplaced says that it is to be asked again."""
    text = said(error)
    if text.startswith(_INTERRUPTED):
        return FleutanError("the question took too long and was given up")
    if text.startswith("Out of Memory"):
        return FleutanError(f"the question needs more than {memory} of memory: ask of a shorter time, or allow more")
    if text.startswith("IO Error"):
        gone = any(gone in text for gone in _GONE)
        return FilesReplaced() if gone else FleutanError(f"the lake cannot be read: {_plain(text)}")
    return None


def looked_for(error: Exception, connection: DuckDBPyConnection, asked: Statement, files: Sequence[Path]) -> Exception:
    """Whose fault the error is: an expression of the filter's, a file's, or what the database says."""
    if refused := _refused(connection, asked):
        return FilterError(f"the filter cannot be evaluated: {refused}")
    if where := broken(connection, files):
        return FleutanError(f"{where} is broken and cannot be read; the lake answers again when it is moved away")
    return FleutanError(f"the lake cannot be read: {_plain(said(error))}")


def _refused(connection: DuckDBPyConnection, asked: Statement) -> str:
    """What the database says of the first regular expression that it does not take; '' if it takes all."""
    for name in _PATTERN.findall(asked.sql):
        try:
            connection.execute("SELECT regexp_matches('', $pattern)", {"pattern": asked.parameters[name]})
        except errors() as error:
            return _plain(said(error))
    return ""


def said(error: Exception) -> str:
    """The first line of the database's own words."""
    text = str(error)
    if text.startswith(_STREAM):
        text = text.partition(": ")[2]
    return text.partition("\n")[0] or type(error).__name__


def _plain(text: str) -> str:
    """Without the name of the class of error."""
    sort, colon, rest = text.partition(": ")
    return rest if colon and sort.endswith("Error") else text


def broken(connection: DuckDBPyConnection, files: Sequence[Path]) -> Path | None:
    """The first of the files that cannot be read: by what it says of itself, then by all of its rows."""
    for query in ("SELECT * FROM parquet_file_metadata({})", "SELECT bit_xor(hash(row)) FROM read_parquet({}) AS row"):
        for path in files:
            try:
                connection.execute(query.format(quoted(str(path)))).fetchall()
            except errors() as error:
                if not any(gone in str(error) for gone in _GONE):
                    return path
    return None
