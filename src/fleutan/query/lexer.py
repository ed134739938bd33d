# SPDX-License-Identifier: Apache-2.0
"""A filter's text cut into tokens.  Which tokens make sense together is the parser's business."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from fleutan.errors import FilterError

#: The longest filter, in characters.
LONGEST = 64 * 1024

Kind = Literal["word", "quoted", "operator", "and", "or", "not", "open", "close", "comma", "end"]

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<quoted>"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')
    |(?P<operator>[=!<>]=|[=!]~|<>|[=<>~])
    |(?P<and>&&?)|(?P<or>\|\|?)|(?P<not>!)|(?P<open>\()|(?P<close>\))|(?P<comma>,)
    |(?P<word>[^\s()=<>!~&|,"']+)""",
    re.VERBOSE | re.DOTALL,
)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ESCAPED = re.compile(r"\\([\"'\\])")
_BLANKS = str.maketrans("\t\n\r", "   ")


class Token(NamedTuple):
    """``text`` as meant (quotes and their escapes taken off) and its 0-based ``position``."""

    kind: Kind
    text: str
    position: int

    @property
    def word(self) -> str:
        """An unquoted word in lower case; empty for every other token."""
        return self.text.lower() if self.kind == "word" else ""


def failure(message: str, text: str, position: int) -> FilterError:
    """The error that points at ``position`` in ``text``, which is shown as one line."""
    return FilterError(message, text.translate(_BLANKS), position)


def shown(text: str) -> str:
    """A piece of a filter, quoted for a message and cut where it is long."""
    return repr(text if len(text) <= 40 else text[:39] + "…")


def tokens(text: str) -> list[Token]:
    """Every token in order; the last one is of kind "end".

    Raises FilterError where the text is too long, not printable, or a quote is not closed.
    """
    if len(text) > LONGEST:
        raise FilterError(f"the filter has {len(text)} characters; {LONGEST} are the most")
    if bad := _UNPRINTABLE.search(text):
        raise FilterError(f"a filter is printable text, not {bad[0]!r} at position {bad.start()}")
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise failure("this quote is never closed", text, at)
        if match.lastgroup != "space":
            found.append(_token(match))
        at = match.end()
    return [*found, Token("end", "", len(text))]


def _token(match: re.Match[str]) -> Token:
    kind: Kind = match.lastgroup  # type: ignore[assignment]  # the group's names are the kinds
    text = match[0]
    if kind == "quoted":
        # A regular expression keeps its backslashes: only a quote or a backslash is escaped.
        text = _ESCAPED.sub(r"\1", text[1:-1])
    elif kind == "word" and (lower := text.lower()) in ("and", "or", "not"):
        kind = lower  # type: ignore[assignment]
    return Token(kind, text, match.start())
