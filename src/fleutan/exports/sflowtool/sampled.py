# SPDX-License-Identifier: Apache-2.0
"""Sampled and discarded packets of a batch as lines of twenty columns, from columns.

What ``legacy`` makes of a sample's pieces of output is made here of many samples at once, in the
same words.  Samples that say something in a way that few do (headers within tunnels' structures,
extension headers, 802.2, 802.11) are left to ``legacy``, one by one: each is *odd* here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.exports.sflowtool.headers import headers
from fleutan.exports.sflowtool.heads import Dialect
from fleutan.exports.sflowtool.legacy import line_of
from fleutan.exports.sflowtool.rows import DROP, FLOW, Rows
from fleutan.exports.sflowtool.shapes import address
from fleutan.protocols.sflow import layouts
from fleutan.protocols.sflow.columns import Walk
from fleutan.protocols.sflow.columns.problems import Problems
from fleutan.protocols.sflow.columns.samples import Samples, samples_of
from fleutan.protocols.sflow.columns.structures import Structures, read
from fleutan.protocols.sflow.cursor import Cursor
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.sflow.reasons import reason
from fleutan.protocols.sflow.samples import read_sample
from fleutan.records import Values

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_HEADER, _SWITCH, _INTERFACE = 1, 1001, 1
#: Structures that fill columns and are not read here: packets in fields, tunnels' ends, sockets, wireless payloads.
ODD = (2, 3, 4, 1013, *range(1021, 1027), 2100, 2101)
#: Numbers of structures of other enterprises, none of which fills a column.
_OTHERS = 1 << 12


class Lines(NamedTuple):
    """The lines of a batch's samples.

    ``rows`` are those of the samples ``places`` of the walk, ascending; ``others`` are lines as they
    are, each with its sample's place.
    """

    rows: Rows
    places: Ints
    others: list[tuple[int, bytes]]


def flow_lines(walk: Walk, kept: Mask | None = None) -> Lines:
    """Lines of flow samples, of all or of those that ``kept`` chooses of the whole ones."""
    return _lines(walk, (layouts.FLOW_SAMPLE, layouts.FLOW_SAMPLE_EXPANDED), FLOW, kept)


def drop_lines(walk: Walk, kept: Mask | None = None) -> Lines:
    """Lines of discarded packets, of all or of those that ``kept`` chooses of the whole ones."""
    return _lines(walk, (layouts.DISCARDED_PACKET,), DROP, kept)


def counter_lines(walk: Walk) -> list[tuple[int, bytes]]:
    """Lines of interfaces' counters, each with its sample's place in the walk, ascending."""
    forms = (layouts.COUNTERS_SAMPLE, layouts.COUNTERS_SAMPLE_EXPANDED)
    samples, problems = samples_of(walk, forms, Problems()), Problems()
    some = np.flatnonzero(samples.tags == _INTERFACE)
    some = some[np.argsort(samples.structures.owner[some], kind="stable")]
    layout = layouts.COUNTER_FORMS[_INTERFACE][0]
    found = read(walk.words, samples.structures.at[some], samples.structures.ends[some], layout, problems)
    whole = np.flatnonzero(found.known.get(layout.names[-1], np.ones(len(some), np.bool_)))
    owner = samples.structures.owner[some][whole]
    # Of several in a sample the last counts.
    last = whole[np.append(owner[1:] != owner[:-1], True)[: len(owner)]]
    numbers = np.stack([found.values[name][last] for name in layout.names], 1).view(np.uint64).tolist()
    owner = samples.structures.owner[some][last]
    agents = _agents(walk, samples.values["datagram"][owner])
    form = b"CNTR,%s," + b",".join([b"%d"] * len(layout.names)) + b"\n"
    lines = (form % (agent, *those) for agent, those in zip(agents, numbers, strict=True))
    return list(zip(samples.places[owner].tolist(), lines, strict=True))


def reasons_of(codes: Collection[int]) -> list[bytes]:
    """The words of these numbers of reasons."""
    return [reason(code).encode() for code in codes]


def _agents(walk: Walk, datagrams: Ints) -> list[bytes]:
    known = walk.datagrams.known.get("agent", np.ones(len(walk.earlier), np.bool_))[datagrams].tolist()
    return [
        _agent(halves) if there else b"-"
        for halves, there in zip(walk.datagrams.values["agent"][datagrams], known, strict=True)
    ]


def _agent(halves: Ints) -> bytes:
    octets = halves.astype(">i8").tobytes()
    return address(octets[12:] if octets[:12] == bytes(10) + b"\xff\xff" else octets).encode()


def _lines(walk: Walk, forms: tuple[Layout, ...], kind: int, kept: Mask | None) -> Lines:
    samples = samples_of(walk, forms, Problems())
    packets = _Packets(walk, samples)
    rows = packets.rows(kind)
    kept = np.ones(samples.rows, np.bool_) if kept is None else kept
    others = _others(walk, samples, np.flatnonzero(packets.odd & kept))
    some = kept & ~packets.odd
    if some.all():
        return Lines(rows, samples.places, others)
    return Lines(rows.take(some), samples.places[some], others)


def _others(walk: Walk, samples: Samples, odd: Ints) -> list[tuple[int, bytes]]:
    """The lines of these samples, each by itself."""
    agents = _agents(walk, samples.values["datagram"][odd])
    octets, dialect = walk.words.octets.data, Dialect()
    found = []
    for place, agent in zip(samples.places[odd].tolist(), agents, strict=True):
        begin, end = 4 * int(walk.samples.at[place]), int(walk.samples.ends[place])
        cursor = Cursor(bytes(octets[begin:end]), 0, end - begin, [])
        line = line_of(read_sample(cursor, int(walk.tags[place])), agent.decode(), dialect)
        found.append((place, line.encode()))
    return found


class _Packets:
    """What samples say of their packets; ``odd`` are those that say it in another way than most."""

    def __init__(self, walk: Walk, samples: Samples) -> None:
        self.walk, self.samples = walk, samples
        self.odd: Mask = np.zeros(samples.rows, np.bool_)
        self._mark_structures()
        self.header, self.header_of = self._only(_HEADER)
        self.switch, self.switch_of = self._only(_SWITCH)

    def _mark_structures(self) -> None:
        tags = self.samples.tags
        there = np.flatnonzero(np.bincount(np.minimum(tags, _OTHERS))).tolist()
        for tag in set(there) & set(ODD):
            self.odd[self.samples.structures.owner[tags == tag]] = True

    def _only(self, tag: int) -> tuple[Structures, Ints]:
        """The structures of a number, and the samples that have them: once, and whole, or they are odd."""
        chain = self.samples.structures
        some = np.flatnonzero(self.samples.tags == tag)
        owner = chain.owner[some]
        if len(owner) and not (owner[1:] > owner[:-1]).all():
            self.odd |= np.bincount(owner, minlength=self.samples.rows) > 1
            owner, first = np.unique(owner, return_index=True)
            some = some[first]
        found = read(self.walk.words, chain.at[some], chain.ends[some], layouts.FLOW_FORMS[tag][0], Problems())
        for known in found.known.values():
            self.odd[owner[~known]] = True
        return found, owner

    def spread(self, values: Values, owner: Ints) -> Values:
        """Values of the samples ``owner`` as a column of all, 0 of the others."""
        if len(owner) == self.samples.rows:
            return values
        whole: Values = np.zeros((self.samples.rows, *values.shape[1:]), values.dtype)
        whole[owner] = values
        return whole

    def rows(self, kind: int) -> Rows:
        """All samples, the odd ones too, whose columns mean nothing."""
        values, datagram = self.samples.values, self.samples.values["datagram"]
        agents = self.walk.datagrams
        known = agents.known.get("agent")
        ends = "" if kind == DROP else "_value"
        packets = self._headers()
        return Rows(
            np.full(self.samples.rows, kind),
            agents.values["agent"][datagram],
            np.ones(len(datagram), np.bool_) if known is None else known[datagram],
            values["input" + ends],
            values["output" + ends],
            **packets,
            last=values["reason" if kind == DROP else "sampling_rate"],
        )

    def _headers(self) -> dict[str, Values]:
        """The columns that headers fill, and switches."""
        header, owner, strings = self.header.values, self.header_of, self.header.strings["header"]
        if len(strings.rows) < len(owner):
            header, owner = {name: one[strings.rows] for name, one in header.items()}, owner[strings.rows]
        size = header["frame_length"]
        packets = headers(strings.spans, header["protocol"], size - header["stripped"])
        self.odd[owner[packets.odd]] = True
        found = {name: self.spread(column, owner) for name, column in packets.columns.items()}
        vlans = self._vlans(found["in_vlan"], self.spread(packets.tagged, owner))
        return found | vlans | {"size": self.spread(size, owner)}

    def _vlans(self, tag: Ints, tagged: Mask) -> dict[str, Ints]:
        """Of the header's tags and the switch's VLAN the last one counts."""
        if not len(self.switch_of):
            return {"out_vlan": np.zeros(self.samples.rows, np.int64)}
        source, target = (self.spread(self.switch.values[f"{end}_vlan"], self.switch_of) for end in ("src", "dst"))
        later = self._number(_SWITCH) > self._number(_HEADER)
        switched = np.zeros(self.samples.rows, np.bool_)
        switched[self.switch_of] = True
        return {"in_vlan": np.where(switched & (later | ~tagged), source, tag), "out_vlan": target}

    def _number(self, tag: int) -> Ints:
        """Which structure of its sample the one with this number is."""
        some = self.samples.tags == tag
        found = np.full(self.samples.rows, -1)
        found[self.samples.structures.owner[some]] = self.samples.structures.number[some]
        return found
