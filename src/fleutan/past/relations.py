# SPDX-License-Identifier: Apache-2.0
"""What the rows of a lake's kinds mean in a question about traffic: one row a direction, counts scaled.

A flow record or a packet sample is a row; a flow of a host is two, what it sent and what it
received, each with half of what it counts of its own.  Counts are multiplied by the sampling rate
where there is one; one that 64 bits do not hold, which only a hostile exporter sends, is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleutan.errors import UsageError
from fleutan.fields import BY_NAME, nearest, require
from fleutan.lake.kinds import KINDS, ROLLED_KEYS
from fleutan.query.dialects import DUCKDB, Dialect

_V4 = "src_hi = 0 AND src_lo BETWEEN 281470681743360 AND 281474976710655"
#: Which of IP's versions a row is of.
FAMILY = f"CASE WHEN src_hi IS NULL THEN NULL WHEN {_V4} THEN 'ipv4' ELSE 'ipv6' END"
#: What every row of traffic may say besides its kind's own fields, as SQL by name on disk.
_COMPUTED = {
    "family": FAMILY,
    "start_ns": "time_ns",
    "end_ns": "coalesce(end_ns, time_ns)",
    "flows": "1",
    "ethertype": f"coalesce(ethertype, CASE WHEN src_hi IS NULL THEN NULL WHEN {_V4} THEN 2048 ELSE 34525 END)",
}
_ROLLED = {"packets": "packets", "bytes": "bytes", "flows": "flows"}
#: Sides of a host's flow: its own packets, and those that came.
_SIDES = {"src": "dst", "dst": "src", "sport": "dport", "dport": "sport"}
#: What TCP's sockets say where packets were not counted: segments, and the octets of their payloads.
_SOCKETS = {
    "tx": {"packets": "segs_out", "bytes": "bytes_sent"},
    "rx": {"packets": "segs_in", "bytes": "bytes_received"},
}


#: What a host's flow counts of its own, and whose direction's row is added up.
OWN = {"tx_bytes": "tx", "tx_packets": "tx", "rx_bytes": "rx", "rx_packets": "rx", "retrans": "tx"}
#: Behind the name of such a count: it is known of that one row only, so that a sum has it once.
ONCE = "_once"


@dataclass(frozen=True)
class Branch:
    """One kind's rows, as a part of a relation: ``sql`` by name of what is asked for, ``where`` besides."""

    kind: str
    sql: Mapping[str, str] = field(default_factory=dict)
    where: str = ""

    def column(self, name: str, dialect: Dialect = DUCKDB) -> str:
        """A column's SQL by its name on disk."""
        if name in self.sql:
            return self.sql[name]
        return dialect.identifier(name) if name in _disk(self.kind) else "NULL"


def _disk(kind: str) -> frozenset[str]:
    return frozenset(name for name, _ in KINDS[kind].columns)


def branches(kind: str, dialect: Dialect = DUCKDB) -> tuple[Branch, ...]:
    """A kind's rows as rows of traffic."""
    named = {"kind": f"'{kind}'"}
    if kind in ROLLUPS:
        return (Branch(kind, _ROLLED),)
    if kind in ENDS:
        side = ENDS[kind]
        is_address = BY_NAME[side].type == "address"
        named = {f"{side}_hi": "address_hi", f"{side}_lo": "address_lo"} if is_address else {side: "port"}
        return (Branch("ends", {**_ROLLED, **named}, f"side = '{side}'"),)
    if kind == "flows":
        return tuple(_side(named, own) for own in ("tx", "rx"))
    scaled = {name: dialect.product(name, "coalesce(sampling_rate, 1)") for name in ("packets", "bytes")}
    return (Branch(kind, _COMPUTED | scaled | named),)


def plain(kind: str) -> Branch:
    """A kind's rows as they are."""
    once = {f"{name}{ONCE}": name for name in OWN if name in _disk(kind)}
    return Branch(kind, {"flows": "1", "start_ns": "time_ns", "family": FAMILY, **once})


