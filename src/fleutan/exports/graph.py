# SPDX-License-Identifier: Apache-2.0
"""Paths as a graph for programs that draw: Graphviz's DOT and Mermaid's flowchart.

Nodes are this host, routers and destinations, edges what leads from one to the next.  Nothing
here draws or opens a file: lines are yielded, without their ends.  What is in a name stays in
its label, whatever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from fleutan.analysis.paths import Link, Path, pairs

Loads = tuple[list[Link], list[Link]]

_THIS_HOST = "this host"
_RATES = ((1e12, "Tbps"), (1e9, "Gbps"), (1e6, "Mbps"), (1e3, "kbps"), (1.0, "bps"))
#: What rounds to a thousand of a unit is one of the next.
_NEARLY = 0.9995
#: What a node is: this host, a router, a destination.
HOST, ROUTER, DESTINATION = "host", "router", "destination"


class Node(NamedTuple):
    """What stands in the graph once: the lines of its label."""

    kind: str
    label: tuple[str, ...]


class Edge(NamedTuple):
    """From one address to the next: the lines of its label; ``told`` where the next one answered."""

    tail: str
    head: str
    label: tuple[str, ...]
    told: bool


def dot(paths: Sequence[Path], loads: Loads) -> Iterator[str]:
    """A graph in the DOT language (https://graphviz.org/doc/info/lang.html): ids of paths and rates at its edges."""
    nodes = _nodes(paths)
    numbered = {address: f"n{place}" for place, address in enumerate(nodes)}
    yield "digraph paths {"
    yield "  rankdir=LR;"
    yield '  node [fontname="sans-serif"];'
    yield '  edge [fontname="sans-serif"];'
    for address, node in nodes.items():
        yield f'  {numbered[address]} [shape={_SHAPES[node.kind]}, label="{_lines(node.label, _in_dot, _DOT_BREAK)}"];'
    for edge in _edges(paths, loads):
        style = "" if edge.told else ", style=dashed"
        label = _lines(edge.label, _in_dot, _DOT_BREAK)
        yield f'  {numbered[edge.tail]} -> {numbered[edge.head]} [label="{label}"{style}];'
    yield "}"


def mermaid(paths: Sequence[Path], loads: Loads) -> Iterator[str]:
    """The same as a flowchart (https://mermaid.js.org/syntax/flowchart.html)."""
    nodes = _nodes(paths)
    numbered = {address: f"n{place}" for place, address in enumerate(nodes)}
    yield "flowchart LR"
    for address, node in nodes.items():
        start, end = _BRACKETS[node.kind]
        yield f'  {numbered[address]}{start}"{_lines(node.label, _in_mermaid, _MERMAID_BREAK)}"{end}'
    for edge in _edges(paths, loads):
        arrow = "-->" if edge.told else "-.->"
        label = _lines(edge.label, _in_mermaid, _MERMAID_BREAK)
        yield f'  {numbered[edge.tail]} {arrow}|"{label}"| {numbered[edge.head]}'


_SHAPES = {HOST: "house", ROUTER: "ellipse", DESTINATION: "box"}
_BRACKETS = {HOST: ("([", "])"), ROUTER: ("(", ")"), DESTINATION: ("[", "]")}
_DOT_BREAK, _MERMAID_BREAK = "\\n", "<br/>"


# -- what stands in the graph


def _nodes(paths: Sequence[Path]) -> dict[str, Node]:
    """This host, whose address is '', then all others in the order of the paths."""
    nodes = {"": Node(HOST, (_THIS_HOST,))}
    destinations = {path.destination for path in paths}
    for path in paths:
        for router in (router for hop in path.hops for router in hop.routers):
            told = (router.name or "", router.address, f"AS{router.asn}" if router.asn is not None else "")
            kind = DESTINATION if router.address in destinations else ROUTER
            nodes.setdefault(router.address, Node(kind, tuple(filter(None, told))))
        if path.destination:
            nodes.setdefault(path.destination, Node(DESTINATION, (path.destination,)))
    return nodes


def _edges(paths: Sequence[Path], loads: Loads) -> Iterator[Edge]:
    """Each link once; a dashed one to a destination that did not answer itself."""
    rates = {(link.tail, link.head): link.rate for link in loads[1]}
    crossing: dict[tuple[str, str], list[str]] = {}
    beyond: dict[tuple[str, str, str], list[str]] = {}
    for path in paths:
        last: Sequence[str] = ("",)
        for tails, heads in pairs(path):
            for ends in ((tail, head) for tail in tails for head in heads if path.goes(tail, head)):
                ids = crossing.setdefault(ends, [])
                ids += [path.id] * (path.id not in ids)
            last = heads
        if path.destination and path.destination not in last:
            word = "" if path.ended == "reached" else path.ended
            for tail in last:
                beyond.setdefault((tail, path.destination, word), []).append(path.id)
    for ends, ids in crossing.items():
        rate = rates.get(ends, 0.0)
        yield Edge(*ends, (" ".join(ids), *([_rate(rate)] if rate else [])), True)
    for (tail, head, word), ids in beyond.items():
        yield Edge(tail, head, (" ".join(ids), *([word] if word else [])), False)


def _rate(value: float) -> str:
    size, unit = next((step for step in _RATES if value >= step[0] * _NEARLY), _RATES[-1])
    return f"{value / size:.3g}{unit}"


# -- how labels are written


def _lines(label: Sequence[str], write: Callable[[str], str], between: str) -> str:
    return between.join(map(write, label))


def _visible(text: str) -> str:
    """Every sign that is no sign on paper as its escape sequence."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _in_dot(text: str) -> str:
    """Within double quotes: of backslashes and entities of HTML none is left to be understood."""
    return _visible(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _in_mermaid(text: str) -> str:
    """All but letters, digits and what is plain in addresses as an entity: ``#NUMBER;``."""
    return "".join(sign if sign.isalnum() or sign in " .:-_" else f"#{ord(sign)};" for sign in _visible(text))
