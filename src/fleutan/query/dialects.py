# SPDX-License-Identifier: Apache-2.0
"""How engines spell what a plan needs: the few things that differ between SQL databases.

Every other part of a query is spelled alike in all of them.  Types are called as DuckDB calls them
everywhere else.  What lives here runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Dialect:
    """DuckDB's; others differ in some of it.

    ``quote`` stands around identifiers.
    """

    name: str = "duckdb"
    quote: str = '"'
    #: Its names of types, where they are not DuckDB's.
    types: ClassVar[Mapping[str, str]] = {}

    def type(self, type_: str) -> str:
        """A column's type by DuckDB's name of it."""
        return self.types.get(type_, type_)

    def identifier(self, name: str) -> str:
        """A column's or a relation's name."""
        return f"{self.quote}{name}{self.quote}"

    def parameter(self, name: str, value: Any) -> str:
        """Where a value stands that is given beside the query."""
        del value
        return f"${name}"

    def member(self, column: str, parameter: str) -> str:
        """Whether a column is one of a list that is a parameter."""
        return f"{column} IN {parameter}"

    def like(self, column: str, parameter: str) -> str:
        r"""Whether a text is as a pattern with ``%`` and ``_`` says, ``\`` before one that is meant itself."""
        return f"{column} LIKE {parameter} ESCAPE '\\'"

    def matches(self, column: str, parameter: str) -> str:
        """Whether a regular expression is found in a text."""
        return f"regexp_matches({column}, {parameter})"

    def bits(self, column: str, mask: str) -> str:
        """The bits of a number under a mask."""
        return f"({column} & {mask})"

    def bucket(self, column: str, width: int) -> str:
        """The beginning of the interval of so many ns that a time is in; times are after the epoch."""
        return f"({column} - {column} % {width})"

    def integer(self, sql: str) -> str:
        """A number as a signed one of 64 bits, nothing where it is beyond them."""
        return f"TRY_CAST({sql} AS BIGINT)"

    def product(self, left: str, right: str) -> str:
        """Two numbers of 64 bits multiplied, nothing where that is beyond 64 bits."""
        return f"TRY({left} * {right})"

    def aggregate(self, function: str, column: str) -> str:
        """What a function makes of a column of a group: sum, min, max, avg, bit_or.

        A sum that 64 bits do not hold must not wrap round: ``integer`` of it is nothing.
        """
        return f"{function}({column})"

    def latest(self, column: str, time: str) -> str:
        """Of the rows of a group that say a column, what the last one says."""
        return f"arg_max({column}, {time})"

    def null(self, type_: str) -> str:
        """Nothing, as a column of a type (DuckDB's name of it)."""
        return f"CAST(NULL AS {self.type(type_)})"


class Spark(Dialect):
    """Spark's, since its version 4: ``:name`` is a parameter of ``spark.sql``, also for lists."""

    types: ClassVar[Mapping[str, str]] = {
        "VARCHAR": "STRING",
        "INTEGER": "INT",
        "BLOB": "BINARY",
        "BIGINT[]": "ARRAY<BIGINT>",
    }
    _functions: ClassVar[Mapping[str, str]] = {"sum": "try_sum"}

    def parameter(self, name: str, value: Any) -> str:
        """See Dialect."""
        del value
        return f":{name}"

    def member(self, column: str, parameter: str) -> str:
        """See Dialect."""
        return f"array_contains({parameter}, {column})"

    def like(self, column: str, parameter: str) -> str:
        """See Dialect; in strings of Spark's a backslash is written as two."""
        return f"{column} LIKE {parameter} ESCAPE '\\\\'"

    def matches(self, column: str, parameter: str) -> str:
        """See Dialect."""
        return f"{column} RLIKE {parameter}"

    def product(self, left: str, right: str) -> str:
        """See Dialect."""
        return f"try_multiply({left}, {right})"

    def aggregate(self, function: str, column: str) -> str:
        """See Dialect."""
        return f"{self._functions.get(function, function)}({column})"

    def latest(self, column: str, time: str) -> str:
        """See Dialect; max_by would take the last row even if it says nothing."""
        return f"max_by({column}, {time}) FILTER (WHERE {column} IS NOT NULL)"


class ClickHouse(Dialect):
    """ClickHouse's: ``{name:Type}`` is a parameter; types cannot be null unless they say so, lists never."""

    types: ClassVar[Mapping[str, str]] = {
        "BIGINT": "Nullable(Int64)",
        "INTEGER": "Nullable(Int32)",
        "DOUBLE": "Nullable(Float64)",
        "BOOLEAN": "Nullable(Bool)",
        "VARCHAR": "Nullable(String)",
        "BLOB": "Nullable(String)",
        "BIGINT[]": "Array(Int64)",
    }
    _parameters: ClassVar[Mapping[type, str]] = {bool: "Bool", int: "Int64", float: "Float64", str: "String"}
    _functions: ClassVar[Mapping[str, str]] = {"sum": "sum(toInt128({}))", "bit_or": "groupBitOr({})"}

    def parameter(self, name: str, value: Any) -> str:
        """See Dialect; the type is that of the value, of a list that of its first member."""
        if isinstance(value, list):
            return f"{{{name}:Array({self._parameters[type(value[0])]})}}"
        return f"{{{name}:{self._parameters[type(value)]}}}"

    def member(self, column: str, parameter: str) -> str:
        """See Dialect; ClickHouse says of nothing that it is no member, SQL that nobody knows."""
        return f"if(isNull({column}), NULL, {column} IN {parameter})"

    def like(self, column: str, parameter: str) -> str:
        """See Dialect."""
        return f"{column} LIKE {parameter}"

    def matches(self, column: str, parameter: str) -> str:
        """See Dialect."""
        return f"match({column}, {parameter})"

    def bits(self, column: str, mask: str) -> str:
        """See Dialect."""
        return f"bitAnd({column}, {mask})"

    def integer(self, sql: str) -> str:
        """See Dialect."""
        return f"accurateCastOrNull({sql}, 'Int64')"

    def product(self, left: str, right: str) -> str:
        """See Dialect."""
        return self.integer(f"toInt128({left}) * toInt128({right})")

    def aggregate(self, function: str, column: str) -> str:
        """See Dialect."""
        return self._functions.get(function, f"{function}({{}})").format(column)

    def latest(self, column: str, time: str) -> str:
        """See Dialect."""
        return f"argMax({column}, {time})"

    def null(self, type_: str) -> str:
        """See Dialect."""
        return f"CAST({'[]' if type_.endswith('[]') else 'NULL'} AS {self.type(type_)})"


DUCKDB = Dialect()
SPARK = Spark("spark", "`")
CLICKHOUSE = ClickHouse("clickhouse", "`")
