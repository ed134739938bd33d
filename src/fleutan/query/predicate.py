# SPDX-License-Identifier: Apache-2.0
"""A filter's expression as the condition of an SQL query, and what must be read to ask it.

Every value is a parameter; every identifier comes from the catalogue; ``dialects`` has the rest.
What lives here runs nothing and imports no database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleutan.fields import BY_NAME
from fleutan.query.dialects import DUCKDB, Dialect
from fleutan.query.expression import (
    And,
    Comparison,
    Endpoint,
    Everything,
    Expression,
    Glob,
    Known,
    Masked,
    Not,
    Or,
    Pattern,
    Span,
    Value,
)

if TYPE_CHECKING:
    from fleutan.address import Prefix

#: The port that belongs to an address.
_PORT_OF = {"src": "sport", "dst": "dport"}
#: What is asked where no field is: a predicate without fields is one of these.
TRUE, FALSE = "true", "false"
_LIKE = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_", "*": "%", "?": "_"})
_INT64 = (-(1 << 63), (1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition for WHERE, and what it needs.

    ``sql`` is TRUE for what matches, and FALSE or NULL for what does not; to turn it round,
    compile the ``negation`` of the expression.  ``parameters`` are named ``filter0``, ``filter1``
    … so that a query can have others.  ``fields`` are the catalogue's names of what is read of
    the flows (an address ``src`` as the columns ``src_hi`` and ``src_lo``), with ``owner`` where
    ``owner_fields``, the columns read of the relation ``owners``, are not empty.

    A regular expression that only RE2 refuses is a ``duckdb.Error`` when the query runs.
    """

    sql: str
    parameters: dict[str, Any]
    fields: frozenset[str]
    owner_fields: frozenset[str]


def compile(  # noqa: A001  # what re calls it as well
    expression: Expression, dialect: Dialect = DUCKDB, owners_beside: bool = True, prefix: str = "filter"
) -> Predicate:
    """The condition that holds for exactly the flows that the expression matches.

    ``owners_beside`` says whether a flow's owners are rows of the relation ``owners``; otherwise
    they are columns of the flow, like all others.  Parameters are called ``prefix`` and a number.
    """
    compiler = _Compiler(dialect, owners_beside, prefix)
    sql = compiler.sql(expression)
    owners = frozenset(name for name in compiler.fields if compiler.is_beside(name))
    fields = frozenset(compiler.fields) - owners
    return Predicate(sql, compiler.parameters, fields | {"owner"} if owners else fields, owners)


