# SPDX-License-Identifier: Apache-2.0
"""Packets that BPF programs or packet sockets sampled, with the state and the owners of their sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from fleutan.observed import ENTITY
from fleutan.programs.agent.sampled.fields import head, timed
from fleutan.protocols.sflow.batches import Sampled, Structure
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode_element
from fleutan.protocols.sflow.layouts import FLOW_FORMS
from fleutan.protocols.sflow.layouts.owners import ENTERPRISE
from fleutan.protocols.spans import Ints, Mask, Spans, joined
from fleutan.records import Records, kinds
from fleutan.sources.packets.columns import Packets, Totals

_WORD = 0xFFFF_FFFF
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


def of_packets(found: Packets, totals: Mapping[int, Totals], told: Told = ALL) -> Sampled:
    """Packets with the state of their sockets; ``totals`` are those of data sources."""
    values = found.columns.values
    first, place = kinds([values["ifindex"]])
    pairs = [totals.get(index, Totals(0, 0)) for index in values["ifindex"][first].tolist()]
    pool, drops = np.array(pairs, np.int64).reshape(-1, 2)[place].T
    pool, drops = np.maximum(pool, values["pool"]), np.maximum(drops, values["drops"])
    sampled = head(values["ifindex"], values["rate"], pool, drops, (values["input"], values["output"]))
    ready = [owned] if (owned := _owned(found)) is not None else []
    structures = [*_structures(found, told)]
    fixed = values["protocol"], values["length"], values["stripped"]
    return Sampled(sampled, *fixed, found.header, structures, ready, _before(found))


def _structures(found: Packets, told: Told) -> Iterator[Structure]:
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
    when = timed(at_ns, told.every | ~(connected | placed))
    if when.rows.any():
        yield when


def _belongs(found: Packets, entities: Callable[[Ints], Ints] | None) -> Ints:
    """The number of the data source that the socket of each packet belongs to, 0 where there is none."""
    known = found.known("cgroup_id")
    if entities is None or not known.any():
        return np.zeros(found.rows, np.int64)
    return entities(np.where(known, found.columns.values["cgroup_id"], 0))


def _entities(numbers: Ints, rows: Mask, found: Packets) -> Structure:
    """The packet's own socket is where it came from if it goes out, else where it goes."""
    out = found.columns.values["egress"][rows].astype(np.bool_)
    columns: dict[str, Ints] = {}
    for side, mine in (("src", out), ("dst", ~out)):
        columns |= {f"{side}_ds_class": np.where(mine, ENTITY, 0), f"{side}_ds_index": np.where(mine, numbers, 0)}
    return Structure("extended_entities", rows, columns)


def _before(found: Packets) -> Records:
    """What is known before it is put into structures, as far as it was asked for."""
    values, known = found.columns.values, {}
    names = [name for name in ("at_ns", "egress") if name in values]
    if "pid" in values and "is_own" in values:
        known = {name: found.known(name) & values["is_own"] for name in _OF_OWNERS if name in values}
    return Records(found.rows, {name: values[name] for name in (*names, *known)}, known)


def _columns(
    structure: str,
    rows: Mask,
    found: Packets,
    names: Mapping[str, str],
    unknown: Mapping[str, int] = MappingProxyType({}),
) -> Structure:
    """A structure of these columns; what is not known is all ones, or what ``unknown`` says."""
    at = np.flatnonzero(rows)
    columns = {field: _filled(found, name, unknown.get(field, _WORD)).take(at) for field, name in names.items()}
    return Structure(structure, rows, columns)


def _filled(found: Packets, name: str, unknown: int) -> Ints:
    values = found.columns.values.get(name)
    if values is None:
        return np.full(found.rows, unknown)
    known = found.columns.known.get(name)
    return values if known is None else np.where(known, values, unknown)


def _owned(found: Packets) -> Spans | None:
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
