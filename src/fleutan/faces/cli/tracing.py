# SPDX-License-Identifier: Apache-2.0
"""Asks what the options of ``fleutan paths`` say, and writes the answer.

Imported only when the command runs: from here on numpy is there.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, NamedTuple

import click
import numpy as np

from fleutan.analysis import paths as analysis
from fleutan.analysis.changes import changes
from fleutan.analysis.figures import numbers
from fleutan.analysis.paths import Hop, Path, Router
from fleutan.errors import UsageError
from fleutan.faces.cli import figures
from fleutan.faces.cli.answers import Pieces, Text, head_of
from fleutan.faces.cli.asking import hosts_and_services, write
from fleutan.faces.cli.events import options_of
from fleutan.faces.cli.pages import UNFOLDED, Look
from fleutan.faces.cli.pages import changes as changed_page
from fleutan.faces.cli.paths import LOAD_SECONDS
from fleutan.faces.cli.plans import plan
from fleutan.faces.cli.terminal import screen
from fleutan.live.paths import Answer, Settings, ask
from fleutan.protocols.tracing.hops import SECOND, Rules
from fleutan.sources.capture import Reader
from fleutan.sources.places import Places
from fleutan.views.flows import MACHINE_FIELDS

#: Seconds between the traces of --watch unless -i says.
WATCH_SECONDS = 10.0
#: A row of CSV: a router at a hop of a path.
COLUMNS = ("path", "method", "destination", "ttl", "address", "name", "rtt_us", "rtt_us_max", "sent", "lost", "refusal")


def run(words: Mapping[str, Any]) -> None:
    """Traces, and writes the answer to standard output; notes go to standard error."""
    options = options_of({name: words[name] for name in words if name not in _OWN})
    question = plan(options).question
    measured = (words["interval"] or LOAD_SECONDS) if words["load"] else None
    earlier = read(words["since"]) if words["since"] else None
    settings, names = settings_of(words), hosts_and_services() if options.resolve else None
    look = Look(screen(sys.stdout), options.header, names)
    said: set[str] = set()
    with Reader(options.netns) as reader, Places(words["asn"], words["geo"]) as places:
        while True:
            answer = placed(named(ask(question, reader, settings, measured), names), places)
            _say(answer, said)
            write(_answered(words, answer, earlier, look), look.screen)
            if not words["watch"]:
                return
            earlier = Earlier(figures.clock(answer.flows.reading.at_ns, options.utc), answer.paths)
            reader.wait(words["interval"] or WATCH_SECONDS)


def _say(answer: Answer, said: set[str]) -> None:
    for note in dict.fromkeys(answer.flows.reading.notes):
        if note not in said:
            click.echo(f"fleutan: note: {figures.printable(note)}", err=True)
    said.update(answer.flows.reading.notes)


def _answered(words: Mapping[str, Any], answer: Answer, earlier: Earlier | None, look: Look) -> Text | Pieces:
    if words["form"] != "text":
        return Pieces(_machine(words, answer))
    if earlier is None:
        return Text(_page(words, answer, look), [])
    return Text(changed_page.page(changes(earlier.paths, answer.paths), earlier.at, look), [])


class Earlier(NamedTuple):
    """Paths as they were, and when."""

    at: str
    paths: list[Path]


def read(file: str) -> Earlier:
    """The paths of a document that ``--json`` wrote.  Raises UsageError for another file."""
    try:
        with open(file, "rb") as opened:
            document = json.load(opened)
        return Earlier(document["at"], [path_told(one) for one in document["paths"]])
    except OSError as error:
        raise UsageError(f"--since {file}: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(f"--since {file}: no document of 'fleutan paths --json'") from None


def path_told(told: Mapping[str, Any]) -> Path:
    """A path as it stands in JSON."""
    hops = tuple(
        Hop(hop["ttl"], tuple(map(_router_told, hop["routers"])), hop["sent"], hop["lost"], *_spread_told(hop))
        for hop in told["hops"]
    )
    return Path(told["id"], told["method"], hops, told["ended"], told["destination"])


def _spread_told(hop: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What is told of hops where all ways were looked for."""
    return hop.get("balancing") or "", tuple((link["from"], link["to"]) for link in hop.get("links", ()))