def _side(named: Mapping[str, str], own: str) -> Branch:
    """What a host's flows sent (its own end is the source), or what they received."""
    turned = {} if own == "tx" else dict(_turned())
    packets, count = (f"coalesce({own}_{name}, {_SOCKETS[own][name]})" for name in ("packets", "bytes"))
    sql = {
        **named,
        **turned,
        **{f"{name}{ONCE}": name for name, side in OWN.items() if side == own},
        "packets": packets,
        "bytes": count,
        "direction": f"'{own}'",
        "start_ns": "coalesce(first_seen_ns, time_ns)",
        "end_ns": "coalesce(last_seen_ns, time_ns)",
        "flows": "1",
        "family": FAMILY,
        "ethertype": f"CASE {FAMILY} WHEN 'ipv4' THEN 2048 WHEN 'ipv6' THEN 34525 END",
    }
    # Of what never leaves the host both ends are sockets of it: what one sent is what the other received.
    inside = "" if own == "tx" else " AND coalesce(dev, '') <> 'lo'"
    return Branch("flows", sql, f"{packets} > 0{inside}")


def _turned() -> Iterable[tuple[str, str]]:
    for name, other in _SIDES.items():
        ends = ("_hi", "_lo") if BY_NAME[name].type == "address" else ("",)
        yield from ((f"{name}{end}", f"{other}{end}") for end in ends)


#: Sums of an hour by one end, as kinds of their own.
ENDS = {f"ends of {side}": side for side in _SIDES}
#: What such sums tell of besides their end.
_BESIDE = {"src": (), "dst": (), "sport": ("proto",), "dport": ("proto",)}


def side_of(names: Iterable[str]) -> str:
    """The end whose sums tell of all these fields, '' where there is none."""
    left = set(names) - {"node", *SUMS}
    return next((side for side in _SIDES if side in left and left <= {side, *_BESIDE[side]}), "")


#: Kinds that tell of traffic; a question without a source adds up those that the lake has.
TRAFFIC = ("records", "flows", "samples")
#: Kinds that are sums of others, the coarsest first.
ROLLUPS = ("hours", "minutes")
#: What rollups and sums by one end add up.
SUMS = frozenset(("flows", "packets", "bytes"))
#: Metroflux's sources.
SOURCES = {"": TRAFFIC, "tuple": ("records", "flows"), "trace": ("samples",)}


def known(kinds: Iterable[str]) -> frozenset[str]:
    """The fields that rows of traffic of these kinds can have."""
    names = {name for kind in kinds if kind in KINDS for name in KINDS[kind].names}
    return frozenset(names | {"family", "packets", "bytes", "flows", "start", "end", "direction", "ethertype", "kind"})


def check(names: Iterable[str], kinds: Iterable[str]) -> None:
    """Raises UsageError for a field that no row of these kinds has."""
    kinds = tuple(kinds)
    there = known(kinds)
    for name in sorted(names):
        if name not in there:
            near = nearest(name, there)
            hint = f"; did you mean {near}?" if near in there else ""
            raise UsageError(f"{name} is not kept in {', '.join(kinds)}{hint}")


def check_plain(names: Iterable[str], kind: str) -> None:
    """The same of rows that are taken as they are."""
    there = {*KINDS[kind].names, "family", "flows", "start"}
    if beyond := sorted(set(names) - there):
        raise UsageError(f"{beyond[0]} is not kept in {kind}; there are {', '.join(KINDS[kind].names)}")


def disk_names(names: Iterable[str]) -> list[str]:
    """Names on disk of catalogue fields: an address is two columns."""
    found: list[str] = []
    for name in dict.fromkeys(names):
        one = require(name)
        found += [f"{one.key}_hi", f"{one.key}_lo"] if one.type == "address" else [one.key]
    return found


def is_rolled(names: Iterable[str]) -> bool:
    """Whether rollups know all these fields."""
    return set(names) <= {*ROLLED_KEYS, "node", *SUMS} - {"ethertype"}
