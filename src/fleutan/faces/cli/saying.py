# SPDX-License-Identifier: Apache-2.0
"""What a program that runs on and on says to whoever started it: a line at a time, waiting for nobody."""

from __future__ import annotations

import logging
import select
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO

import click

from fleutan.faces.cli.figures import printable


def say(line: str) -> None:
    """Says it on standard error; that nobody listens there, or listens no more, is no reason to wait or to end."""
    with suppress(OSError, ValueError):
        if _takes(sys.stderr):
            click.echo(f"fleutan: {printable(line)}", err=True)


def say_notes(notes: Iterable[str]) -> None:
    """Says notes, each once."""
    for note in dict.fromkeys(notes):
        say(f"note: {note}")


def say_warnings() -> None:
    """Has what goes wrong inside said, too."""
    logging.basicConfig(format="%(message)s", handlers=[_Saying()], level=logging.WARNING)


class _Saying(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


def _takes(stream: TextIO) -> bool:
    """Whether a line can be written without waiting: a pipe that nobody reads is full in the end."""
    try:
        return bool(select.select([], [stream], [], 0)[1])
    except (OSError, ValueError):  # nothing of the system's
        return True
