# SPDX-License-Identifier: Apache-2.0
"""A line of text that is being typed: what it is for, its letters, the cursor, what is wrong with it.

Edited here and not by a widget, so that keys typed ahead come in their order, whoever they are for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

#: No filter and no path is longer.
LONGEST = 4096


@dataclass
class Prompt:
    """``at`` is the place of the cursor; ``caret`` that of the trouble, where it has one."""

    what: Literal["filter", "file"]
    label: str
    text: str
    at: int
    trouble: str = ""
    caret: int | None = None

    def insert(self, text: str) -> None:
        """Puts text at the cursor; what cannot be shown is left out."""
        fit = "".join(filter(str.isprintable, text))[: LONGEST - len(self.text)]
        self.text = self.text[: self.at] + fit + self.text[self.at :]
        self.at += len(fit)

    def press(self, key: str) -> bool:
        """A key that edits, by textual's name; whether it is one."""
        edit = _EDITS.get(key)
        if edit is not None:
            edit(self)
        return edit is not None

    def window(self, width: int) -> tuple[str, int]:
        """What of the text is seen in so many columns, and where in it the cursor is."""
        start = max(self.at - width + 1, 0)
        return self.text[start : start + width], self.at - start

    def say(self, trouble: str, caret: int | None = None) -> None:
        """What is wrong with the text, and where."""
        self.trouble, self.caret = trouble, caret


def _moved(to: Callable[[Prompt], int]) -> Callable[[Prompt], None]:
    def move(prompt: Prompt) -> None:
        prompt.at = min(max(to(prompt), 0), len(prompt.text))

    return move


def _cut(start: Callable[[Prompt], int], end: Callable[[Prompt], int]) -> Callable[[Prompt], None]:
    def cut(prompt: Prompt) -> None:
        first, last = max(start(prompt), 0), end(prompt)
        prompt.text, prompt.at = prompt.text[:first] + prompt.text[last:], first

    return cut


def _here(prompt: Prompt) -> int:
    return prompt.at


def _word(prompt: Prompt) -> int:
    """Where the word before the cursor begins."""
    return prompt.text[: prompt.at].rstrip().rfind(" ") + 1


_EDITS: dict[str, Callable[[Prompt], None]] = {
    **dict.fromkeys(("left", "ctrl+b"), _moved(lambda prompt: prompt.at - 1)),
    **dict.fromkeys(("right", "ctrl+f"), _moved(lambda prompt: prompt.at + 1)),
    **dict.fromkeys(("home", "ctrl+a"), _moved(lambda _: 0)),
    **dict.fromkeys(("end", "ctrl+e"), _moved(lambda prompt: len(prompt.text))),
    **dict.fromkeys(("backspace", "ctrl+h"), _cut(lambda prompt: prompt.at - 1, _here)),
    **dict.fromkeys(("delete", "ctrl+d"), _cut(_here, lambda prompt: prompt.at + 1)),
    "ctrl+u": _cut(lambda _: 0, _here),
    "ctrl+w": _cut(_word, _here),
    "ctrl+k": _cut(_here, lambda prompt: len(prompt.text)),
}
