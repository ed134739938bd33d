# SPDX-License-Identifier: Apache-2.0
"""The keys of ``fleutan top`` and what each does: a table, from which the help page follows too."""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """Keys by textual's names, the action of ``control`` and its number, how they are shown, what is said of them."""

    names: tuple[str, ...]
    action: str
    number: int = 0
    shown: str = ""
    help: str = ""


KEYS = (
    Key(("q",), "leave", 0, "q", "quit"),
    Key(("ctrl+c",), "leave", 130),
    Key(("question_mark", "h", "f1"), "help", 0, "?", "this page"),
    Key(("slash",), "filter", 0, "/", "filter, in the language of 'fleutan flows'; empty for all"),
    Key(("escape",), "back", 0, "Esc", "back"),
    Key(("j", "down"), "move", 1, "j k", "down and up; the arrows too"),
    Key(("k", "up"), "move", -1),
    Key(("pagedown", "ctrl+f"), "page", 1, "PgDn PgUp", "a page down and up"),
    Key(("pageup", "ctrl+b"), "page", -1),
    Key(("g", "home"), "end", -1, "g G", "to the first line and to the last"),
    Key(("G", "end"), "end", 1),
    Key(("s",), "sort", 0, "s S", "order by the next column; the other way round"),
    Key(("S",), "turn"),
    Key(("enter",), "open", 0, "Enter", "the history of one flow; the members of a group"),
    Key(("space",), "expand", 0, "Space", "the members of a group"),
    Key(("a",), "group", 0, "a", "group by process, and back"),
    Key(("t",), "closed", 0, "t", "closed flows too"),
    Key(("p",), "pause", 0, "p", "pause; the first rates after it are those of all of it"),
    Key(("r",), "reset", 0, "r", "rates and history from now on"),
    Key(("e",), "export", 0, "e", "write what is shown to a file, as JSON"),
    *(Key((str(number % 10),), "tab", number % 10, "0-9" if number == 1 else "", "tabs") for number in range(1, 11)),
    Key(("tab", "right"), "beside", 1, "Tab", "the next tab"),
    Key(("shift+tab", "left"), "beside", -1),
)
BY_NAME = {name: key for key in KEYS for name in key.names}

#: The keys that the last line of the screen tells, and in how many words.
HINTS = (
    *(("q", "quit"), ("?", "help"), ("/", "filter"), ("Enter", "details"), ("s", "sort"), ("a", "group")),
    *(("t", "closed"), ("p", "pause"), ("r", "reset"), ("e", "export")),
)
