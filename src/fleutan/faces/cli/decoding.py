# SPDX-License-Identifier: Apache-2.0
"""Runs ``fleutan decode``: opens what the options name and writes what the form gives.

Imported only when the command runs: from here on numpy is there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC
from functools import partial
from ipaddress import ip_address
from time import monotonic_ns
from typing import Any

import click

from fleutan.errors import UsageError
from fleutan.exports import csv, json
from fleutan.exports.conversion import PORTS, Conversion
from fleutan.exports.sflowtool.heads import Dialect
from fleutan.faces.cli.figures import printable, utc
from fleutan.faces.cli.pages import Look, exporters
from fleutan.faces.cli.terminal import screen
from fleutan.fields import require
from fleutan.programs.decoding import Form, run
from fleutan.programs.decoding.anonymous import Anonymous, key_of
from fleutan.programs.decoding.captured import Samples, Wrapped
from fleutan.programs.decoding.converting import Converted
from fleutan.programs.decoding.lines import Columns
from fleutan.programs.decoding.messages import COMMON_LOG, GREP, INDENTED, JSON, TEXT, Messages, chosen
from fleutan.programs.decoding.summary import Summary
from fleutan.programs.decoding.tables import Csv, Lines
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.sflow.sampling import Sampler
from fleutan.query.predicate import Predicate
from fleutan.sources.datagrams import PORT, Account, Sockets, Source, ended_by_signals
from fleutan.sources.exported import FIELDS
from fleutan.sources.exporters import Accounts
from fleutan.sources.forwarding import Forwarded, Forwarding, Target, target
from fleutan.sources.loops import refuse_loops
from fleutan.sources.recorded import Recorded

_WORDS = {"": TEXT, "grep": GREP, "jsonl": JSON, "json": INDENTED, "http": COMMON_LOG}


def decode(words: Mapping[str, Any]) -> None:
    """Decodes until the file ends or somebody ends it; says at the end what is missing."""
    predicate = predicate_of(" ".join(words["filter"]))
    collectors, copies = collectors_of(words), [target(text) for text in words["targets"]]
    converted = Forwarding(collectors)
    form = Converted(conversion_of(words), converted, written_beside(words)) if collectors else form_of(words)
    with ExitStack() as held:
        source = source_of(words)
        held.enter_context(source)
        refuse_loops(copies + collectors, source.ears if isinstance(source, Sockets) else ())
        onward = Forwarding(copies, keep_source=words["keep_source"])
        held.enter_context(onward)
        held.enter_context(converted)
        held.enter_context(ended_by_signals(source))
        shown, out = hidden(source, words), sys.stdout.buffer
        unread = run(shown, form, predicate, out.write, partial(_sent_on, onward), words["interval"], out.flush)
        notes = [*missing(source.accounts()), *unsent(onward.accounts() + converted.accounts())]
        notes += form.notes() if isinstance(form, Converted) else ()
        notes += shown.notes() if isinstance(shown, Anonymous) else ()
        notes += () if words["summary"] else (f"{many} x {reason}" for reason, many in unread.most_common())
        for note in notes:
            click.echo(f"fleutan: note: {printable(note)}", err=True)


def _sent_on(onward: Forwarding, datagrams: Datagrams) -> Datagrams:
    onward.send(datagrams)
    return datagrams


def source_of(words: Mapping[str, Any]) -> Sockets | Recorded:
    """Where the datagrams come from."""
    if words["read"]:
        clock = monotonic_ns if words["playback"] else None
        return Recorded(words["read"], words["ports"], clock, sampler=sampler_of(words))
    return Sockets(words["ports"] or (PORT,), words["addresses"], words["sockets"] or 1)


def hidden(source: Source, words: Mapping[str, Any]) -> Source:
    """The same datagrams, anonymised if they are to be."""
    if not words["anonymise"]:
        return source
    return Anonymous(source, key_of(words["key"]) if words["key"] else None)


def collectors_of(words: Mapping[str, Any]) -> list[Target]:
    """Where converted records go: one place, or none."""
    if words["collector"] is None:
        return []
    return [target(f"{words['collector']}/{words['collector_port'] or PORTS[version_of(words)]}")]


def version_of(words: Mapping[str, Any]) -> int:
    """Of NetFlow; 5 as sflowtool, unless another is asked for."""
    return int(words["netflow"] or 5)


def conversion_of(words: Mapping[str, Any]) -> Conversion:
    """As what they go."""
    return Conversion(version_of(words), scale=not words["no_scale"])


def written_beside(words: Mapping[str, Any]) -> Form | None:
    """The form that is asked for while records go to a collector."""
    return form_of(words) if any(words[name] for name in ("form", "columns", "summary")) else None


def sampler_of(words: Mapping[str, Any]) -> Sampler | None:
    """What samples a file's packets, None where nothing does.  Raises UsageError for an agent that is no address."""
    if not words["sample"]:
        return None
    try:
        agent = ip_address(words["agent"] or "127.0.0.1").packed
    except ValueError:
        raise UsageError(f"--agent {words['agent']}: not an IP address") from None
    return Sampler(words["sample"], agent, words["seed"] or 0)