def _router_told(told: Mapping[str, Any]) -> Router:
    return Router(told["addr"], tuple(told["rtt_us"]), told["name"], refusal=told.get("refusal") or "")


def named(answer: Answer, names: figures.Names | None) -> Answer:
    """The paths with the names of their routers, where they come soon."""
    if names is None:
        return answer
    addresses = list(
        dict.fromkeys(router.address for path in answer.paths for hop in path.hops for router in hop.routers)
    )
    found = dict(zip(addresses, figures.host_names(addresses, names), strict=True))

    def with_name(router: Router) -> Router:
        name = found[router.address]
        return router if name == router.address else router._replace(name=name)

    return _each(answer, with_name)


def placed(answer: Answer, places: Places) -> Answer:
    """The paths with the autonomous systems and countries of their routers, where they are known."""

    def with_place(router: Router) -> Router:
        asn, country = places.of(router.address)
        return router._replace(asn=asn, country=country)

    return _each(answer, with_place)


def _each(answer: Answer, told: Callable[[Router], Router]) -> Answer:
    paths = [
        path._replace(hops=tuple(hop._replace(routers=tuple(map(told, hop.routers))) for hop in path.hops))
        for path in answer.paths
    ]
    return answer._replace(paths=paths)


#: The options that flows do not have.
_OWN = (
    *("delta", "load", "slow", "dsts", "method", "queries", "last", "wait", "pps", "each", "form"),
    *("interval", "watch", "since", "asn", "geo", "multipath", "confidence"),
)


def settings_of(words: Mapping[str, Any]) -> Settings:
    """How to trace.  Raises UsageError for a destination that has no address."""
    rules = Rules(last=words["last"], queries=words["queries"], wait_ns=int(words["wait"] * SECOND))
    named = [name.strip() for text in words["dsts"] for name in text.split(",") if name.strip()]
    destinations = tuple(address for name in named for address in addresses(name))
    method = "" if words["method"] == "auto" else words["method"]
    confidence = (words["confidence"] or 95.0) / 100 if words["multipath"] else None
    return Settings(method, rules, words["pps"], words["each"], destinations, confidence=confidence)


def addresses(name: str) -> list[str]:
    """The addresses that a name stands for; an address stands for itself.  Raises UsageError for none."""
    with suppress(ValueError):
        return [_destination(name)]
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "no host can be called so"
        raise UsageError(f"--dsts {name}: {str(why).lower()}") from None
    return list(dict.fromkeys(str(end[4][0]).partition("%")[0] for end in found))


def _destination(name: str) -> str:
    """An address as it is told.  Raises ValueError for what is none, UsageError for one that no path leads to."""
    found = ip_address(name)
    if found.is_unspecified:
        raise UsageError(f"--dsts {name}: it is no host's address")
    if found.is_multicast:
        raise UsageError(f"--dsts {name}: a multicast address has no path; name one host")
    if found.is_link_local and found.version == 6:
        raise UsageError(f"--dsts {name}: a link-local address is on this host's own link: there is no path to it")
    return str(found)


# -- text


def _page(words: Mapping[str, Any], answer: Answer, look: Look) -> Iterator[str]:
    most = None if words["top"] == 0 else words["top"] or UNFOLDED
    if words["delta"]:
        from fleutan.faces.cli.pages import divergence

        return divergence.page(answer.flows, answer.paths, look)
    if words["load"]:
        from fleutan.faces.cli.pages import loads

        return loads.page(answer.flows, answer.paths, carried(answer), look, most)
    if words["slow"]:
        from fleutan.faces.cli.pages import steps

        return steps.page(answer.flows, answer.paths, look)
    from fleutan.faces.cli.pages import paths

    return paths.page(answer.flows, answer.paths, look)


