# SPDX-License-Identifier: Apache-2.0
"""The Table: columns of one kind of record, seen by one host at one time or over one interval.

Rows never become one Python object each, except in ``rows()``, which is for small things.
Relational work is DuckDB's, over the same columns handed out as Arrow without a copy.  What a
column means stands in the catalogue; where a Table comes from is the business of ``sources``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fleutan.column import Column
from fleutan.errors import UsageError
from fleutan.fields import Field, nearest, require

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from fleutan.arrow import ArrowTable


@dataclass(frozen=True, slots=True)
class Reading:
    """Where, when and how a Table was read; ``notes`` say in a line each what is missing."""

    host: str = ""
    netns: str = ""
    at_ns: int = 0
    interval_ns: int = 0
    source: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Equal-length columns of ``kind`` by field name, and the tables that they refer to."""

    kind: str
    columns: Mapping[str, Column]
    reading: Reading = field(default_factory=Reading)
    related: Mapping[str, Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(column.values) for column in self.columns.values()}  # of the values it is asked sooner
        if len(lengths) > 1:
            raise ValueError(f"columns of unequal length: {sorted(lengths)}")

    def __len__(self) -> int:
        return next((len(column) for column in self.columns.values()), 0)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def fields(self) -> list[Field]:
        """The catalogue's rows of the columns, in their order."""
        return [require(name) for name in self.columns]

    def column(self, name: str) -> Column:
        """The column by field name, key or alias.  Raises UsageError where there is none."""
        found = require(name)
        if found.name not in self.columns:
            near = nearest(name, self.columns)
            raise UsageError(f"this table has no column {name!r}" + (f"; did you mean {near}?" if near else ""))
        return self.columns[found.name]

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The column as numpy: int64/float64/bool, masked where values are unknown; text as objects."""
        column = self.column(name)
        if column.words is not None or column.values.ndim == 2:
            return np.array([*column.objects(), None], dtype=object)[:-1]
        if column.known is None or column.known.all():
            return column.values
        masked: NDArray[Any] = np.ma.masked_array(column.values, ~column.known)
        return masked

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each row as a dict by key; for small tables."""
        keys = [found.key for found in self.fields()]
        columns = [column.objects() for column in self.columns.values()]
        for values in zip(*columns, strict=True):
            yield dict(zip(keys, values, strict=True))

    def take(self, rows: NDArray[Any]) -> Table:
        """The given rows (indices or mask), in that order."""
        return replace(self, columns={name: column.take(rows) for name, column in self.columns.items()})

    def select(self, names: Sequence[str]) -> Table:
        """The given fields only, in that order."""
        return replace(self, columns={require(name).name: self.column(name) for name in names})

    def with_columns(self, columns: Mapping[str, Column]) -> Table:
        """The table with these columns added or put in the place of their namesakes."""
        return replace(self, columns={**self.columns, **columns})

    def arrow(self) -> ArrowTable:
        """The table for any library that speaks the Arrow C stream interface (zero-copy where it can be)."""
        from fleutan.arrow import ArrowTable

        return ArrowTable(self.columns)

    def connect(self, row: str | None = None) -> DuckDBPyConnection:
        """A DuckDB connection that sees this table by its kind, and the related ones by their names.

        With ``row`` the table has one more column of that name, the number of each row: DuckDB
        does not keep the order of the rows.
        """
        import duckdb

        from fleutan.arrow import ArrowTable

        connection = duckdb.connect(config={"enable_external_access": False})
        connection.register(self.kind, ArrowTable(self.columns, row))
        for name, table in self.related.items():
            connection.register(name, table.arrow())
        return connection

    def sql(self, query: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> Result:
        """The answer to a SELECT over the table (by its kind's name) and its related tables.

        Raises UsageError with DuckDB's own first line when the query is wrong.
        """
        import duckdb

        with self.connect() as connection:
            try:
                cursor = connection.execute(query, parameters or None)
                names = [column[0] for column in cursor.description or ()]
                return Result(names, cursor.fetchall())
            except duckdb.Error as error:
                raise UsageError(f"SQL: {str(error).splitlines()[0]}") from None

    def pandas(self) -> Any:
        """The table as a pandas DataFrame (pandas must be installed)."""
        import pandas

        return pandas.DataFrame({found.key: self[found.name] for found in self.fields()})

    def polars(self) -> Any:
        """The table as a polars DataFrame (polars must be installed)."""
        import polars

        return polars.DataFrame(self.arrow())

    def _repr_html_(self) -> str:
        return Result([found.key for found in self.fields()], self._head(20), len(self))._repr_html_()

    def __repr__(self) -> str:
        return f"<Table {self.kind}: {len(self)} rows, {len(self.columns)} fields, {self.reading.source}>"

    def _head(self, count: int) -> list[tuple[Any, ...]]:
        head = self.take(np.arange(min(count, len(self))))
        return list(zip(*(column.objects() for column in head.columns.values()), strict=True))


@dataclass(frozen=True)
class Result:
    """The rows that a query gave: ``names`` of the columns, ``rows`` of plain Python values."""

    names: list[str]
    rows: list[tuple[Any, ...]]
    total: int | None = None

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def dicts(self) -> list[dict[str, Any]]:
        """Each row as a dict by column name."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]

    def _repr_html_(self) -> str:
        from html import escape

        def line(cells: Sequence[Any], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape('' if c is None else str(c))}</{tag}>" for c in cells) + "</tr>"

        body = "".join(line(row, "td") for row in self.rows)
        total = len(self.rows) if self.total is None else self.total
        folded = "" if total <= len(self.rows) else f"<p>{total - len(self.rows)} more rows</p>"
        return f"<table><thead>{line(self.names, 'th')}</thead><tbody>{body}</tbody></table>{folded}"
