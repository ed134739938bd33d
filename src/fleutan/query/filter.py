# SPDX-License-Identifier: Apache-2.0
"""The one filter language: text in the manner of ss, tcpdump and CoMo becomes an expression.

``docs/reference/filter.md`` is its grammar.  What a word means as a value is the business of
``values``; what a database is asked that of ``predicate``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleutan.errors import FilterError
from fleutan.fields import Field, find, nearest, require
from fleutan.query import values
from fleutan.query.expression import (
    NOTHING,
    Bounds,
    Comparison,
    Everything,
    Expression,
    Known,
    Operator,
    Value,
    all_of,
    any_of,
    bounds,
    negation,
)
from fleutan.query.lexer import Kind, Token, failure, shown, tokens

__all__ = ["Bounds", "Expression", "all_of", "any_of", "bounds", "negation", "parse"]

#: How deep parentheses may stand in one another.
DEEPEST = 100

#: Every spelling of an operator but ``in`` and those of ``_MATCHES``.
OPERATORS: dict[str, Operator] = {
    **dict.fromkeys(("=", "==", "eq"), "="),
    **dict.fromkeys(("!=", "<>", "ne", "neq"), "!="),
    **dict.fromkeys(("<", "lt"), "<"),
    **dict.fromkeys(("<=", "le", "leq"), "<="),
    **dict.fromkeys((">", "gt"), ">"),
    **dict.fromkeys((">=", "ge", "geq"), ">="),
}
#: The operators that take a regular expression.
_MATCHES: dict[str, Operator] = {"~": "=", "=~": "=", "!~": "!="}
#: What is wrong about a token where a condition should begin.
_MISPLACED: dict[Kind, str] = {
    "and": "a condition must stand before {}",
    "or": "a condition must stand before {}",
    "not": "a condition must follow {}",
    "open": "this parenthesis stands in the place of a field",
    "close": "a condition must stand before this parenthesis, which was opened by none",
    "comma": "a comma stands only in a list, as in port in (80, 443)",
    "operator": "a field must stand before {}",
    "quoted": "the value {} has no field, as in port 443 or port in (80, 443)",
    "end": "a condition must follow",
}
#: A word that asks of two fields at once; ``src`` and ``dst`` before it choose one of them.
PAIRS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("host", "addr", "net"), ("src", "dst")),
    **dict.fromkeys(("port", "portrange"), ("sport", "dport")),
    "queue": ("rx_queue", "tx_queue"),
}
#: What other tools call a field; ``pids`` is asked of each process by itself.
SYNONYMS = {"fwmark": "mark", "protocol": "proto", "pids": "pid"}
#: The same where records of exporters are asked, whose ``protocol`` is that of the export.
EXPORTED_SYNONYMS = {word: name for word, name in SYNONYMS.items() if word != "protocol"}
#: The same of what a lake holds, with CoMo's words.
PAST_SYNONYMS = {"fwmark": "mark", "pids": "pid", "input": "in_if", "output": "out_if"}
#: What stands after a side, or after ``addr``, and asks of fields that belong to it: where ``input`` is known.
BESIDE = {"asn": ("src_as", "dst_as"), "ether": ("src_mac", "dst_mac")}
#: Words of CoMo and ss for what is not known of a flow here.
ELSEWHERE = ("asn", "ether", "input", "output", "exporter", "from_ds", "to_ds", "autobound")
#: Words that begin a condition without being fields.
WORDS = ("all", "has", "exclude", *PAIRS, *SYNONYMS, *values.PROTOCOLS, *values.FAMILIES)

_SIDES = ("src", "dst")
_EITHER = ("addr", "host")
_STATE_WORDS = ("state", "exclude")


def parse(text: str, synonyms: Mapping[str, str] = SYNONYMS) -> Expression:
    """What the filter means; empty text and ``all`` are Everything.

    ``synonyms`` are words for fields beside their own names.  Raises FilterError, which points at
    the trouble, whatever the text is.
    """
    return _Parser(text, synonyms).everything()


class _Parser:
    """A recursive descent over the tokens: one method a rule of the grammar."""

    def __init__(self, text: str, synonyms: Mapping[str, str]) -> None:
        self._text = text
        self._synonyms = synonyms
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    # -- rules

    def everything(self) -> Expression:
        if self._peek().kind == "end":
            return Everything()
        expression = self._alternatives()
        if self._peek().kind != "end":
            raise self._unexpected(self._peek())
        return expression

    def _alternatives(self) -> Expression:
        terms = [self._conjunction()]
        while self._take("or"):
            terms.append(self._conjunction())
        return any_of(terms)

    def _conjunction(self) -> Expression:
        terms = [self._negated()]
        while self._take("and") or self._peek().kind in ("word", "quoted", "open", "not"):
            terms.append(self._negated())
        return all_of(terms)

    def _negated(self) -> Expression:
        odd = False
        while self._take("not"):
            odd = not odd
        term = self._group() if self._peek().kind == "open" else self._condition()
        return negation(term) if odd else term

    def _group(self) -> Expression:
        opening = self._next()
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._failure(opening, f"parentheses stand more than {DEEPEST} deep in one another")
        if self._peek().kind == "close":
            raise self._failure(opening, "nothing stands between these parentheses")
        inside = self._alternatives()
        if self._peek().kind == "end":
            raise self._failure(opening, "this parenthesis is never closed")
        if not self._take("close"):
            raise self._unexpected(self._peek())
        self._depth -= 1
        return inside

    def _condition(self) -> Expression:
        token = self._next()
        word = token.word
        if word == "all":
            return Everything()
        if word in values.PROTOCOLS:
            return Comparison(("proto",), "=", values.PROTOCOLS[word])
        if word in values.FAMILIES:
            return Comparison(("family",), "=", values.FAMILIES[word])
        if word == "has":
            return Known(self._names(self._next()))
        if word in _STATE_WORDS and not self._is_operator(0):
            return self._states(token)
        return self._asked_of(token)

    def _asked_of(self, token: Token) -> Expression:
        """What follows a word that names fields."""
        if self._is_beside(token):  # ether src MAC, ether host MAC
            side = self._next() if self._peek().word in (*_SIDES, *_EITHER) else token
            chosen = (_SIDES.index(side.word),) if side.word in _SIDES else (0, 1)
            return self._compared(token, tuple(BESIDE[token.word][one] for one in chosen))
        if token.word in _EITHER and self._is_beside(self._peek()):  # addr asn N
            token = self._next()
            return self._compared(token, BESIDE[token.word])
        names = self._names(token)
        return self._sided(token, names[0]) if names[0] in _SIDES and len(names) == 1 else self._compared(token, names)

    def _is_beside(self, token: Token) -> bool:
        """Whether the token asks of what belongs to a side, and that can be known."""
        return token.word in BESIDE and "input" in self._synonyms

    def _states(self, token: Token) -> Expression:
        """``state X state Y exclude Z``: one choice, as in ss; the first word says from what."""
        every = values.STATES["all"]
        chosen: set[Value] = set() if token.word == "state" else set(every)
        while True:
            if token.word == "exclude" and self._peek().word == "state":
                self._next()
            found = set(self._values(require("state"), "=", token))
            chosen = chosen | found if token.word == "state" else chosen - found
            if self._peek().word not in _STATE_WORDS or self._is_operator(1):
                break
            token = self._next()
        kept = tuple(state for state in every if state in chosen)
        return Comparison(("state",), "=", kept) if kept else NOTHING

    def _sided(self, token: Token, side: str) -> Expression:
        """``src X``, ``src host X``, ``dst port N``, ``src or dst net X`` as in tcpdump."""
        sides: tuple[str, ...] = (side,)
        joint = self._peek().kind
        if joint in ("and", "or") and self._peek(1).word in _SIDES and not self._is_operator(2):
            self._next()
            sides = (side, self._next().word)
        qualifier = self._peek()
        if qualifier.word in ELSEWHERE and not self._is_beside(qualifier):
            raise self._unexpected(qualifier)
        if self._is_beside(qualifier) or (qualifier.word in PAIRS and qualifier.word != "queue"):
            token = self._next()
            sides = tuple(self._names(token)[_SIDES.index(one)] for one in sides)
        compared = self._compared(token, sides)
        if joint == "or" or len(sides) == 1:
            return compared
        return all_of(Comparison((one,), compared.operator, compared.values) for one in sides)

    def _compared(self, token: Token, names: tuple[str, ...]) -> Comparison:
        """What follows ``token``, which named the fields: an operator and values, a value, or nothing."""
        field = require(names[0])
        if self._is_list(0):
            operator: Operator = "!=" if self._take("not") else "="
            return Comparison(names, operator, self._list(field, operator, token))
        if self._is_operator(0):
            return self._ordered(field, token, names)
        if field.type == "bool" and not values.is_truth(self._peek()):
            return Comparison(names, "=", (True,))
        return Comparison(names, "=", self._values(field, "=", token))

    def _ordered(self, field: Field, token: Token, names: tuple[str, ...]) -> Comparison:
        sign = self._next()
        if sign.text in _MATCHES:
            read = self._value(sign, lambda value: (values.pattern(value, field),))
            return Comparison(names, _MATCHES[sign.text], read)
        operator = OPERATORS[sign.text.lower()]
        return Comparison(names, operator, self._values(field, operator, token, sign))

    def _list(self, field: Field, operator: Operator, token: Token) -> tuple[Value, ...]:
        word = self._next()
        opening = self._next()
        if opening.kind != "open":
            raise self._failure(opening, "the values of 'in' stand in parentheses, as in (80, 443)")
        if self._peek().kind == "close":
            raise self._failure(opening, "this list is empty")
        found = [*self._values(field, operator, token, word)]
        while self._take("comma"):
            found += self._values(field, operator, token, word)
        if not self._take("close"):
            raise self._failure(self._peek(), "the list goes on with ',' or ends with ')' here")
        return tuple(found)

    # -- words

    def _names(self, token: Token) -> tuple[str, ...]:
        """The catalogue's fields that the token asks of."""
        if token.word in PAIRS:
            return PAIRS[token.word]
        if self._is_beside(token):
            return BESIDE[token.word]
        field = find(self._synonyms.get(token.word, token.word))
        if field is None:
            raise self._unexpected(token)
        return (field.name,)

    def _values(self, field: Field, operator: Operator, token: Token, after: Token | None = None) -> tuple[Value, ...]:
        """The next token as values of the field that ``token`` named."""
        read = values.read_net if token.word == "net" else values.read
        return self._value(after or token, lambda value: read(value, field, operator))

    def _value(self, after: Token, read: Callable[[Token], tuple[Value, ...]]) -> tuple[Value, ...]:
        token = self._next()
        if token.kind not in ("word", "quoted"):
            raise self._failure(token, f"a value must follow {shown(after.text)}" + self._hint(after))
        try:
            return read(token)
        except ValueError as error:
            raise self._failure(token, str(error)) from None

    def _hint(self, after: Token) -> str:
        named = after.word not in PAIRS and (find(after.word) is not None or after.word in self._synonyms)
        return f"; 'has {after.text}' asks whether it is known" if named else ""

    def _is_list(self, offset: int) -> bool:
        return self._peek(offset + (self._peek(offset).kind == "not")).word == "in"

    def _is_operator(self, offset: int) -> bool:
        token = self._peek(offset)
        return token.kind == "operator" or token.word in OPERATORS or self._is_list(offset)

    # -- tokens

    def _peek(self, offset: int = 0) -> Token:
        return self._tokens[min(self._at + offset, len(self._tokens) - 1)]

    def _next(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, kind: Kind) -> bool:
        taken = self._peek().kind == kind
        self._at += taken
        return taken

    # -- trouble

    def _failure(self, token: Token, message: str) -> FilterError:
        return failure(message, self._text, token.position)

    def _unexpected(self, token: Token) -> FilterError:
        """The error for a token where a condition should begin, or where none can."""
        if token.kind != "word":
            return self._failure(token, _MISPLACED[token.kind].format(shown(token.text)))
        if token.word in ELSEWHERE:
            of = "here" if "input" in self._synonyms else "of the flows of a host"
            return self._failure(token, f"{token.text!r} is not known {of}")
        if token.text[0] in "0123456789[:*.-":
            return self._failure(token, _MISPLACED["quoted"].format(shown(token.text)))
        near = nearest(token.word[:64], WORDS)
        hint = f"did you mean {near}?" if near else "'fleutan fields' lists all"
        return self._failure(token, f"no field is called {shown(token.text)}; {hint}")
