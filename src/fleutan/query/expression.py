# SPDX-License-Identifier: Apache-2.0
"""What a filter means, as a tree of values: which field is compared how with what.

Two-valued: a comparison with an unknown value is false, and its ``Not`` is true.  How a tree
is typed is the business of ``filter``, how it is asked of a database that of ``predicate``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from fleutan.address import Prefix

Operator = Literal["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Glob:
    """Text in which ``*`` stands for any characters and ``?`` for one."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression (RE2) that is found anywhere in the text."""

    expression: str


@dataclass(frozen=True, slots=True)
class Span:
    """Integers from ``first`` to ``last``, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Masked:
    """An integer whose bits under ``mask`` are ``value``."""

    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address inside ``prefix`` (None: any) with a port inside ``ports`` (None: any)."""

    prefix: Prefix | None
    ports: Span | None = None


Value = int | float | str | Glob | Pattern | Span | Masked | Endpoint


@dataclass(frozen=True, slots=True)
class Everything:
    """Every flow."""


@dataclass(frozen=True, slots=True)
class Known:
    """Any of the fields has a value."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Catalogue fields against values.

    ``=`` holds where any of the fields equals (is inside, is matched by) any of the values,
    ``!=`` where all are known and none does; an order where any of the fields is in it.  A
    field of the owners has the values of all processes that own the flow.
    """

    names: tuple[str, ...]
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What the term does not match."""

    term: Expression


@dataclass(frozen=True, slots=True)
class And:
    """What every term matches."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """What any term matches."""

    terms: tuple[Expression, ...]


#: No flow.
NOTHING = Not(Everything())

Expression = Everything | Known | Comparison | Not | And | Or


def all_of(terms: Iterable[Expression]) -> Expression:
    """What all terms match; nested conjunctions are flattened, none gives Everything."""
    parts: list[Expression] = []
    for term in terms:
        parts += term.terms if isinstance(term, And) else () if term == Everything() else (term,)
    if NOTHING in parts:
        return NOTHING
    return And(tuple(parts)) if len(parts) > 1 else parts[0] if parts else Everything()


def any_of(terms: Iterable[Expression]) -> Expression:
    """What any term matches; nested disjunctions are flattened, none gives NOTHING.

    Equalities of the same fields become one with many values, so a long list of ports is asked
    as one membership, not as thousands of comparisons.
    """
    parts: list[Expression] = []
    equal: dict[tuple[str, ...], list[Value]] = {}
    for term in terms:
        for part in term.terms if isinstance(term, Or) else () if term == NOTHING else (term,):
            if isinstance(part, Comparison) and part.operator == "=":
                equal.setdefault(part.names, []).extend(part.values)
            else:
                parts.append(part)
    if Everything() in parts:
        return Everything()
    parts = [*(Comparison(names, "=", tuple(values)) for names, values in equal.items()), *parts]
    return Or(tuple(parts)) if len(parts) > 1 else parts[0] if parts else NOTHING


def negation(term: Expression) -> Expression:
    """What the term does not match."""
    return term.term if isinstance(term, Not) else Not(term)


class Bounds(NamedTuple):
    """All that a filter can match lies in these words of the fields; None: no bound is known."""

    protos: frozenset[str] | None
    states: frozenset[str] | None


def bounds(expression: Expression) -> Bounds:
    """Which protocols and states must be read at all; never too few, sometimes too many."""
    return Bounds(_words(expression, "proto"), _words(expression, "state"))


def _words(expression: Expression, name: str) -> frozenset[str] | None:
    match expression:
        case Comparison(names=(only,), operator="=", values=values) if only == name:
            words = frozenset(value for value in values if isinstance(value, str))
            return words if len(words) == len(set(values)) else None
        case And(terms):
            bound = [words for words in (_words(term, name) for term in terms) if words is not None]
            return frozenset.intersection(*bound) if bound else None
        case Or(terms):
            every = [_words(term, name) for term in terms]
            bound = [words for words in every if words is not None]
            return frozenset.union(*bound) if len(bound) == len(every) else None
    return None
