# SPDX-License-Identifier: Apache-2.0
"""hsflowd.conf as a tree: ``sflow { … }`` with its options and blocks, each with its line.

Only the form is known here; which options there are stands in ``grammar``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fleutan.config.hsflowd.words import Word, Words
from fleutan.config.values import shown
from fleutan.errors import UsageError

#: Blocks in blocks, ``sflow`` the first (HSP_MAX_CONFIG_DEPTH).
DEEPEST = 3
#: Options whose value is a regular expression.
PATTERNS = frozenset({"dev.pattern", "switchport", "hide"})


@dataclass(frozen=True)
class Option:
    """An option and its value, as they stand there."""

    name: str
    value: str
    line: int


@dataclass
class Block:
    """A block: its options and the blocks in it, in their order; ``closed`` is whether its brace was."""

    name: str
    line: int
    options: list[Option] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    closed: bool = False

    def all(self) -> Iterator[Block]:
        """This block and those in it."""
        yield self
        for block in self.blocks:
            yield from block.all()


def parse(text: str, path: str) -> Block:
    """The one block ``sflow``.  Raises UsageError with file, line and what was expected."""
    words = Words(text, path)
    root = _root(words, path)
    stack = [root]
    while stack:
        word = words.next()
        if word is None:
            return root
        if word == ("}", word.line, True):
            stack.pop().closed = True
        else:
            _member(words, word, stack)
    if (rest := words.next()) is not None:
        raise words.wrong(f"{shown(rest.text)} stands behind the end of sflow {{ }}", rest.line)
    return root


def _root(words: Words, path: str) -> Block:
    first = words.next()
    if first is None:
        raise UsageError(f"{path}: there is no sflow {{ }} in it")
    brace = words.next()
    if first.sign or first.text.lower() != "sflow" or brace is None or brace != ("{", brace.line, True):
        raise words.wrong(f"sflow {{ is expected, not {shown(first.text)}", first.line)
    return Block("sflow", first.line)


def _member(words: Words, word: Word, stack: list[Block]) -> None:
    """The option or block that begins with this word."""
    within = stack[-1]
    if word.sign:
        raise words.wrong("a name is expected before { (a pattern with braces in it has to be quoted)", word.line)
    value = words.next(pattern=word.text.lower() in PATTERNS)
    if value is None or value == ("}", value.line, True):
        raise words.wrong(f"a value is expected behind {shown(word.text)}", word.line)
    if not value.sign:
        within.options.append(Option(word.text, value.text, word.line))
    elif len(stack) == DEEPEST:
        raise words.wrong(f"{shown(word.text)}: no more than {DEEPEST} blocks stand in each other", word.line)
    else:
        stack.append(Block(word.text, word.line))
        within.blocks.append(stack[-1])
