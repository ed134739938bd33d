# SPDX-License-Identifier: Apache-2.0
"""ClickHouse over a lake's files, which it reads itself: by ``file()`` in directories of its own, or by ``s3()``.

Only questions go to it, and answers come back as an Arrow stream.  How it is reached is the
business of ``server`` and ``chdb``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from nanoarrow.ipc import InputStream

from fleutan.column import Column
from fleutan.errors import FilterError, FleutanError
from fleutan.fields import require
from fleutan.lake.kinds import Kind
from fleutan.past.engine import Limits
from fleutan.past.engines.sealed import Sealed
from fleutan.past.engines.where import Where
from fleutan.past.statements import Statement
from fleutan.past.tables import tables
from fleutan.query.dialects import CLICKHOUSE
from fleutan.table import Reading, Table

SETTINGS: Mapping[str, str] = {
    # Elsewhere a name in WHERE is a column of the relation, not what SELECT makes of it.
    "prefer_column_name_to_alias": "1",
    "use_hive_partitioning": "0",
    "output_format_arrow_compression_method": "none",
    "max_query_size": str(64 << 20),  # the names of many files
}
#: What ClickHouse would take for a pattern of names, or for the end of a text.
_SPECIAL = re.compile(r"[*?{}\[\],'\\|]")
#: From its own list of error codes: CANNOT_COMPILE_REGEXP.
_NO_REGEXP = "427"
#: What is written behind a backslash in text as it is, and in text in quotes; letters for what is no sign.
_PLAIN, _QUOTED, _LETTERS = "\t\n\\", "'\\", {"\t": "t", "\n": "n"}
#: So many octets of an answer's end may tell of an error; what an Arrow stream ends with.
_KEPT, _END = 2000, b"\xff\xff\xff\xff\0\0\0\0"
_CODE = re.compile(r"Code: (\d+)\. DB::Exception: (.*)")


class Way(Protocol):
    """How ClickHouse is reached."""

    def open(self) -> None:
        """Raises FleutanError where it cannot be reached."""

    def close(self) -> None:
        """Ends it."""

    def ask(self, sql: str, parameters: Mapping[str, str]) -> Any:
        """The answer, octets that are read; raises RuntimeError with ClickHouse's own words."""


class ClickHouse(Sealed):
    """A lake that ClickHouse reads; ``with`` opens the connection."""

    name = "clickhouse"
    dialect = CLICKHOUSE

    def __init__(self, root: Path, where: Where, limits: Limits) -> None:
        super().__init__(root, where)
        self._way = _way(where, limits)

    def __enter__(self) -> Self:
        self._way.open()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._way.close()

    def relation(self, kind: Kind, names: Sequence[str]) -> str:
        """Files as a relation; columns that a file lacks are null."""
        function = self._function(names)
        self._require_all(function, names)
        structure = ", ".join(f"`{name}` {CLICKHOUSE.type(type_)}" for name, type_ in kind.columns)
        return f"{function}, Parquet, '{structure}')"

    def _function(self, names: Sequence[str]) -> str:
        """The beginning of a table function that reads these files."""
        lake = self.where.lake(self.root)
        if special := _SPECIAL.search(lake):
            raise FleutanError(f"ClickHouse takes {special[0]!r} in {lake} for a pattern: give the lake another name")
        named = f"{{{','.join(names)}}}" if len(names) > 1 else names[0]
        return f"{'s3' if '://' in lake else 'file'}('{lake}/{named}'"

    def _require_all(self, function: str, names: Sequence[str]) -> None:
        """Raises FleutanError unless the engine sees all files: of many it passes over what is not there."""
        sql = f"SELECT toInt64(count(DISTINCT _path)) AS flows FROM {function}, One)"
        (table,) = self.tables(Statement(sql, {}, ("flows",)), "seen", Reading())
        if (seen := int(table["flows"][0])) < len(names):
            raise FleutanError(
                f"ClickHouse sees {seen} of the {len(names)} files of this time in {self.where.lake(self.root)}: "
                "?files= says where they are for it"
            )

    def tables(self, statement: Statement, name: str, reading: Reading) -> Iterator[Table]:
        """The answer as it comes."""
        parameters = {name: written(value) for name, value in statement.parameters.items()}
        try:
            answer = Answer(self._way.ask(statement.sql, parameters))
            try:
                for table in tables(InputStream.from_readable(answer), name, statement.names, reading):
                    yield _told(table)
            except RuntimeError as error:
                raise RuntimeError(answer.trouble(str(error))) from None
            answer.require_end()
        except RuntimeError as error:
            raise trouble(str(error)) from None


class Answer:
    """The octets of an answer as they are read; knows whether they were all, which an Arrow stream does not tell."""

    def __init__(self, octets: Any) -> None:
        self._octets, self._last, self._error = octets, b"", ""

    def readinto(self, room: Any) -> int:
        """As of any file; what breaks off ends, and ``trouble`` says why."""
        try:
            many: int = self._octets.readinto(room)
        except (OSError, HTTPException) as error:
            self._error = f"{type(error).__name__} {error}"
            return 0
        self._last = (self._last + bytes(memoryview(room)[:many]))[-_KEPT:]
        return many

    def trouble(self, error: str) -> str:
        """Why it broke off: what ClickHouse wrote last, if that is of it, or how the connection ended."""
        last = self._last.decode("latin-1")
        return last if _CODE.search(last) else self._error or error

    def require_end(self) -> None:
        """Raises RuntimeError unless the answer ended with the mark that an Arrow stream ends with."""
        self.readinto(bytearray(_KEPT))
        if self._error or not self._last.endswith(_END):
            raise RuntimeError(self.trouble("it has no end"))


def _way(where: Where, limits: Limits) -> Way:
    if where.location == "local":
        from fleutan.past.engines.chdb import Local

        return Local(limits, SETTINGS)
    from fleutan.past.engines.server import Server

    return Server(where.location, SETTINGS)


def written(value: Any) -> str:
    """A parameter as ClickHouse reads it: text with escapes, members of lists quoted besides."""
    if isinstance(value, list):
        return f"[{','.join(map(_member, value))}]"
    return _escaped(value, _PLAIN) if isinstance(value, str) else str(value).lower()


def _member(value: Any) -> str:
    return f"'{_escaped(value, _QUOTED)}'" if isinstance(value, str) else str(value).lower()


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\{_LETTERS.get(sign, sign)}" if sign in special else sign for sign in text)


def _told(table: Table) -> Table:
    """Lists cannot be null there: an empty one says nothing."""
    lists = {name: column for name, column in table.columns.items() if require(name).type == "ints"}
    return table.with_columns({name: _unknown_if_empty(column) for name, column in lists.items()})


def _unknown_if_empty(column: Column) -> Column:
    empty = [code for code, word in enumerate(column.words or ()) if not word]
    return Column(np.where(np.isin(column.values, empty), -1, column.values).astype(np.int32), None, column.words)


def trouble(text: str) -> FleutanError:
    """What ClickHouse says went wrong, in a line."""
    found = _CODE.search(text)
    if found is None:
        return FleutanError(f"ClickHouse's answer broke off: {text.partition(chr(10))[0][:200]}")
    code, said = found[1], found[2].partition(": While ")[0][:300]
    if code == _NO_REGEXP:
        return FilterError(f"the filter cannot be evaluated: {said}")
    return FleutanError(f"ClickHouse: {said}")
