# SPDX-License-Identifier: Apache-2.0
"""Runs ``fleutan agent``; imported only when it runs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from fleutan import config
from fleutan.config import hsflowd
from fleutan.config.agentkeys import IPFIX, NETFLOW9, PLACE, SFLOW, TAPS, targets
from fleutan.config.agents import Sampling
from fleutan.config.values import ADDRESS
from fleutan.errors import UsageError
from fleutan.exports.sflow.counters import sample
from fleutan.exports.sflow.datagrams import Datagrams
from fleutan.exports.sflow.numbering import Numbers
from fleutan.exports.sflowtool.heads import Dialect, Received
from fleutan.exports.sflowtool.text import write_text
from fleutan.faces.cli import configured
from fleutan.faces.cli.figures import printable, size
from fleutan.faces.cli.layout import Strip
from fleutan.faces.cli.pages import Look, summary, tabular
from fleutan.faces.cli.saying import say, say_notes, say_warnings
from fleutan.faces.cli.terminal import screen
from fleutan.observed import Source
from fleutan.programs.agent.assembling import Assembly
from fleutan.programs.agent.explaining import Line, explain
from fleutan.programs.agent.opening.counters import numbers
from fleutan.programs.agent.privileges import drop
from fleutan.programs.agent.privileges import lines as privileges
from fleutan.programs.agent.running import NAME, Running, folder
from fleutan.programs.agent.settings import InForce, Told, of_config, of_hsflowd
from fleutan.programs.signals import Signals
from fleutan.programs.status import Status, read
from fleutan.sources.counters import CounterSource
from fleutan.sources.counters.entities.indexes import written as no_numbers
from fleutan.sources.service import Service

#: So often one round looks for data sources.
LOOKS = 8
#: What topics of an explanation are called.
_TITLES = {
    "export": "EXPORTED",
    "interface": "INTERFACES",
    "privilege": "PRIVILEGES",
    "problem": "PROBLEMS",
    "remark": "REMARKS",
}


def in_force(context: click.Context, words: Mapping[str, Any]) -> InForce:
    """What is in force; read again by its method.  Raises UsageError."""
    file: Path | None = words["file"]
    own = configured.of(context).file
    has_read = False

    def told() -> Told:
        nonlocal has_read
        if has_read and (path := file or own):
            config.again(path)
        has_read = True
        if file is not None:
            return of_hsflowd(hsflowd.load(file))
        return of_config(config.load(own)) if own else Told()

    return InForce(told, given(words))


def given(words: Mapping[str, Any]) -> dict[str, Any]:
    """What the command line says, by key of [agent].  Raises UsageError."""
    found: dict[str, Any] = {
        key: words[word]
        for word, key in (("polling", "polling"), ("header", "header_bytes"), ("drops", "drops.on"))
        if words[word] is not None
    }
    if words["sampling"] is not None:
        found["sampling"] = Sampling(words["sampling"], bps_ratio=0)
    if words["packets"] is not None:
        found["packets.source"] = (words["packets"],)
    for option, word, key, value in (
        ("--collector", "collectors", "collectors", targets(SFLOW)),
        ("--device", "devices", "packets.devices", TAPS),
        ("--address", "address", "address", ADDRESS),
        ("--metrics", "metrics", "outputs.metrics", PLACE),
        ("--ipfix", "ipfix", "outputs.ipfix", targets(IPFIX)),
        ("--netflow9", "netflow9", "outputs.netflow9", targets(NETFLOW9)),
    ):
        if words[word]:
            said: Any = words[word] if isinstance(words[word], str) else [*words[word]]
            if value is PLACE and said.isdecimal():
                said = int(said)
            try:
                found[key] = value.read(said, Path())
            except ValueError as error:
                raise UsageError(f"{option}: {error}") from None
    return found


def exports(known: InForce) -> None:
    """Exports until a signal ends it."""
    agent = known.effective.agent
    written = {Path(file): text for file, text in ((agent.state_file, ""), (numbers(), no_numbers({}))) if file}
    say_warnings()
    with Signals() as signals, Status(folder(), NAME) as status:
        kept = drop(agent, written, [status.folder])
        Running(known, signals, say, Service(), status, kept).run()


# -- what is told


def tell_check(known: InForce, as_json: bool) -> None:
    """Says what would be exported and why."""
    with Assembly(known.effective) as made:
        lines = explain(known.effective, made.interfaces(), made.lacks, made.elected)
    lines += [Line("privilege", *said) for said in privileges(known.effective.agent)]
    if as_json:
        for line in lines:
            click.echo(json.dumps(line._asdict()))
        return
    look = Look(screen(sys.stdout))
    for place, topic in enumerate(topic for topic in _TITLES if any(line.topic == topic for line in lines)):
        if place:
            click.echo()
        for text in _explained(topic, [line for line in lines if line.topic == topic], look):
            click.echo(text)


def _explained(topic: str, lines: Sequence[Line], look: Look) -> Iterator[str]:
    yield look.screen.paint(_TITLES[topic], "bold")
    width = max(len(line.subject) for line in lines)
    for line in lines:
        yield printable(f"  {line.subject.ljust(width)}  {line.text}")


def tell_once(known: InForce) -> None:
    """Prints one round of counters, as a collector reads them."""
    settings = known.effective.agent
    with Assembly(known.effective) as made:
        identity, numbers, began = made.identity, Numbers(), time.time_ns()
        datagrams = Datagrams(*identity)
        found = [one for source in made.counters for one in source.read(_present(source))]
        octets = datagrams.add((sample(one, numbers.next(one.source)) for one in found), 0) + datagrams.flush(0)
        notes = [note for source in made.counters for note in source.notes()]
    from fleutan.protocols.sflow.messages import parse

    received = (Received(parse(one), len(one), identity.address, began, False) for one in octets)
    for piece in write_text(received, Dialect()):
        sys.stdout.buffer.write(piece)
    sys.stdout.flush()
    say_notes(notes)
    if not settings.collectors:
        say("note: no collector is said: --collector HOST sends this")


def _present(source: CounterSource) -> list[Source]:
    """The data sources that there are: where there are many they are looked for a little at a time."""
    for _ in range(LOOKS):
        source.sources()
    return [*source.sources()]


def tell_status(as_json: bool) -> None:
    """Writes what the agents of this host say of themselves."""
    found = read(folder(), NAME)
    if as_json:
        for one in found:
            click.echo(json.dumps(one))
        return
    if not found:
        click.echo(f"no agent runs (none tells of itself in {folder()})")
    look = Look(screen(sys.stdout))
    for place, one in enumerate(found):
        for line in (*([""] if place else []), *_status(one, look)):
            click.echo(line)


def _status(one: Mapping[str, Any], look: Look) -> Iterator[str]:
    state = "" if one["lives"] else ", is gone, its last word:"
    uptime = max(1, one["uptime_s"])
    head = (
        f"process {one['pid']}{state} agent {one['agent'] or 'without an address'}, sub-agent {one['sub_agent']}",
        f"since {one['uptime_s']:,} s, {100 * one['cpu_s'] / uptime:.2f} % of a CPU, {size(one['memory_kb'] * 1024)}",
    )
    yield from summary(head, look)
    told = ", ".join(f"{many:,} {kind}" for kind, many in one["samples"].items()) or "no samples yet"
    yield look.cut(f"{one['datagrams']:,} datagrams of {told}; {one['data_sources']:,} data sources")
    if records := one.get("flow_records"):
        made = " and ".join(f"{many:,} records of {form}" for form, many in records.items())
        yield look.cut(f"{made}, of sampled packets")
    if one["collectors"]:
        yield from tabular(list(_collectors(one["collectors"])), look)
    if one.get("servers"):
        yield from tabular(list(_servers(one["servers"])), look)
    if scrapes := one.get("scrapes"):
        yield look.cut("metrics were asked for: " + ", ".join(f"{many:,} x {how}" for how, many in scrapes.items()))
    if held := one.get("privileges"):
        said = ", ".join(held["capabilities"]) or "no capabilities"
        yield look.cut(f"user {printable(held['user'])} with {said}; {held['given_up']} more were given up")
    for reason, times in (*one["refused"].items(), *one["failures"].items()):
        yield look.cut(printable(f"{times:,} x {reason}"))
    for note in one["notes"]:
        yield look.cut(printable(f"note: {note}"))


def _collectors(rows: Sequence[Mapping[str, Any]]) -> Iterator[Strip]:
    yield Strip("COLLECTOR", [str(row["title"]) for row in rows])
    yield Strip("FORM", [str(row.get("form", "sFlow")) for row in rows])
    yield Strip("DATAGRAMS", [f"{row['sent']:,}" for row in rows], right=True)
    yield Strip("OCTETS", [size(row["octets"]) for row in rows], right=True)
    yield Strip("UNSENT", [f"{sum(row['unsent'].values()):,}" for row in rows], right=True)
    yield Strip("TROUBLE", [printable(str(row["trouble"])) or "-" for row in rows], floor=8)


def _servers(rows: Sequence[Mapping[str, Any]]) -> Iterator[Strip]:
    yield Strip("SERVER", [printable(str(row["title"])) for row in rows])
    for key in ("sent", "waiting"):
        yield Strip(key.upper(), [f"{row[key]:,}" for row in rows], right=True)
    yield Strip("LOST", [f"{sum(row['lost'].values()):,}" for row in rows], right=True)
    yield Strip("TROUBLE", [printable(str(row["trouble"])) or "-" for row in rows], floor=8)
