# SPDX-License-Identifier: Apache-2.0
"""hsflowd.conf as words: what stands between white space, ``=``, ``;`` and braces, each with its line.

``"…"`` is one word, whatever is in it, as is ``/…/`` where a pattern is expected.  What words mean is
not known here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fleutan.config.values import shown
from fleutan.errors import UsageError

#: No word is longer, as in hsflowd (HSP_MAX_TOKEN_LEN).
LONGEST = 255
_BETWEEN = re.compile(r"(?:[ \t\r\n=;]|#[^\n]*)*")
_BARE = re.compile(r"[^ \t\r\n=;{}#]+")
#: What ends at the same sign on the same line: in quotes a doubled one is one, in a pattern a backslash goes before.
_QUOTED = re.compile(r'"((?:[^"\n]|"")*)"')
_PATTERN = re.compile(r"/((?:[^/\\\n]|\\[^\n])*)/")


class Word(NamedTuple):
    """A word, on a line counted from 1; a ``sign`` is a brace that opens or closes."""

    text: str
    line: int
    sign: bool = False


class Words:
    """The words of a text, one after another; ``path`` names the file in errors."""

    def __init__(self, text: str, path: str) -> None:
        self._text, self._path = text, path
        self._at, self.line = 0, 1

    def next(self, *, pattern: bool = False) -> Word | None:
        """The next word, or None behind the last; ``pattern`` says that one is expected here.

        Raises UsageError for what does not end, and for words that are too long.
        """
        self._move(_BETWEEN.match(self._text, self._at))
        if self._at >= len(self._text):
            return None
        first = self._text[self._at]
        if first in "{}":
            self._at += 1
            return Word(first, self.line, sign=True)
        if first == '"':
            return self._enclosed(_QUOTED, "quoted word", '""', '"')
        if first == "/" and pattern:
            return self._enclosed(_PATTERN, "pattern", r"\/", "/")
        return self._word(_BARE.match(self._text, self._at))

    def _enclosed(self, form: re.Pattern[str], what: str, twice: str, once: str) -> Word:
        found = form.match(self._text, self._at)
        if found is None:
            raise self.wrong(f"this {what} does not end on its line")
        word = self._word(found, 1)
        return word._replace(text=word.text.replace(twice, once))

    def _word(self, found: re.Match[str] | None, group: int = 0) -> Word:
        assert found is not None  # noqa: S101  # what is no separator and no sign is a word
        if len(found[group]) > LONGEST:
            raise self.wrong(f"{shown(found[group])} is longer than {LONGEST} characters")
        self._move(found)
        return Word(found[group], self.line)

    def _move(self, found: re.Match[str] | None) -> None:
        """Behind what was found."""
        assert found is not None  # noqa: S101  # nothing at all may stand between words
        self.line += found[0].count("\n")
        self._at = found.end()

    def wrong(self, what: str, line: int = 0) -> UsageError:
        """The error of that line, or of the one where the reading is."""
        return UsageError(f"{self._path}:{line or self.line}: {what}")
