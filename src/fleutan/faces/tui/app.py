# SPDX-License-Identifier: Apache-2.0
"""The terminal: its keys go to ``control``, what ``drawing`` makes goes to its screen.

The only file that imports textual.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.events import Key, Paste, Resize
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from fleutan.faces.cli import figures
from fleutan.faces.tui import drawing
from fleutan.faces.tui.control import Control, Feed
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.rounds import Failed, Round

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_PLAIN = Style.null()
STYLES = {
    "": _PLAIN,
    "heading": Style(bold=True),
    "tab": Style(bold=True, reverse=True),
    "cursor": Style(reverse=True),
    "key": Style(bold=True),
    "message": Style(bold=True),
    "dim": Style(dim=True),
    "new": Style(color="green"),
    "note": Style(color="blue"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red"),
    "trend": Style(color="cyan"),
}


class Arrived(Message):
    """A round came, or why none did."""

    def __init__(self, found: Round | Failed) -> None:
        super().__init__()
        self.found = found


class Page(Widget, can_focus=True):
    """All of the screen.  Only lines that are seen are ever made."""

    def __init__(self, control: Control, blocks: bool, names: figures.Names | None) -> None:
        super().__init__()
        self._control = control
        self._blocks = blocks
        self._names = names
        self._strips: list[Strip] = []

    def redraw(self) -> None:
        """Makes the lines anew."""
        control, (width, height) = self._control, self.size
        look = drawing.Look(width, height, self._blocks, self._names, control.message, control.prompt)
        lines = drawing.screen(control.model, look)
        parts = ([Segment(text, STYLES[style]) for text, style in line] for line in lines)
        self._strips = [Strip(segments).adjust_cell_length(width, _PLAIN) for segments in parts]
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line as it was made last."""
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)

    def on_resize(self, _: Resize) -> None:
        """The size decides what fits."""
        self.redraw()

    def on_key(self, key: Key) -> None:
        """Every key, in the order in which they were typed."""
        key.stop()
        if key.key == "ctrl+z":
            self.app.action_suspend_process()
        self._control.press(key.key, key.character if key.is_printable else None)
        if self._control.status is not None:
            self.app.exit(self._control.status)
        self.redraw()

    def on_paste(self, paste: Paste) -> None:
        """Text that was pasted."""
        paste.stop()
        self._control.paste(paste.text)
        self.redraw()


class Top(App[int]):
    """``fleutan top``.  It ends with the exit status of the process.

    ``feed`` makes the source of rounds from what takes them, in whichever thread they come.
    """

    CSS = "Screen, Page { background: ansi_default; color: ansi_default; } Page { height: 1fr; }"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        model: Model,
        feed: Callable[[Callable[[Round | Failed], object]], Feed],
        blocks: bool = True,
        names: figures.Names | None = None,
    ) -> None:
        super().__init__(ansi_color=True)  # the terminal's own colours, and none at all with NO_COLOR
        self.control = Control(model, feed(lambda found: self.post_message(Arrived(found))))
        self._page = Page(self.control, blocks, names)

    def compose(self) -> ComposeResult:
        """The only widget."""
        yield self._page

    def on_mount(self) -> None:
        """Rounds begin; signals that end the program put the terminal back first."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.exit, 128 + number)
        self.screen.set_focus(self._page)
        self.control.feed.start()

    def on_unmount(self) -> None:
        """No more rounds."""
        self.control.feed.stop()

    def on_arrived(self, arrived: Arrived) -> None:
        """A round is shown when it comes."""
        self.control.arrived(arrived.found)
        self._page.redraw()