class _Compiler:
    """Writes conditions, and gathers their parameters and fields."""

    def __init__(self, dialect: Dialect, owners_beside: bool, prefix: str) -> None:
        self._dialect, self._owners_beside, self._prefix = dialect, owners_beside, prefix
        self.parameters: dict[str, Any] = {}
        self.fields: set[str] = set()

    def sql(self, expression: Expression) -> str:
        """The condition: TRUE where it holds, FALSE or NULL elsewhere."""
        match expression:
            case Everything():
                return TRUE
            case Not(Everything()):
                return FALSE
            case And(terms) | Or(terms):
                joint = " AND " if isinstance(expression, And) else " OR "
                return f"({joint.join(map(self.sql, terms))})"
            case Not(term):
                # Only here can NULL do harm: NOT NULL is NULL, but what is unknown is not so.
                return f"(NOT coalesce({self.sql(term)}, false))"
            case Known(names):
                return self._of_any(names[0], " OR ".join(f"{self._column(name)} IS NOT NULL" for name in names))
            case Comparison():
                return self._comparison(expression)

    def _comparison(self, comparison: Comparison) -> str:
        if comparison.operator in ("=", "!="):
            parts = [part for name in comparison.names for part in self._equalities(name, comparison.values)]
            condition = " OR ".join(parts)
            return (self._of_any if comparison.operator == "=" else self._of_none)(comparison.names[0], condition)
        value = self._parameter(comparison.values[0])
        parts = [f"{self._column(name)} {comparison.operator} {value}" for name in comparison.names]
        return self._of_any(comparison.names[0], " OR ".join(parts))

    def is_beside(self, name: str) -> bool:
        """Whether a field is a column of the relation ``owners``."""
        return self._owners_beside and BY_NAME[name].of_owner

    def _of_any(self, name: str, condition: str) -> str:
        """The condition, of any of the flow's owners where the field is theirs."""
        if not self.is_beside(name):
            return f"({condition})"
        return f'("owner" IN (SELECT "owner" FROM "owners" WHERE {condition}))'

    def _of_none(self, name: str, condition: str) -> str:
        """That the condition is false, of every one of the flow's owners where the field is theirs."""
        if not self.is_beside(name):
            return f"(NOT ({condition}))"
        false = f"bool_and(coalesce(NOT ({condition}), false))"
        return f'("owner" IN (SELECT "owner" FROM "owners" GROUP BY "owner" HAVING {false}))'

    def _equalities(self, name: str, values: tuple[Value, ...]) -> list[str]:
        """One condition for each value, but a single one for all plain values, and for hosts."""
        plain = [value for value in values if isinstance(value, int | float | str)]
        hosts: dict[int, list[int]] = {}
        others: list[str] = []
        for value in values:
            if isinstance(value, Endpoint) and value.ports is None and (host := _host(value.prefix)):
                hosts.setdefault(host[0], []).append(host[1])
            elif not isinstance(value, int | float | str):
                others.append(self._equality(name, value))
        grouped = [f"({self._is(name, '_hi', [hi])} AND {self._is(name, '_lo', los)})" for hi, los in hosts.items()]
        return [*([self._is(name, "", plain)] if plain else []), *grouped, *others]

    def _equality(self, name: str, value: Glob | Pattern | Span | Masked | Endpoint) -> str:
        match value:
            case Glob(pattern):
                return self._dialect.like(self._column(name), self._parameter(pattern.translate(_LIKE)))
            case Pattern(expression):
                return self._dialect.matches(self._column(name), self._parameter(expression))
            case Span(first, last):
                return self._between(name, "", first, last)
            case Masked(bits, mask):
                return f"{self._dialect.bits(self._column(name), self._parameter(mask))} = {self._parameter(bits)}"
            case Endpoint(prefix, ports):
                parts = self._inside(name, prefix) if prefix else []
                parts += [self._between(_PORT_OF[name], "", ports.first, ports.last)] if ports else []
                return f"({' AND '.join(parts)})"

    def _inside(self, name: str, prefix: Prefix) -> list[str]:
        halves = [("_hi", prefix.hi_first, prefix.hi_last), ("_lo", prefix.lo_first, prefix.lo_last)]
        bound = [half for half in halves if half[1:] != _INT64] or halves[:1]
        return [self._between(name, *half) for half in bound]

    # -- atoms

    def _is(self, name: str, half: str, values: list[Any]) -> str:
        if len(values) == 1:
            return f"{self._column(name, half)} = {self._parameter(values[0])}"
        return self._dialect.member(self._column(name, half), self._parameter(values))

    def _between(self, name: str, half: str, first: int, last: int) -> str:
        if first == last:
            return self._is(name, half, [first])
        return f"{self._column(name, half)} BETWEEN {self._parameter(first)} AND {self._parameter(last)}"

    def _column(self, name: str, half: str = "") -> str:
        field = BY_NAME[name]
        self.fields.add(name)
        return self._dialect.identifier(field.key + (half or ("_hi" if field.type == "address" else "")))

    def _parameter(self, value: object) -> str:
        name = f"{self._prefix}{len(self.parameters)}"
        self.parameters[name] = value
        return self._dialect.parameter(name, value)


def _host(prefix: Prefix | None) -> tuple[int, int] | None:
    """The halves of a prefix that is one address."""
    if prefix and prefix.hi_first == prefix.hi_last and prefix.lo_first == prefix.lo_last:
        return prefix.hi_first, prefix.lo_first
    return None
