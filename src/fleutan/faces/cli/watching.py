# SPDX-License-Identifier: Apache-2.0
"""The live display: the newest answer in place of the one before, until interrupted."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fleutan.faces.cli.answers import Answer


def show(answers: Iterable[Answer], console: Console | None = None) -> None:
    """Shows each answer as it comes; what is below the screen's last line is left out."""
    console = console or Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        for answer in answers:
            text = b"".join(answer.bytes()).decode("utf-8", "replace")
            live.update(Text.from_ansi(text, no_wrap=True, overflow="crop"), refresh=True)
