# SPDX-License-Identifier: Apache-2.0
"""Bars for what crosses each router, and each link between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fleutan.analysis.paths import Link, Path, Router, pairs
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import Strip
from fleutan.faces.cli.pages import Look, beside_bars, summary
from fleutan.faces.cli.pages.hops import name, names_of, origin, plural, ranges, told
from fleutan.faces.cli.pages.qdiscs import left_out
from fleutan.table import Table

_COLOUR = "green"
_THIS_HOST = "this host"


class _Part(NamedTuple):
    """One section: what its rows are, those to show, all of them, and the columns behind rates and flows."""

    noun: str
    shown: Sequence[Link]
    every: int
    columns: Sequence[Strip]


def page(
    table: Table, paths: Sequence[Path], links: tuple[list[Link], list[Link]], look: Look, most: int | None = None
) -> Iterator[str]:
    """Routers, then links by what crosses them (``analysis.paths.loads``): ``most`` of each; None folds nothing."""
    routers, between = links
    yield from summary(_counts(table, paths, links), look)
    if not routers:
        yield "no router that answered"
        return
    known, crossing = names_of(paths), _crossing(paths)
    for noun, those, columns in (("router", routers, _of_routers), ("link", between, _of_links)):
        rows = those[:most]
        part = _Part(noun, rows, len(those), [_paths(rows, crossing, paths), *columns(rows, known)])
        yield from _section(part, look)


def _counts(table: Table, paths: Sequence[Path], links: tuple[list[Link], list[Link]]) -> Iterator[str]:
    yield from told(table, paths)
    for noun, those in zip(("router", "link"), links, strict=True):
        yield plural(len(those), noun)
    out = sum(link.rate for link in links[1] if not link.tail)
    if out:
        yield figures.rate(out)


def _crossing(paths: Sequence[Path]) -> Mapping[tuple[str, str], list[int]]:
    """The places of the paths that lead over each router and each link."""
    found: dict[tuple[str, str], dict[int, None]] = {}
    for place, path in enumerate(paths):
        for tails, heads in pairs(path):
            for ends in ((tail, head) for head in heads for tail in (head, *tails)):
                found.setdefault(ends, {})[place] = None
    return {ends: list(places) for ends, places in found.items()}


def _of_routers(rows: Sequence[Link], known: Mapping[str, Router]) -> list[Strip]:
    return [
        Strip("ROUTER", [_name(link.head, known) for link in rows], floor=15),
        Strip("AS", [_origin(link.head, known) for link in rows], spare=3),
    ]


def _of_links(rows: Sequence[Link], known: Mapping[str, Router]) -> list[Strip]:
    return [
        Strip("FROM", [_name(link.tail, known) for link in rows], floor=13),
        Strip("TO", [f"-> {_name(link.head, known)}" for link in rows], floor=16),
    ]


def _paths(rows: Sequence[Link], crossing: Mapping[tuple[str, str], list[int]], paths: Sequence[Path]) -> Strip:
    cells = [ranges(crossing.get((link.tail, link.head), ()), paths) or figures.UNKNOWN for link in rows]
    return Strip("PATHS", cells, floor=8, spare=4)


def _name(address: str, known: Mapping[str, Router]) -> str:
    if not address:
        return _THIS_HOST
    return name(known[address]) if address in known else figures.printable(address)


def _origin(address: str, known: Mapping[str, Router]) -> str:
    return origin(known[address]).strip("[]") if address in known else ""


def _section(part: _Part, look: Look) -> Iterator[str]:
    """A bar a row, as long as its rate; where no rate is known, as its flows."""
    rates = Strip("RATE", [figures.rate(link.rate) for link in part.shown], True, spare=1)
    flows = Strip("FLOWS", [f"{link.flows:,}" for link in part.shown], True, spare=2)
    bars = beside_bars([rates, flows, *part.columns], f"{part.noun.upper()}S", look)
    if look.heading:
        yield bars.heading
    weights = [link.rate for link in part.shown]
    weights = weights if any(weights) else [float(link.flows) for link in part.shown]
    greatest = max(weights, default=0.0) or 1.0
    for weight, line in zip(weights, bars.beside, strict=True):
        yield f"{look.screen.bar(weight / greatest, bars.room, _COLOUR)} {line}"
    if len(part.shown) < part.every:
        yield left_out(part.every - len(part.shown), part.noun, look)
    yield look.screen.rule()
