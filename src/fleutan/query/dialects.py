# SPDX-License-Identifier: Apache-2.0
"""How engines spell what a plan needs: the few things that differ between SQL databases.

Every other part of a query is spelled alike in all of them.  What lives here runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """DuckDB's; others differ in some of it.

    ``quote`` stands around identifiers.
    """

    name: str = "duckdb"
    quote: str = '"'

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

    def latest(self, column: str, time: str) -> str:
        """Of the rows of a group that say a column, what the last one says."""
        return f"arg_max({column}, {time})"

    def text(self, sql: str) -> str:
        """A value as text."""
        return f"CAST({sql} AS VARCHAR)"

    def null(self, type_: str) -> str:
        """Nothing, as a column of a type (DuckDB's name of it)."""
        return f"CAST(NULL AS {type_})"


DUCKDB = Dialect()
