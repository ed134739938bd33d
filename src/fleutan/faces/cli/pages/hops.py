# SPDX-License-Identifier: Apache-2.0
"""Paths and their hops in words: what the pages of paths have in common.

Where the words stand is the business of ``bands`` and of each page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from fleutan.analysis.figures import numbers
from fleutan.analysis.paths import Hop, Path, Router, flows_of
from fleutan.faces.cli import figures
from fleutan.faces.cli.pages import flow_count
from fleutan.faces.cli.pages.bands import Entry
from fleutan.table import Table
from fleutan.views import ENDS, View

#: The flows above paths; on a narrow screen the protocol and the round-trip time go first.
FLOWS = View("paths", ("path", "proto", "local", "remote", "rtt", "proc"), (), (), ("proto", "rtt"), ())
#: A name may be cut to the width of an IPv4 address: it ends with what the number of its system says too.
NAMED = 15
#: Where nobody answered.
SILENT = "*"
#: How a trace ended, but at its destination.
ENDED = {
    "refused": "refused: no way on",
    "silent": "silent: nobody answers beyond",
    "loop": "loop: goes in a circle",
    "last": "last: goes on beyond the last hop asked for",
    "unsent": "unsent: no way out of this host",
    "closed": "closed: the flow ended before its trace",
}


def told(table: Table, paths: Sequence[Path]) -> Iterator[str]:
    """What stands above a page: how many flows and paths, and how many flows were not traced."""
    yield flow_count(len(table))
    yield plural(len(paths), "path")
    untraced = len(table) - sum(map(len, flows_of(table).values()))
    if untraced:
        yield f"{untraced:,} not traced"


def plural(count: int, noun: str) -> str:
    """``1 path``, ``1,000 paths``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shown(table: Table, names: Iterable[str]) -> list[str]:
    """Of the names those that the table has."""
    return [name for name in names if all(field in table for field in ENDS.get(name, (name,)))]


def heading(path: Path) -> str:
    """``p0 flow 192.0.2.9``."""
    return figures.printable(f"{path.id} {path.method} {path.destination}".rstrip(" "))


def name(router: Router) -> str:
    """Its name, else its address."""
    return figures.printable(router.name or router.address)


def names(hop: Hop) -> str:
    """Who answered at a hop: ``a``, ``a/b``, ``*``."""
    return "/".join(map(name, hop.routers)) or SILENT


def origin(router: Router) -> str:
    """``[AS64496 DE]`` as far as it is known."""
    known = [f"AS{router.asn}"] if router.asn is not None else []
    known += [figures.printable(router.country)] if router.country else []
    return f"[{' '.join(known)}]" if known else ""


def lost(loss: float | None) -> str:
    """A share in whole per cent; what is not nothing does not read as nothing."""
    if loss is None:
        return figures.UNKNOWN
    return "<1%" if 0 < loss < 0.005 else f"{loss:.0%}" if loss else "0"


def who(path: Path, hop: Hop) -> str:
    """Who answered at a hop of a path; in brackets the destination where it is taken to be there, but kept silent."""
    behind = path.inferred and hop is path.hops[-1]
    return f"({figures.printable(path.destination)})" if behind else names(hop)


def entries(path: Path, hop: Hop, number: str = "") -> list[Entry]:
    """The hop of a path as the lines of a cell, behind its number where one is given."""
    if not hop.routers:
        return [Entry(who(path, hop), colour="dim", number=number)]
    first, *others = hop.routers
    blank = " " * len(number)
    return [_entry(first, hop.loss, number, hop.balancing), *(_entry(router, None, blank) for router in others)]


def _entry(router: Router, loss: float | None, number: str, balancing: str = "") -> Entry:
    told = (
        figures.printable(balancing),
        f"{lost(loss)} lost" if loss else "",
        figures.printable(router.refusal),
        origin(router),
    )
    labels = f"MPLS {'/'.join(router.labels)}" if router.labels else ""
    mtu = f"mtu {router.mtu}" if router.mtu is not None else ""
    more = (figures.printable(part) for part in (labels, *router.changes, mtu) if part)
    return Entry(
        name(router),
        figures.time_us(router.rtt_us),
        tuple(filter(None, told)),
        tuple(more),
        "red" if router.refusal else "yellow" if loss else "",
        number,
        NAMED if router.name else None,
    )


def ended(path: Path) -> str:
    """How its trace ended, unless at its destination."""
    return "" if path.ended == "reached" else ENDED.get(path.ended, figures.printable(path.ended))


def least_rtts(table: Table) -> dict[str, float]:
    """The least round-trip time of the flows of each path, where any is known."""
    rtts = numbers(table, "rtt")
    known = {path: rtts[rows][~np.isnan(rtts[rows])] for path, rows in flows_of(table).items()}
    return {path: float(those.min()) for path, those in known.items() if len(those)}


def times(path: Path, of_flows: Mapping[str, float]) -> str:
    """``12.3ms, tcp 13ms``: the path's round-trip time, and that of its flows."""
    said = []
    farthest = next((hop for hop in reversed(path.hops) if hop.routers), None)
    if farthest is not None and farthest.rtt_us is not None:
        rtt = figures.time_us(farthest.rtt_us)
        said.append(rtt if path.rtt_us is not None else f"{rtt} to hop {farthest.ttl}")
    if path.id in of_flows:
        said.append(f"tcp {figures.time_us(of_flows[path.id])}")
    return ", ".join(said)


def ranges(places: Sequence[int], paths: Sequence[Path]) -> str:
    """The paths at these places, ascending: ``p0,p2-p9``."""
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ",".join(_run(run, paths) for run in runs)


def _run(run: Sequence[int], paths: Sequence[Path]) -> str:
    first, last = (figures.printable(paths[place].id) for place in (run[0], run[-1]))
    return first if len(run) == 1 else f"{first},{last}" if len(run) == 2 else f"{first}-{last}"


def names_of(paths: Iterable[Path]) -> dict[str, Router]:
    """The router of each address; of several answers the one that has a name."""
    found: dict[str, Router] = {}
    for router in (router for path in paths for hop in path.hops for router in hop.routers):
        if router.address not in found or (router.name and not found[router.address].name):
            found[router.address] = router
    return found
