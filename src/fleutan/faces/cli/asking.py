# SPDX-License-Identifier: Apache-2.0
"""Asks what the options of ``fleutan flows`` say, once or again and again, and writes the answer.

Imported only when a command runs: from here on numpy is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from fleutan.faces.cli import figures
from fleutan.faces.cli.answers import Answer, Plan
from fleutan.faces.cli.flows import Options
from fleutan.faces.cli.terminal import Screen, screen
from fleutan.live import Asked
from fleutan.sources.capture import Pending, Reader
from fleutan.sources.names import Names, service_name

#: How long -r waits for names before it shows what it has.
NAMES_SECONDS = 0.5
#: Seconds between the rounds of --watch unless -i says.
WATCH_SECONDS = 2.0


def run(options: Options, reader: Reader, pending: Pending | None) -> None:
    """Answers the command line on standard output; notes go to standard error."""
    plan = Plan.of(options)
    asked = Asked(plan.question)
    if pending is not None and asked.answer_by != "auto":
        pending.result()
    first = reader.begin() if reader.answer_by(asked.answer_by) or pending is None else pending
    here = screen(sys.stdout)
    names = _names() if options.resolve else None
    if options.watch or options.count:
        _repeat(plan, asked, reader, first, here, names)
        return
    capture = first.result()
    before = None
    if options.interval is not None:
        before, capture = capture, reader.take_after(capture, options.interval)
    table = asked.answer(capture, before)
    _say(table.reading.notes)
    _write(plan.answer(table, here, names))


def _names() -> figures.Names:
    hosts = Names()
    return figures.Names(hosts.get, service_name, lambda: hosts.wait(NAMES_SECONDS))


def _say(notes: Iterable[str]) -> None:
    for note in dict.fromkeys(notes):
        click.echo(f"fleutan: note: {note}", err=True)


def _write(answer: Answer) -> None:
    out = sys.stdout.buffer
    for piece in answer.bytes():
        out.write(piece)
    out.flush()


def _repeat(
    plan: Plan, asked: Asked, reader: Reader, first: Pending, here: Screen, names: figures.Names | None
) -> None:
    """Round after round; on a terminal text stays in place, elsewhere rounds follow each other."""
    answers = _rounds(plan, asked, reader, first, here, names)
    if plan.options.form == "text" and here.width is not None and plan.options.watch:
        from fleutan.faces.cli.watching import show

        show(answers)
        return
    for number, answer in enumerate(answers):
        if number and plan.options.form == "text":
            click.echo()
        _write(answer)


def _rounds(
    plan: Plan, asked: Asked, reader: Reader, first: Pending, here: Screen, names: figures.Names | None
) -> Iterator[Answer]:
    options = plan.options
    seconds = options.interval or WATCH_SECONDS
    before = first.result()
    said: set[str] = set()
    left = options.count
    while left is None or left > 0:
        capture = reader.take_after(before, seconds)
        table = asked.answer(capture, before)
        if here.width is None or not options.watch:
            _say(note for note in table.reading.notes if note not in said)
            said.update(table.reading.notes)
        yield plan.answer(table, here, names)
        before = capture
        left = None if left is None else left - 1
