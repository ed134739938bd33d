# SPDX-License-Identifier: Apache-2.0
"""What sources know of sampled and dropped packets, under the names of sFlow's structures.

Texts of dropped packets are encoded once for each that there is, not for each packet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from fleutan.column import Column
from fleutan.observed import ENTITY, HOST, INTERFACE
from fleutan.programs.agent.pools import Pools
from fleutan.protocols.sflow.batches import Sampled, Structure
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode_element
from fleutan.protocols.sflow.layouts import FLOW_FORMS
from fleutan.protocols.sflow.layouts.owners import ENTERPRISE
from fleutan.protocols.spans import Ints, Mask, Spans, joined
from fleutan.records import Records, kinds
from fleutan.sources.discarded import Discards
from fleutan.sources.packets.columns import Packets as SocketPackets
from fleutan.sources.packets.columns import Tap, Totals
from fleutan.sources.packets.deltas import Deltas
from fleutan.sources.packets.kernel_samples import KernelSamples
from fleutan.sources.packets.owning import Owners, with_owners

_WORD = 0xFFFF_FFFF
_FUNCTION, _TRAP, _REASON = (FLOW_FORMS[number][0] for number in (1038, 1041, 1042))
#: What is known of a queue: the column, its structure, and the field of that.
_QUEUED = (
    ("queue", "extended_egress_queue", "queue"),
    ("depth", "extended_queue_depth", "depth"),
    ("delay", "extended_transit_delay", "delay"),
)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Where packets come from."""

    def wait(self, seconds: float) -> None:
        """Waits until there are some, or so long."""

    def read(self) -> T_co | None:
        """What came since the last time, or a part of it; None or nothing where that is all."""


def a_moment(seconds: float) -> None:
    """Waits so long at most, and a tenth of a second at most.

    For what comes from the kernel one by one: its socket has room for more than comes meanwhile, a batch costs as much
    as some hundred packets in it, and as many as come in that time are read at once.
    """
    time.sleep(min(seconds, 0.1))


class Read(Generic[T]):
    """A source's packets as an agent takes them; ``wait`` in place of the source's own, if it is given."""

    def __init__(
        self,
        source: Source[T],
        convert: Callable[[T], Sampled | None],
        wait: Callable[[float], None] | None = None,
    ) -> None:
        self._source, self._convert = source, convert
        self.wait = wait or source.wait

    def batch(self, _: float) -> Sampled | None:
        """What came since the last time."""
        found = self._source.read()
        return None if found is None else self._convert(found)


def of_kernel(found: KernelSamples) -> Sampled | None:
    """Packets that the kernel sampled by itself."""
    if not found.rows:
        return None
    n = found.rows
    zeros = np.zeros(n, np.int64)
    head = {
        "ds_class": zeros,
        "ds_index": found.ifindex,
        "sampling_rate": found.rate,
        "sample_pool": found.pool,
        "drops": found.drops,
        "input_format": zeros,
        "input_value": found.input,
        "output_format": zeros,
        "output_value": found.output,
    }
    structures = [_timed(found.at_ns)]
    for column, structure, field in _QUEUED:
        values: Ints = getattr(found, column)
        structures.append(_known(structure, field, values, values >= 0))
    known = Records(n, {"at_ns": found.at_ns, "egress": found.egress}, {})
    return Sampled(head, found.protocol, found.length, found.stripped, found.header, structures, known=known)


#: Structure 2209 and the columns that it is made of, of a socket of this host.
_TCP = {
    "direction": "direction",
    "snd_mss": "snd_mss",
    "rcv_mss": "rcv_mss",
    "unacked": "unacked",
    "lost": "lost",
    "retrans": "retrans",
    "pmtu": "pmtu",
    "rtt": "rtt_us",
    "rttvar": "rttvar_us",
    "snd_cwnd": "snd_cwnd",
    "reordering": "reordering",
    "min_rtt": "min_rtt_us",
}
_DELTAS = {
    "elapsed": "since_ms",
    "segs_out": "segs_out_since",
    "retrans": "retrans_since",
    "rtt": "rtt_us",
    "rtt_change": "rtt_change_us",
}
#: Numbers of a socket's owner, and what each is where it is not known.
_OWNERS = (("pid", _WORD), ("uid", _WORD), ("cookie", 0), ("cgroup_id", 0))
_OF_OWNERS = (*(name for name, _ in _OWNERS), "comm", "unit", "container")
_OWNER = FLOW_FORMS[ENTERPRISE << 12 | 1][0]
_VLANS = {"src_vlan": "in_vlan", "src_priority": "in_priority", "dst_vlan": "out_vlan", "dst_priority": "out_priority"}