def form_of(words: Mapping[str, Any]) -> Form:
    """What is written of them."""
    dialect = Dialect(words["compat"], UTC if words["utc"] else None)
    recorded, form = bool(words["read"]), words["form"] or ""
    fields = fields_of(words["fields"])
    if fields and form not in ("flows", "csv"):
        raise UsageError("-o goes with --flows and --csv; -L has the fields of the text")
    if words["scale"] and form not in ("flows", "csv"):
        raise UsageError("--scale goes with --flows and --csv: the text has counts as they were sent")
    if words["summary"]:
        return Summary(_account(words), int((words["interval"] or 0) * 1e9), monotonic_ns)
    if words["columns"]:
        return Messages(chosen([name.strip() for name in words["columns"].split(",")]), dialect, recorded)
    if form in _WORDS:
        return Messages(_WORDS[form], dialect, recorded)
    made: dict[str, Callable[[], Form]] = {
        "flows": lambda: Lines(fields, words["scale"]),
        "csv": lambda: Csv(fields, words["scale"]),
        "lines": lambda: Columns(dialect, recorded),
        "samples": Samples,
        "discards": lambda: Samples(discards=True),
        "datagrams": Wrapped,
    }
    return made[form]()


def _account(words: Mapping[str, Any]) -> Callable[[Accounts], Iterator[bytes]]:
    """How the summary is written."""

    def write(accounts: Accounts) -> Iterator[bytes]:
        table, problems = accounts.table(), list(accounts.problems())
        if words["summary"] == "csv":
            yield from csv.lines(table)
        elif words["summary"] == "json":
            sections = {"problems": [one._asdict() for one in problems]}
            yield from json.document(table, {"at": utc(table.reading.at_ns)}, "exporters", sections)
        else:
            here = screen(sys.stdout)
            lines = exporters.page(table, problems, Look(here))
            yield "".join(f"{line}\n" for line in lines).encode(here.encoding, "replace")

    return write


def fields_of(text: str | None) -> list[str]:
    """The fields that are named, each once.  Raises UsageError for one that no record has."""
    names = [require(name.strip()).name for name in (text or "").split(",") if name.strip()]
    return list(dict.fromkeys(map(known, names)))


def known(name: str) -> str:
    """The name of a field that records have.  Raises UsageError for another."""
    if name not in FIELDS:
        raise UsageError(f"{name} is not known of what exporters send; there are {', '.join(FIELDS)}")
    return name


def predicate_of(text: str) -> Predicate | None:
    """The filter, None for none.  Raises UsageError and FilterError."""
    if not text.strip():
        return None
    from fleutan.query.filter import EXPORTED_SYNONYMS, parse
    from fleutan.query.predicate import compile as compiled

    predicate = compiled(parse(text, EXPORTED_SYNONYMS), owners_beside=False)
    for name in sorted(predicate.fields):
        known(name)
    return predicate


def missing(accounts: Sequence[Account]) -> Iterator[str]:
    """What of the datagrams is not there."""
    for account in accounts:
        if account.dropped:
            yield f"{account.title}: the kernel dropped {account.dropped} datagrams for want of room"
        if account.truncated:
            yield f"{account.title}: {account.truncated} datagrams are there in part only"
        for reason, many in account.rejected.items():
            yield f"{account.title}: {many} x {reason}"


def unsent(accounts: Sequence[Forwarded]) -> Iterator[str]:
    """What was not sent on."""
    for account in accounts:
        for reason, many in account.unsent.items():
            yield f"to {account.title}: {many} datagrams were not sent: {reason}"
