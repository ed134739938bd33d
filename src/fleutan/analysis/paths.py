# SPDX-License-Identifier: Apache-2.0
"""Paths as values: hops, the routers that answered there, and what flows carry over them.

A path is small, so it is rows and no Table; flows name theirs in the field ``path``.  How paths
are found out is the business of ``sources``, where they part that of ``divergence``.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.address import parse_prefix
from fleutan.analysis.figures import float_column, int_column
from fleutan.column import Column, text_column
from fleutan.table import Table


class Router(NamedTuple):
    """One that answered at a distance: its round-trip times, and what its answers told."""

    address: str
    rtts_us: tuple[float, ...]
    name: str | None = None
    asn: int | None = None
    country: str | None = None
    #: The hop limit of its answers: how far away it is on the way back.
    ttl: int | None = None
    #: ``!N``, ``!H``, ``!X`` ... where it refused.
    refusal: str = ""
    labels: tuple[str, ...] = ()
    #: What was changed on the way there: ``nat``, ``tos``, ``mss``.
    changes: tuple[str, ...] = ()
    mtu: int | None = None

    @property
    def rtt_us(self) -> float:
        """The least: what is above it is waiting."""
        return min(self.rtts_us)


class Hop(NamedTuple):
    """One distance: the probes that went there, those that were lost, and who answered."""

    ttl: int
    routers: tuple[Router, ...]
    sent: int = 0
    lost: int = 0
    #: How packets are spread over several routers here: "per flow", "per packet", or "" where that is not known.
    balancing: str = ""
    #: From which routers of the hop before to which of this one flows were seen to go, where that is known.
    links: tuple[tuple[str, str], ...] = ()

    @property
    def addresses(self) -> frozenset[str]:
        """Who answered."""
        return frozenset(router.address for router in self.routers)

    @property
    def rtt_us(self) -> float | None:
        """The least round-trip time of this hop; None where nobody answered."""
        return min((router.rtt_us for router in self.routers), default=None)

    @property
    def loss(self) -> float | None:
        """The share of probes without an answer; None where none was sent."""
        return self.lost / self.sent if self.sent else None


class Path(NamedTuple):
    """A way to one destination; ``ended`` says how its trace did (``protocols.trace``)."""

    id: str
    method: str
    hops: tuple[Hop, ...]
    ended: str = "reached"
    destination: str = ""

    @property
    def known(self) -> tuple[frozenset[str], ...]:
        """Who answered at each distance: what tells paths apart."""
        return tuple(hop.addresses for hop in self.hops)

    @property
    def inferred(self) -> bool:
        """Whether the destination kept silent and is taken to be at the last hop."""
        return self.ended == "reached" and bool(self.hops) and not self.hops[-1].routers

    @property
    def rtt_us(self) -> float | None:
        """The least round-trip time to the destination; None where it did not answer."""
        return self.hops[-1].rtt_us if self.ended == "reached" and self.hops else None

    def goes(self, tail: str, head: str) -> bool:
        """Whether flows may go from one router to another, as far as links were looked for."""
        told = [hop for hop in self.hops if hop.links and any(head == to for _, to in hop.links)]
        return not told or any((tail, head) in hop.links for hop in told)

    def at(self, hop: Hop) -> frozenset[str]:
        """Who is at a hop of it: who answered, or the destination where that is taken to be there."""
        return frozenset([self.destination]) if self.inferred and hop is self.hops[-1] else hop.addresses


def flows_of(table: Table) -> dict[str, NDArray[np.int64]]:
    """The rows of the flows that take each path, in their order; those without one are in none."""
    column = table.columns.get("path")
    if column is None:
        return {}
    known = column.mask()
    places = ((word, np.flatnonzero(known & (column.values == code))) for code, word in enumerate(column.words or ()))
    return {word: rows for word, rows in places if len(rows)}


def table(paths: Sequence[Path], flows: Table) -> Table:
    """The Table ``paths``: a row each, with how many of the flows take it (``connections``)."""
    taken = flows_of(flows)
    ends = [parse_prefix(path.destination or "::") for path in paths]
    columns = {
        "path": text_column([path.id for path in paths]),
        "method": text_column([path.method for path in paths]),
        "dst": Column(np.array([(end.hi_first, end.lo_first) for end in ends], np.int64).reshape(-1, 2)),
        "hop_count": int_column(np.array([float(len(path.hops)) for path in paths])),
        "rtt": int_column(np.array([np.nan if path.rtt_us is None else path.rtt_us for path in paths], np.float64)),
        "path_loss": float_column(np.array([_loss(path) for path in paths], np.float64), 4),
        "path_end": text_column([path.ended for path in paths]),
        "connections": int_column(np.array([float(len(taken.get(path.id, ()))) for path in paths])),
        "via": text_column([" ".join(",".join(sorted(hop.addresses)) or "*" for hop in path.hops) for path in paths]),
    }
    return Table("paths", columns, flows.reading)


def _loss(path: Path) -> float:
    loss = path.hops[-1].loss if path.hops and not path.inferred else None
    return np.nan if loss is None else loss


def merged(paths: Iterable[Path]) -> tuple[list[Path], list[int]]:
    """Equal paths as one, named p0, p1 ... in the order of the first of each; and of each given path its place.

    Equal is who answered, hop by hop, and the method; a hop that was silent for one may have
    answered for another.
    """
    found: list[list[Path]] = []
    places: list[int] = []
    for path in paths:
        place = next((place for place, same in enumerate(found) if _alike(same[0], path)), len(found))
        if place == len(found):
            found.append([])
        found[place].append(path)
        places.append(place)
    return [_joined(f"p{place}", same) for place, same in enumerate(found)], places


def _alike(one: Path, other: Path) -> bool:
    if (one.method, one.destination, len(one.hops)) != (other.method, other.destination, len(other.hops)):
        return False
    return all(not mine or not theirs or mine == theirs for mine, theirs in zip(one.known, other.known, strict=True))


def _joined(name: str, paths: Sequence[Path]) -> Path:
    first = paths[0]
    hops = tuple(_joined_hops([path.hops[place] for path in paths]) for place in range(len(first.hops)))
    ended = min((path.ended for path in paths), key=lambda word: (word != "reached", word))
    return first._replace(id=name, hops=hops, ended=ended)


def _joined_hops(hops: Sequence[Hop]) -> Hop:
    routers: dict[str, Router] = {}
    for router in (router for hop in hops for router in hop.routers):
        known = routers.get(router.address)
        rtts = (*known.rtts_us, *router.rtts_us) if known else router.rtts_us
        routers[router.address] = (known or router)._replace(rtts_us=rtts)
    sent, lost = sum(hop.sent for hop in hops), sum(hop.lost for hop in hops)
    return hops[0]._replace(routers=tuple(routers.values()), sent=sent, lost=lost)


class Link(NamedTuple):
    """What goes from one router to the next: bits a second, and how many flows; '' is this host."""

    tail: str
    head: str
    rate: float
    flows: int


def loads(paths: Sequence[Path], rates: Mapping[str, Sequence[float]]) -> tuple[list[Link], list[Link]]:
    """What crosses each router and each link, the heaviest first.

    ``rates`` are bits a second of each flow of a path.  Where several routers answer at a hop, a
    flow's rate is parted evenly among them, and it is counted as a flow of each.  Of a router
    ``tail`` and ``head`` are the same.
    """
    routers: dict[tuple[str, str], list[float]] = {}
    links: dict[tuple[str, str], list[float]] = {}
    for path in paths:
        flows = rates.get(path.id, ())
        for sums, parts in zip((routers, links), _parts(path), strict=True):
            for ends, part in parts.items():
                rate, count = sums.get(ends, (0.0, 0))
                sums[ends] = [rate + sum(flows) * part, count + len(flows)]
    return _heaviest(routers), _heaviest(links)


def _parts(path: Path) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
    """Which part of a flow crosses each router and each link; one that stands there twice has it once."""
    routers: dict[tuple[str, str], float] = {}
    links: dict[tuple[str, str], float] = {}
    for tails, heads in pairs(path):
        for head in heads:
            routers[head, head] = max(routers.get((head, head), 0.0), 1 / len(heads))
            for tail in tails:
                links[tail, head] = max(links.get((tail, head), 0.0), 1 / len(heads) / len(tails))
    return routers, links


def pairs(path: Path) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Who answered at the hop before, and who at this: of each hop that did; before the first is '', this host."""
    tails: Sequence[str] = ("",)
    for hop in path.hops:
        heads = sorted(hop.addresses)
        if heads:
            yield tails, heads
            tails = heads