class Sockets(Protocol):
    """What ``sources.packets.sampler.BpfSampler`` gives."""

    def wait(self, seconds: float) -> None:
        """Waits."""

    def read(self) -> SocketPackets | None:
        """Packets."""

    def totals(self) -> dict[Tap, Totals]:
        """Counts of each sampler."""


class Told(NamedTuple):
    """What is told of packets besides their headers.

    With ``tcp`` the state of their connections; with ``entities``, which gives data sources by control groups, what
    their sockets belong to; with ``every`` all standard structures that there are, not one of those that some
    decoders stumble over.
    """

    tcp: bool = True
    entities: Callable[[Ints], Ints] | None = None
    every: bool = False


ALL = Told()


class Both:
    """Packets that were sampled both ways of a device: one data source, whose packets are those of both.

    With ``owners`` they have who holds their sockets and how their connections fared.
    """

    def __init__(self, sampler: Sockets, told: Told = ALL, owners: Owners | None = None) -> None:
        self._sampler, self._told, self._owners, self._deltas = sampler, told, owners, Deltas()
        self._pools = Pools()
        self.wait = sampler.wait

    def batch(self, _: float) -> Sampled | None:
        """What came since the last time."""
        found = self._sampler.read()
        if found is None:
            return None
        if self._owners is not None:
            found = with_owners(self._deltas.of(found), self._owners)
        sums = self._sums()
        made = of_packets(found, sums, self._told)
        pool = self._pools.each(made.head["ds_index"], made.head["sample_pool"])
        self._pools.forget(frozenset(sums))
        return replace(made, head={**made.head, "sample_pool": pool})

    def _sums(self) -> dict[int, Totals]:
        sums: dict[int, Totals] = {}
        for tap, one in self._sampler.totals().items():
            pool, drops = sums.get(tap.ifindex, (0, 0))
            sums[tap.ifindex] = Totals(pool + one.pool, drops + one.drops)
        return sums


def of_packets(found: SocketPackets, totals: Mapping[int, Totals], told: Told = ALL) -> Sampled:
    """Packets that BPF programs sampled, with the state of their sockets; ``totals`` are of data sources."""
    values, n = found.columns.values, found.rows
    zeros = np.zeros(n, np.int64)
    first, place = kinds([values["ifindex"]])
    pairs = [totals.get(index, Totals(0, 0)) for index in values["ifindex"][first].tolist()]
    pool, drops = np.array(pairs, np.int64).reshape(-1, 2)[place].T
    head = {
        "ds_class": zeros,
        "ds_index": values["ifindex"],
        "sampling_rate": values["rate"],
        "sample_pool": np.maximum(pool, values["pool"]),
        "drops": np.maximum(drops, values["drops"]),
        "input_format": zeros,
        "input_value": values["input"],
        "output_format": zeros,
        "output_value": values["output"],
    }
    ready = [owned] if (owned := _owned(found)) is not None else []
    structures = [*_structures(found, told)]
    fixed = values["protocol"], values["length"], values["stripped"]
    return Sampled(head, *fixed, found.header, structures, ready, _before(found))


def _structures(found: SocketPackets, told: Told) -> Iterator[Structure]:
    """Those of fixed size.

    Decoders that read on inside a structure that they do not know, as if the next one began there, get over one at
    the end of a sample: that is the state of the connection, else what the packet belongs to, else the time.
    """
    tagged = found.known("in_vlan") | found.known("out_vlan")
    if tagged.any():
        yield _columns("extended_switch", tagged, found, _VLANS)
    changed = found.known("since_ms") & told.tcp
    if changed.any():
        yield _columns("tcp_deltas", changed, found, _DELTAS, {"rtt_change": 0})
    connected = found.known("direction") & told.tcp
    if connected.any():
        yield _columns("extended_tcp_info", connected, found, _TCP)
    numbers = _belongs(found, told.entities)
    placed = (numbers > 0) & (told.every | ~connected)
    if placed.any():
        yield _entities(numbers[placed], placed, found)
    at_ns: Ints = found.columns.values["at_ns"]
    timed = (at_ns > 0) & (told.every | ~(connected | placed))
    if timed.any():
        yield _known("extended_timestamp", "nanoseconds", at_ns, timed)


def _belongs(found: SocketPackets, entities: Callable[[Ints], Ints] | None) -> Ints:
    """The number of the data source that the socket of each packet belongs to, 0 where there is none."""
    known = found.known("cgroup_id")
    if entities is None or not known.any():
        return np.zeros(found.rows, np.int64)
    return entities(np.where(known, found.columns.values["cgroup_id"], 0))


