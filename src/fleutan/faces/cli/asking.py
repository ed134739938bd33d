# SPDX-License-Identifier: Apache-2.0
"""Asks what the options of ``fleutan flows`` say, once or again and again, and writes the answer.

Imported only when a command runs: from here on numpy is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

import click

from fleutan.faces.cli import figures
from fleutan.faces.cli.answers import Pieces, Text, answer
from fleutan.faces.cli.flows import Options
from fleutan.faces.cli.plans import Plan, plan
from fleutan.faces.cli.terminal import Screen, screen
from fleutan.live import Asked
from fleutan.sources.capture import Capture, Pending, Reader

#: How long -r waits for names before it shows what it has.
NAMES_SECONDS = 0.5
#: Seconds between the rounds of --watch unless -i says.
WATCH_SECONDS = 2.0
#: Lines that are encoded and written together.
LINES = 1000


class Asking(NamedTuple):
    """What stays the same from round to round."""

    plan: Plan
    asked: Asked
    reader: Reader
    names: figures.Names | None

    def answer(self, here: Screen, capture: Capture, before: Capture | None, said: set[str]) -> Text | Pieces:
        """The answer; notes that were not said before go to standard error, unless it shows them itself."""
        table = self.asked.answer(capture, before)
        if not (self.plan.options.watch and here.moves):
            _say(note for note in table.reading.notes if note not in said)
            said.update(table.reading.notes)
        return answer(self.plan, table, here, self.names)


def run(options: Options, reader: Reader, pending: Pending | None) -> None:
    """Answers the command line on standard output; notes go to standard error."""
    planned = plan(options)
    asked = Asked(planned.question)
    if not planned.timed:
        asked.require_interval()
    if pending is not None and asked.answer_by != "auto":
        pending.result()
    first = reader.begin() if reader.answer_by(asked.answer_by) or pending is None else pending
    asking = Asking(planned, asked, reader, _names() if options.resolve else None)
    if options.watch or options.count:
        _repeat(asking, first)
        return
    before, capture = None, first.result()
    if options.interval is not None:
        before, capture = capture, reader.take_after(capture, options.interval)
    here = screen(sys.stdout)
    write(asking.answer(here, capture, before, set()), here)


def _names() -> figures.Names:
    from fleutan.sources.names import Names, service_name

    hosts = Names()
    return figures.Names(hosts.get, service_name, lambda: hosts.wait(NAMES_SECONDS))


def _say(notes: Iterable[str]) -> None:
    for note in dict.fromkeys(notes):
        click.echo(f"fleutan: note: {figures.printable(note)}", err=True)


def write(said: Text | Pieces, here: Screen) -> None:
    """Writes an answer to standard output, at once to its end."""
    out = sys.stdout.buffer
    for piece in said.pieces if isinstance(said, Pieces) else _encoded(said, here.encoding):
        out.write(piece)
    out.flush()


def _encoded(text: Text, encoding: str) -> Iterator[bytes]:
    lines = chain(text.body, text.foot)
    while batch := list(islice(lines, LINES)):
        yield "\n".join([*batch, ""]).encode(encoding, "replace")


def _repeat(asking: Asking, first: Pending) -> None:
    """Round after round; on a terminal text stays in place, elsewhere rounds follow each other."""
    options = asking.plan.options
    rounds = _rounds(asking, first)
    if options.watch and options.form == "text" and screen(sys.stdout).moves:
        from fleutan.faces.cli.watching import show

        show(said for said, _ in rounds if isinstance(said, Text))
        return
    for number, (said, here) in enumerate(rounds):
        if number and options.form == "text":
            click.echo()
        write(said, here)


def _rounds(asking: Asking, first: Pending) -> Iterator[tuple[Text | Pieces, Screen]]:
    options = asking.plan.options
    seconds = options.interval or WATCH_SECONDS
    before = first.result()
    said: set[str] = set()
    left = options.count
    while left is None or left > 0:
        capture = asking.reader.take_after(before, seconds)
        here = screen(sys.stdout)
        yield asking.answer(here, capture, before, said), here
        before = capture
        left = None if left is None else left - 1
