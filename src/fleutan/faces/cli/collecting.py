# SPDX-License-Identifier: Apache-2.0
"""Runs ``fleutan collect``; imported only when it runs: from here on numpy is there."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from fleutan.config import Config
from fleutan.errors import FleutanError, UsageError
from fleutan.exports import json
from fleutan.faces.cli import configured
from fleutan.faces.cli.configured import Held
from fleutan.faces.cli.decoding import missing
from fleutan.faces.cli.figures import utc
from fleutan.faces.cli.lakes import lake_of
from fleutan.faces.cli.pages import Look, collectors
from fleutan.faces.cli.saying import say_notes
from fleutan.faces.cli.terminal import screen
from fleutan.fields import require
from fleutan.lake.apart import Apart
from fleutan.lake.retention import Keep
from fleutan.lake.writer import Limits, Writer
from fleutan.live import host_name
from fleutan.programs.collecting import Collector, collect, imported
from fleutan.programs.collecting.backlog import ROOM, Backlog, Waiting
from fleutan.programs.collecting.stages import EXPORTERS, document, notes, stages
from fleutan.programs.signals import Orders, Signals
from fleutan.programs.status import Status, read
from fleutan.query.units import number
from fleutan.sources.datagrams import Account, Sockets
from fleutan.sources.exported import Exporters
from fleutan.sources.recorded import Recorded
from fleutan.sources.remembered import NAME as STATE
from fleutan.sources.remembered import Memory
from fleutan.sources.service import Service
from fleutan.table import Table

#: sFlow's port, that which NetFlow is mostly sent to, and IPFIX's (IANA).
PORTS = (6343, 2055, 4739)
#: Datagrams that are received at once: few large batches are few changes between threads.
ROWS = 4096
NAME = "collect"
#: At half a million samples a second files of less than a second are worth their making no more.
MANY = 400_000
#: How often the lake is put in order, and what is known of exporters kept, in ns.
ORDER_NS, MEMORY_NS = 60_000_000_000, 15_000_000_000


def collects(held: Held, orders: Orders, service: Service) -> None:
    """Collects until it is ordered to stop; says at the end what is missing."""
    words, config = held.words, held.config
    root, backlog = lake_of(words["lake"]), Backlog(room_of(words["queue"]))
    with Sockets(words["ports"] or PORTS, words["addresses"], words["sockets"] or 1, rows=ROWS) as source:
        with Writer(root, NAME, limits_of(config)) as lake, Status(root, NAME) as status:
            memory = Memory(root / STATE)
            exporters, learn = Exporters(memory.load()), memory.interfaces.learn
            collector = Collector(lake, time.time_ns(), words["headers"], exporters, learn)
            now_and_then, began_ns = Ordering(root, configured.keep(config), collector, memory), time.time_ns()

            def reload() -> None:
                service.reloading()
                now_and_then.keep(_reloaded(held, collector))
                service.ready(f"collecting into {root}")

            def looked(accounts: list[Account], waiting: Waiting) -> None:
                written = lake.account()
                found = list(stages(accounts, waiting, collector, written))
                head = {"pid": os.getpid(), "lake": str(root), "began": utc(began_ns), "at": utc(time.time_ns())}
                sections: dict[str, Table | Sequence[Any]] = {
                    "exporters": collector.accounts.table(most=EXPORTERS),
                    "problems": _problems(collector),
                }
                status.write(document(head, found, collector, written), sections)
                now_and_then(time.monotonic_ns())
                service.alive()

            looked(source.accounts(), backlog.account())
            service.ready(f"collecting into {root}")
            accounts = collect(source, backlog, collector, lake, orders, looked, reload)
            service.stopping("writing what came")
            now_and_then.end()
        say_notes([*missing(accounts), *notes(backlog.account(), collector, lake.account())])


def limits_of(config: Config) -> Limits:
    """When rows are written, and how many may wait."""
    return replace(configured.limits(config), many=MANY)


def _reloaded(held: Held, collector: Collector) -> Mapping[str, Keep] | None:
    """Reads the settings again; what can change while it runs does, of the rest it is said what takes a new start.

    Gives how long rows are kept.
    """
    before = held.words
    if trouble := held.again():
        say_notes([trouble])
    collector.header = held.words["headers"]
    if changed := [name for name, was in before.items() if held.words[name] != was and name != "headers"]:
        say_notes([f"{', '.join(changed)}: changed in the file, and taken over when collecting is started again"])
    return configured.keep(held.config)


class Ordering:
    """What is done beside collecting: another process puts the lake in order, what is known of exporters is kept."""

    def __init__(self, root: Path, kept: Mapping[str, Keep] | None, collector: Collector, memory: Memory) -> None:
        self._apart = Apart(root, host_name(), kept)
        self._collector, self._memory, self._said = collector, memory, ""
        self._ordered_ns = self._kept_ns = time.monotonic_ns()

    def __call__(self, now_ns: int) -> None:
        """Does what is due."""
        if now_ns - self._ordered_ns >= ORDER_NS:
            self._ordered_ns = now_ns
            self._apart.want()
        self._apart.tick()
        if self._apart.trouble != self._said:
            self._said = self._apart.trouble
            say_notes([self._said] if self._said else ())
        if now_ns - self._kept_ns >= MEMORY_NS:
            self._kept_ns = now_ns
            self._keep()

    def keep(self, kept: Mapping[str, Keep] | None) -> None:
        """Says how long rows are kept from now on; None: the lake is not put in order."""
        self._apart.keep = kept

    def end(self) -> None:
        """Keeps what is known."""
        self._keep()

    def _keep(self) -> None:
        try:
            self._memory.save(self._collector.exporters.netflow)
        except (FleutanError, OSError) as error:  # rows are not at stake: templates come again
            say_notes([f"what is known of exporters is not kept: {error}"])


def imports(words: Mapping[str, Any], ports: Sequence[int]) -> None:
    """Puts a capture file's datagrams into the lake; says what could not be read."""
    with Recorded(words["read"], ports) as source, Signals() as signals:
        with Writer(lake_of(words["lake"]), NAME, Limits(many=MANY)) as lake:
            collector = imported(source, lake, signals, words["headers"])
        say_notes([*missing(source.accounts()), *notes(Waiting(), collector, lake.account())])


def tell_status(words: Mapping[str, Any]) -> None:
    """Writes what those that collect into the lake say of themselves."""
    found = read(lake_of(words["lake"]), NAME)
    if words["as_json"]:
        for piece in json.plain_lines(found):
            sys.stdout.buffer.write(piece)
        return
    look = Look(screen(sys.stdout))
    for line in collectors.page(found, look):
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
