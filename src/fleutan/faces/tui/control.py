# SPDX-License-Identifier: Apache-2.0
"""What keys do: to the model, to the feed, to the prompt.

Keys come by their names and rounds as values; which terminal they come from is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fleutan.errors import FilterError
from fleutan.faces.cli import figures
from fleutan.faces.tui import export
from fleutan.faces.tui.keys import BY_NAME
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.prompt import Prompt
from fleutan.faces.tui.rounds import Failed, Round

_FILTER = "filter (Enter: apply, Esc: leave it)"
_FILE = "write what is shown to (Enter: write, Esc: do not)"


class Feed(Protocol):
    """Where rounds come from (``sampling.Feed``)."""

    def start(self) -> None:
        """Begins to post rounds."""

    def stop(self) -> None:
        """No more rounds."""

    def join(self) -> None:
        """Waits a little for a round under way."""

    def pause(self, paused: bool) -> None:
        """No rounds for a while."""

    def ask(self, text: str) -> None:
        """Another filter."""

    def watch(self, cookie: int | None) -> None:
        """One flow in detail."""

    def reset(self) -> None:
        """Rates from now."""


class Control:
    """``status`` is the exit status once the end was asked for; ``message`` stands until the next key."""

    def __init__(self, model: Model, feed: Feed) -> None:
        self.model = model
        self.feed = feed
        self.message = ""
        self.prompt: Prompt | None = None
        self.status: int | None = None

    def arrived(self, found: Round | Failed) -> None:
        """Takes the newest round, or says why there is none."""
        if isinstance(found, Failed):
            self.message = figures.printable(str(found.error).splitlines()[0])
        else:
            self.model.take(found)

    def press(self, key: str, sign: str | None) -> None:
        """A key by its name, and the sign that it writes if it writes one."""
        if self.prompt is not None and key != "ctrl+c":
            self._edit(self.prompt, key, sign)
            return
        found = BY_NAME.get(key)
        if found is not None:
            self.message = ""
            _ACTIONS[found.action](self, found.number)

    def paste(self, text: str) -> None:
        """Text from elsewhere goes into the prompt, or nowhere."""
        if self.prompt is not None:
            self.prompt.insert(text)
            self._check(self.prompt)

    # -- the prompt

    def _edit(self, prompt: Prompt, key: str, sign: str | None) -> None:
        if key == "escape":
            self.prompt = None
        elif key == "enter":
            self._submit(prompt)
        elif prompt.press(key):
            self._check(prompt)
        elif sign:
            prompt.insert(sign)
            self._check(prompt)

    def _check(self, prompt: Prompt) -> bool:
        """Whether the text could be meant; says where it could not."""
        prompt.say("")
        if prompt.what == "filter":
            from fleutan.query.filter import parse

            try:
                parse(prompt.text)
            except FilterError as error:
                prompt.say(figures.printable(str(error.args[0])), error.position)
        return not prompt.trouble

    def _submit(self, prompt: Prompt) -> None:
        if not self._check(prompt):
            return
        if prompt.what == "filter":
            self.prompt = None
            self.message = "filtering"
            self.feed.ask(prompt.text)
        else:
            self._write(prompt)

    def _write(self, prompt: Prompt) -> None:
        path = prompt.text
        try:
            size = export.save(path, export.pieces(self.model))
        except FileExistsError:
            prompt.say(f"{path} exists: choose another name")
        except OSError as error:
            prompt.say(f"{path or 'no name'}: {error.strerror}")
        else:
            self.prompt = None
            self.message = f"wrote {figures.size(size)} to {path}"

    # -- what keys do

    def _leave(self, status: int) -> None:
        self.status = status

    def _help(self, _: int) -> None:
        shown = self.model.page == "help"
        self._back(0)
        if not shown:
            self.model.show("help")

    def _back(self, _: int) -> None:
        if self.model.page == "details":
            self.feed.watch(None)
        self.model.unwatch()

    def _move(self, by: int) -> None:
        self.model.move(by)

    def _page(self, by: int) -> None:
        self.model.move(by * self.model.height)

    def _end(self, by: int) -> None:
        self.model.move(by * (len(self.model.lines) + self.model.offset + 1000))

    def _sort(self, _: int) -> None:
        self.model.sort_next()

    def _turn(self, _: int) -> None:
        self.model.sort_other_way()

    def _open(self, _: int) -> None:
        row, group = self.model.selected()
        if self.model.page != "list" or self.model.tab.kind != "flows":
            return
        if row is not None:
            self.feed.watch(self.model.watch())
        elif group is not None:
            self.model.toggle_group()

    def _expand(self, _: int) -> None:
        if not self.model.toggle_group():
            self.message = "no group here: 'a' or a tab groups the flows"

    def _group(self, _: int) -> None:
        self._tab(1 if self.model.tab.by == "proc" else 2)

    def _tab(self, number: int) -> None:
        self._back(0)
        self.message = self.model.open(number)

    def _beside(self, by: int) -> None:
        tabs = self.model.shown_tabs()
        self._tab(tabs[(tabs.index(self.model.tab) + by) % len(tabs)].number)

    def _closed(self, _: int) -> None:
        self.message = f"closed flows are {'shown' if self.model.toggle_closed() else 'hidden'}"

    def _pause(self, _: int) -> None:
        self.model.paused = not self.model.paused
        self.feed.pause(self.model.paused)
        self.message = "paused: p goes on" if self.model.paused else ""

    def _reset(self, _: int) -> None:
        self.model.reset()
        self.feed.reset()
        self.message = "rates and history from now on"

    def _filter(self, _: int) -> None:
        text = self.model.filter
        self.prompt = Prompt("filter", _FILTER, text, len(text))

    def _export(self, _: int) -> None:
        name = export.name_for(self.model)
        self.prompt = Prompt("file", _FILE, name, len(name))


_ACTIONS: dict[str, Callable[[Control, int], None]] = {
    "leave": Control._leave,
    "help": Control._help,
    "back": Control._back,
    "move": Control._move,
    "page": Control._page,
    "end": Control._end,
    "sort": Control._sort,
    "turn": Control._turn,
    "open": Control._open,
    "expand": Control._expand,
    "group": Control._group,
    "tab": Control._tab,
    "beside": Control._beside,
    "closed": Control._closed,
    "pause": Control._pause,
    "reset": Control._reset,
    "filter": Control._filter,
    "export": Control._export,
}
