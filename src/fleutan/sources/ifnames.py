# SPDX-License-Identifier: Apache-2.0
"""Names of exporters' interfaces, as options of NetFlow 9 and IPFIX and counters of sFlow tell them.

A name belongs to a device (the exporter's address, of sFlow the agent's) and an ifIndex.  How names
outlive a restart is the business of ``remembered``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from fleutan.analysis.alike import groups
from fleutan.column import Column
from fleutan.protocols.netflow.decoding import Batch
from fleutan.protocols.netflow.wire.groups import Group
from fleutan.protocols.netflow.wire.templates import places
from fleutan.protocols.sflow import columns as sflow
from fleutan.records import Values
from fleutan.sources.exported import Decoded

#: So many names are kept in all; more are not learned.
NAMES = 1 << 16
#: So many letters of a name (RFC 2863 has 255 octets at most).
LETTERS = 255
#: sFlow's structure port_name, and the class of data sources that are interfaces.
PORT_NAME, INTERFACES = 1005, 0
#: IPFIX's elements 82 and 83, the better one first; and those that say which interface it is.
_NAMED = ("interfaceName", "interfaceDescription")
_NUMBERED = ("ingressInterface", "egressInterface", "scopeInterface")


class Interface(NamedTuple):
    """An interface of a device: the halves of its address, and its ifIndex."""

    high: int
    low: int
    number: int


class Interfaces:
    """All names; ``fresh`` are those that are new or another since ``taken`` was last called."""

    def __init__(self) -> None:
        self.names: dict[Interface, str] = {}
        self._fresh: set[Interface] = set()

    def put(self, interface: Interface, name: str) -> None:
        """Takes a name; none that is empty, and none more than NAMES."""
        name = "".join(letter for letter in name[:LETTERS] if letter.isprintable()).strip()
        old = self.names.get(interface)
        if name and name != old and (old is not None or len(self.names) < NAMES):
            self.names[interface] = name
            self._fresh.add(interface)

    def learn(self, found: Decoded, counters: sflow.Counters | None = None) -> None:
        """Takes what a batch tells; ``counters`` are its counter samples, if they are read already."""
        told = list(_options(found.netflow)) if found.netflow is not None else []
        if found.samples is not None:
            told += _counters(found.samples.walk, counters or found.samples.counters)
        for interface, name in told:
            self.put(interface, name)

    def taken(self) -> list[tuple[Interface, str]]:
        """What changed since the last time."""
        fresh, self._fresh = self._fresh, set()
        return [(interface, self.names[interface]) for interface in fresh]

    def again(self, interfaces: Iterable[Interface]) -> None:
        """What was taken, and could not be kept, is fresh still."""
        self._fresh.update(interfaces)

    def column(self, devices: Column, indexes: Column) -> Column:
        """The name of each row's interface: ``devices`` are addresses, ``indexes`` numbers; unknown is null."""
        known = devices.mask() & indexes.mask()
        high, low = (np.ascontiguousarray(half) for half in devices.values.T)
        group, some = groups([high, low, indexes.values])
        names = [self.names.get(Interface(int(high[row]), int(low[row]), int(indexes.values[row]))) for row in some]
        words = tuple(dict.fromkeys(name for name in names if name is not None))
        code = {word: number for number, word in enumerate(words)}
        codes = np.array([-1 if name is None else code[name] for name in names], np.int32)
        return Column(np.where(known, codes[group], -1).astype(np.int32), None, words)


_Told = tuple[Interface, str]


def _options(batch: Batch) -> Iterator[_Told]:
    for group in batch.of(options=True):
        fields = places(group.layout.fields)
        named = next((fields[name] for name in _NAMED if name in fields), None)
        numbered = next((fields[name] for name in _NUMBERED if name in fields), None)
        if named is not None and numbered is not None:
            yield from _group(batch, group, named, numbered)


def _group(batch: Batch, group: Group, named: int, numbered: int) -> Iterator[_Told]:
    since = batch.since
    numbers = group.numbers(numbered)[0].tolist()
    rows = zip(since.scope[group.sets].tolist(), numbers, group.spans(named).strings(), strict=True)
    for scope, number, name in rows:
        of = since.scopes[scope]
        yield Interface(of.high, of.low, number), _text(name)


def _counters(walk: sflow.Walk, counters: sflow.Counters) -> Iterator[_Told]:
    structure = counters.structures.get(PORT_NAME)
    if structure is None or "name" not in structure.strings:
        return
    rows, spans = structure.strings["name"]
    values = structure.records.values
    agents = walk.datagrams.values["agent"][values["datagram"][rows]].tolist()
    sources: tuple[Values, Values] = values["ds_class"][rows], values["ds_index"][rows]
    for (high, low), kind, number, name in zip(
        agents, *(part.tolist() for part in sources), spans.strings(), strict=True
    ):
        if kind == INTERFACES:
            yield Interface(high, low, number), _text(name)


def _text(octets: bytes) -> str:
    """Fixed fields are filled up with NUL."""
    return octets.partition(b"\0")[0].decode("utf-8", "replace")