def _heaviest(sums: Mapping[tuple[str, str], Sequence[float]]) -> list[Link]:
    links = [Link(*ends, rate, int(flows)) for ends, (rate, flows) in sums.items()]
    return sorted(links, key=lambda link: (-link.rate, -link.flows, link.tail, link.head))


#: The share of a round-trip time by which two of the same way differ for no reason.
NOISE = 0.1


class Step(NamedTuple):
    """Where time and loss come in: what a hop adds to the least round-trip time before it, and how sure that is.

    ``added_us`` is None where it cannot be told; ``spread_us`` is how far the answers lie apart
    (the middle half of them).  ``slow_reply``: the hop answers late but forwards at once, since a
    later one has less, by more than that and by more than NOISE.  ``loss`` is what is lost here and beyond as well.
    """

    ttl: int
    added_us: float | None
    spread_us: float | None
    slow_reply: bool
    loss: float | None


def steps(path: Path) -> list[Step]:
    """Each hop of a path: what it adds to time and loss, and whether it only answers slowly."""
    least = [hop.rtt_us for hop in path.hops]
    # A destination that keeps silent loses nothing: its connection lives.
    losses = [hop.loss for hop in (path.hops[:-1] if path.inferred else path.hops)]
    found: list[Step] = []
    before = 0.0
    lost_before = 0.0
    for place, hop in enumerate(path.hops):
        later = min((rtt for rtt in least[place + 1 :] if rtt is not None), default=None)
        rtt = least[place]
        spread = _spread(hop)
        slow = rtt is not None and later is not None and rtt - later > max(rtt * NOISE, spread or 0.0)
        true = None if rtt is None else min(rtt, later if later is not None else rtt)
        added = None if true is None else max(0.0, true - before)
        beyond = min((loss for loss in losses[place:] if loss is not None), default=None)
        lost = None if beyond is None else max(0.0, beyond - lost_before)
        found.append(Step(hop.ttl, added, spread, slow, lost))
        before = max(before, true or 0.0)
        lost_before = max(lost_before, beyond or 0.0)
    return found


def _spread(hop: Hop) -> float | None:
    rtts = [rtt for router in hop.routers for rtt in router.rtts_us]
    if len(rtts) < 2:
        return None
    first, _, third = statistics.quantiles(rtts, n=4, method="inclusive")
    return third - first