def carried(answer: Answer) -> tuple[list[analysis.Link], list[analysis.Link]]:
    """What goes over routers and links, by the rates of the flows where they were measured."""
    sums = [numbers(answer.flows, name) for name in ("tx_rate", "rx_rate")]
    rates: dict[str, list[float]] = {}
    for name, *both in zip(answer.flows.columns["path"].objects(), *sums, strict=True):
        if name is not None:
            rates.setdefault(name, []).append(float(np.nansum(both)))
    return analysis.loads(answer.paths, rates)


# -- for programs


def _machine(words: Mapping[str, Any], answer: Answer) -> Iterator[bytes]:
    if words["form"] == "json":
        return _document(words, answer)
    if words["form"] == "csv":
        from fleutan.exports import csv

        return csv.plain_lines(COLUMNS, list(_rows(answer.paths)), header=words["header"])
    from fleutan.exports import graph

    draw = graph.dot if words["form"] == "dot" else graph.mermaid
    return (f"{line}\n".encode() for line in draw(answer.paths, carried(answer)))


def _document(words: Mapping[str, Any], answer: Answer) -> Iterator[bytes]:
    from fleutan.exports.json import plain_document

    table = answer.flows
    names = [name for name in (*MACHINE_FIELDS, "tx_rate", "rx_rate", "path") if name in table]
    sections: dict[str, Any] = {"flows": table.select(names), "paths": [told(path) for path in answer.paths]}
    if words["load"]:
        routers, links = carried(answer)
        sections["routers"] = [{"address": one.head, "rate_bps": one.rate, "flows": one.flows} for one in routers]
        sections["links"] = [
            {"from": one.tail or None, "to": one.head, "rate_bps": one.rate, "flows": one.flows} for one in links
        ]
    return plain_document({"schema": "fleutan/paths/1", **head_of(table)}, sections)


def told(path: Path) -> dict[str, Any]:
    """A path as it stands in JSON."""
    steps = analysis.steps(path)
    return {
        "id": path.id,
        "method": path.method,
        "destination": path.destination,
        "ended": path.ended,
        "hops": [_hop(hop, step) for hop, step in zip(path.hops, steps, strict=True)],
    }


def _hop(hop: Hop, step: analysis.Step) -> dict[str, Any]:
    return {
        "ttl": hop.ttl,
        "sent": hop.sent,
        "lost": hop.lost,
        "added_us": step.added_us,
        "spread_us": step.spread_us,
        "slow_reply": step.slow_reply,
        "routers": [_router(router, hop) for router in hop.routers],
    } | _spread(hop)


def _spread(hop: Hop) -> dict[str, Any]:
    links = [{"from": tail, "to": head} for tail, head in hop.links]
    return ({"balancing": hop.balancing} if hop.balancing else {}) | ({"links": links} if links else {})


def _router(router: Router, hop: Hop) -> dict[str, Any]:
    found: dict[str, Any] = {
        "addr": router.address,
        "name": router.name,
        "rtt_us": list(router.rtts_us),
        "loss": hop.loss,
        "ttl": router.ttl,
    }
    more = {
        "asn": router.asn,
        "country": router.country,
        "refusal": router.refusal or None,
        "labels": list(router.labels) or None,
        "changes": list(router.changes) or None,
        "mtu": router.mtu,
    }
    return found | {name: value for name, value in more.items() if value is not None}


def _rows(paths: Sequence[Path]) -> Iterator[tuple[Any, ...]]:
    for path in paths:
        for hop in path.hops:
            for router in hop.routers or (None,):
                yield (
                    *(path.id, path.method, path.destination, hop.ttl),
                    *((router.address, router.name, router.rtt_us, max(router.rtts_us)) if router else (None,) * 4),
                    *(hop.sent, hop.lost, (router.refusal if router else "") or None),
                )
