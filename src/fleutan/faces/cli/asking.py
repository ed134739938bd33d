# SPDX-License-Identifier: Apache-2.0
"""Asks what the options of ``fleutan flows`` say, once or again and again, and writes the answer.

Imported only when a command runs: from here on numpy is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain, count, islice
from math import inf

import click

from fleutan.faces.cli import figures
from fleutan.faces.cli.answers import Pieces, Text, answer
from fleutan.faces.cli.flows import Options
from fleutan.faces.cli.plans import Plan, is_timed, plan, plan_events
from fleutan.faces.cli.terminal import Screen, screen
from fleutan.live import Asked
from fleutan.live.events import Events, Kind
from fleutan.live.rounds import Besides, Rounds
from fleutan.sources.capture import Pending, Reader
from fleutan.table import Table

#: How long -r waits for names before it shows what it has.
NAMES_SECONDS = 0.5
#: Seconds between the rounds of --watch unless -i says.
WATCH_SECONDS = 2.0
#: Lines that are encoded and written together.
LINES = 1000


def run(options: Options, reader: Reader, pending: Pending | None) -> None:
    """Answers the command line on standard output; notes go to standard error."""
    planned = plan(options)
    asked = Asked(planned.question)
    if not planned.timed:
        asked.require_interval()
    if pending is not None and asked.answer_by != "auto":
        pending.result()
    first = reader.begin() if reader.answer_by(asked.answer_by) or pending is None else pending
    tell(planned, _tables(options, asked, reader, first))


def run_events(options: Options, reader: Reader, kind: Kind) -> None:
    """Counts what happens, and writes it as ``run`` does."""
    planned = plan_events(options, kind)
    with Events(planned.question, reader, kind, every=options.netns == "all") as counted:
        seconds = options.interval or WATCH_SECONDS
        tell(planned, (counted.after(seconds) for _ in _numbers(options)))


def hosts_and_services() -> figures.Names:
    """Names for addresses and ports, as far as they come soon."""
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


def tell(planned: Plan, tables: Iterable[Table]) -> None:
    """Writes the answer of each table; on a terminal text stays in place, elsewhere answers follow each other."""
    options = planned.options
    names = hosts_and_services() if options.resolve else None
    said: set[str] = set()
    answers = (_answered(planned, table, names, said) for table in tables)
    if options.watch and options.form == "text" and screen(sys.stdout).moves:
        from fleutan.faces.cli.watching import show

        show(text for text, _ in answers if isinstance(text, Text))
        return
    for number, (text, here) in enumerate(answers):
        if number and options.form == "text":
            click.echo()
        write(text, here)


def _answered(planned: Plan, table: Table, names: figures.Names | None, said: set[str]) -> tuple[Text | Pieces, Screen]:
    """The answer; notes that were not said before go to standard error, unless it shows them itself."""
    here = screen(sys.stdout)
    answered = answer(planned, table, here, names)  # first: an error says itself what a note would
    if not (planned.options.watch and here.moves):
        _say(note for note in table.reading.notes if note not in said)
        said.update(table.reading.notes)
    return answered, here


def _besides(options: Options) -> Besides | None:
    """What is read besides the flows."""
    if options.qdisc:
        from fleutan.live.queues import Queues

        return Queues(options.netns)
    if options.cpu is not None:
        from fleutan.live.cpus import Cpus

        return Cpus(options.netns)
    return None


def _numbers(options: Options) -> Iterable[int]:
    """A number for each answer that is asked for."""
    if options.count is not None:
        return range(options.count)
    return count() if options.watch else range(1)


def _tables(options: Options, asked: Asked, reader: Reader, first: Pending) -> Iterator[Table]:
    """The flows of one reading, or of one after the other."""
    if not is_timed(options):
        yield asked.answer(first.result())
        return
    rounds_to_come = options.count if options.count is not None else inf if options.watch else 1
    with Rounds(asked, reader, first.result(), _besides(options), readings=1 + rounds_to_come) as rounds:
        for _ in _numbers(options):
            yield rounds.after(options.interval or WATCH_SECONDS)