def _entities(numbers: Ints, rows: Mask, found: SocketPackets) -> Structure:
    """The packet's own socket is where it came from if it goes out, else where it goes."""
    out = found.columns.values["egress"][rows].astype(np.bool_)
    columns: dict[str, Ints] = {}
    for side, mine in (("src", out), ("dst", ~out)):
        columns |= {f"{side}_ds_class": np.where(mine, ENTITY, 0), f"{side}_ds_index": np.where(mine, numbers, 0)}
    return Structure("extended_entities", rows, columns)


def _before(found: SocketPackets) -> Records:
    """What is known before it is put into structures, as far as it was asked for."""
    values, known = found.columns.values, {}
    names = [name for name in ("at_ns", "egress") if name in values]
    if "pid" in values and "is_own" in values:
        known = {name: found.known(name) & values["is_own"] for name in _OF_OWNERS if name in values}
    return Records(found.rows, {name: values[name] for name in (*names, *known)}, known)


def _columns(
    structure: str,
    rows: Mask,
    found: SocketPackets,
    names: Mapping[str, str],
    unknown: Mapping[str, int] = MappingProxyType({}),
) -> Structure:
    """A structure of these columns; what is not known is all ones, or what ``unknown`` says."""
    at = np.flatnonzero(rows)
    columns = {field: _filled(found, name, unknown.get(field, _WORD)).take(at) for field, name in names.items()}
    return Structure(structure, rows, columns)


def _filled(found: SocketPackets, name: str, unknown: int) -> Ints:
    values = found.columns.values.get(name)
    if values is None:
        return np.full(found.rows, unknown)
    known = found.columns.known.get(name)
    return values if known is None else np.where(known, values, unknown)


def _owned(found: SocketPackets) -> Spans | None:
    """Who holds the socket of each packet, encoded once for each socket; None where nobody was asked for."""
    values = found.columns.values
    if "pid" not in values or "is_own" not in values or not values["is_own"].any():
        return None
    rows = values["is_own"]
    numbers = [_filled(found, name, unknown) for name, unknown in _OWNERS]
    texts = [values[name] for name in ("comm", "unit", "container")]
    first, place = kinds([np.where(rows, column, -1) for column in numbers])
    elements = [
        encode_element(Element(_OWNER.tag, _OWNER, tuple(int(one[row]) for one in numbers) + _cut(texts, row)))
        if rows[row]
        else b""
        for row in first.tolist()
    ]
    return joined(elements).take(place)


def _cut(texts: Sequence[np.ndarray], row: int) -> tuple[bytes, ...]:
    return tuple(bytes(text[row])[:limit] for text, limit in zip(texts, (16, 255, 255), strict=True))


def of_discards(found: Discards) -> Sampled | None:
    """Packets that were dropped; of those at no interface of ours, as in a container, the host is the data source."""
    if not found.rows:
        return None
    ours = found.ifindex != 0
    head = {
        "ds_class": np.where(ours, INTERFACE, HOST),
        "ds_index": np.where(ours, found.ifindex, 1),
        "drops": found.drops,
        "input": found.input,
        "output": found.output,
        "reason": found.reason,
    }
    ready = (_texts(found.symbol, _function), _texts(found.linux_reason, _reason), *_traps(found))
    return Sampled(head, found.protocol, found.length, found.stripped, found.header, [_timed(found.at_ns)], ready)


def _timed(at_ns: Ints) -> Structure:
    return _known("extended_timestamp", "nanoseconds", at_ns, at_ns > 0)


def _known(structure: str, field: str, values: Ints, known: Mask) -> Structure:
    return Structure(structure, known, {field: values[known]})


def _function(text: str) -> bytes:
    return encode_element(Element(_FUNCTION.tag, _FUNCTION, (text.encode(),)))


def _reason(text: str) -> bytes:
    return encode_element(Element(_REASON.tag, _REASON, (text.encode(),)))


def _texts(column: Column, encoded: Callable[[str], bytes]) -> Spans:
    """An element for each row that has a text."""
    words = joined([*map(encoded, map(str, column.words or ())), b""])
    return words.take(column.values.astype(np.int64))


def _traps(found: Discards) -> Iterator[Spans]:
    """Group and trap of devices' own drops, both or none."""
    groups, traps = found.trap_group.words or (), found.trap.words or ()
    if not groups and not traps:
        return
    pairs = np.stack((found.trap_group.values, found.trap.values), axis=1)
    each, place = np.unique(pairs, axis=0, return_inverse=True)
    elements = []
    for group, trap in each.tolist():
        texts = tuple("" if at < 0 else str(words[at]) for at, words in ((group, groups), (trap, traps)))
        elements.append(_trap(*texts) if any(texts) else b"")
    yield joined(elements).take(place.reshape(-1))


def _trap(group: str, trap: str) -> bytes:
    return encode_element(Element(_TRAP.tag, _TRAP, (group.encode(), trap.encode())))
