# SPDX-License-Identifier: Apache-2.0
"""Runs ``fleutan collect``; imported only when it runs: from here on numpy is there."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from fleutan.errors import UsageError
from fleutan.exports import json
from fleutan.faces.cli.decoding import missing
from fleutan.faces.cli.figures import printable, utc
from fleutan.faces.cli.pages import Look, collectors
from fleutan.faces.cli.querying import lake_of
from fleutan.faces.cli.terminal import screen
from fleutan.fields import require
from fleutan.lake.writer import Writer
from fleutan.programs.collecting import Collector, collect, imported
from fleutan.programs.collecting.backlog import ROOM, Backlog, Waiting
from fleutan.programs.collecting.stages import EXPORTERS, document, notes, stages
from fleutan.programs.collecting.status import Status, read
from fleutan.programs.recording.signals import Signals
from fleutan.query.units import number
from fleutan.sources.datagrams import Account, Sockets
from fleutan.sources.recorded import Recorded

#: sFlow's port, that which NetFlow is mostly sent to, and IPFIX's (IANA).
PORTS = (6343, 2055, 4739)
#: Datagrams that are received at once: few large batches are few changes between threads.
ROWS = 4096
NAME = "collect"


def collects(words: Mapping[str, Any]) -> None:
    """Collects until somebody ends it; says at the end what is missing."""
    root, backlog = lake_of(words["lake"]), Backlog(room_of(words["queue"]))
    with Sockets(words["ports"] or PORTS, words["addresses"], words["sockets"] or 1, rows=ROWS) as source:
        with Writer(root, NAME) as lake, Status(root, NAME) as status, Signals() as signals:
            collector, began_ns = Collector(lake, time.time_ns(), words["headers"]), time.time_ns()

            def looked(accounts: list[Account], waiting: Waiting) -> None:
                written = lake.account()
                found = list(stages(accounts, waiting, collector, written))
                head = {"pid": os.getpid(), "lake": str(root), "began": utc(began_ns), "at": utc(time.time_ns())}
                sections = {"exporters": collector.accounts.table(most=EXPORTERS), "problems": _problems(collector)}
                status.write(document(head, found, collector, written), sections)

            looked(source.accounts(), backlog.account())
            accounts = collect(source, backlog, collector, lake, signals, looked)
        say([*missing(accounts), *notes(backlog.account(), collector, lake.account())])


def imports(words: Mapping[str, Any]) -> None:
    """Puts a capture file's datagrams into the lake; says what could not be read."""
    with Recorded(words["read"], words["ports"]) as source, Signals() as signals:
        with Writer(lake_of(words["lake"]), NAME) as lake:
            collector = imported(source, lake, signals, words["headers"])
        say([*missing(source.accounts()), *notes(Waiting(), collector, lake.account())])


def tell_status(words: Mapping[str, Any]) -> None:
    """Writes what those that collect into the lake say of themselves."""
    found = read(lake_of(words["lake"]), NAME)
    if words["as_json"]:
        for piece in json.plain_lines(found):
            sys.stdout.buffer.write(piece)
        return
    look = Look(screen(sys.stdout))
    for line in collectors.page(found, look, time.time_ns()):
        click.echo(line)


def _problems(collector: Collector) -> Sequence[Mapping[str, Any]]:
    return [problem._asdict() for problem in collector.accounts.problems()][:EXPORTERS]


def room_of(size: str | None) -> int:
    """How many octets may wait to be decoded.  Raises UsageError for what is no amount of them."""
    if size is None:
        return ROOM
    try:
        exact = number(size, require("octets"))
    except ValueError as error:
        raise UsageError(f"--queue: {error}") from None
    octets = exact.numerator // exact.denominator
    if octets < 1:
        raise UsageError(f"--queue {size}: nothing could ever wait")
    return octets


def say(lines: Iterable[str]) -> None:
    """Tells whoever started it."""
    for line in lines:
        click.echo(f"fleutan: note: {printable(line)}", err=True)
