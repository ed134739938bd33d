# SPDX-License-Identifier: Apache-2.0
"""The questions that have names: Metroflux's modules, and ours.

A module makes a plan of a request, and Tables of what the engine answers.  How they are written is
the business of ``exports``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fleutan.column import Column
from fleutan.errors import UsageError
from fleutan.fields import require
from fleutan.lake.kinds import KINDS
from fleutan.past import reassembly, relations
from fleutan.past.engines.protocol import Lake
from fleutan.past.request import HOUR, MINUTE, Request
from fleutan.past.statements import MEASURES
from fleutan.query import predicate
from fleutan.query.expression import Comparison, Expression, Known, all_of
from fleutan.query.plan import Listing, Plan
from fleutan.table import Table

Answer = Iterator[Table]
#: So many addresses and ports are told unless a request says otherwise.
TOP = 20
#: Measures that every row has.
_TIMES = ("start", "end", "first_seen", "last_seen")
FIVE = ("proto", "src", "sport", "dst", "dport")


class Chosen(NamedTuple):
    """Where a plan is answered from: kinds, the plan with what they need besides, the end whose sums will do."""

    kinds: tuple[str, ...]
    plan: Plan
    side: str = ""


def answer(lake: Lake, request: Request) -> Answer:
    """What the module says of the request.  Raises UsageError for what no module or no row knows."""
    if request.module not in MODULES:
        raise UsageError(f"no module is called {request.module[:40]!r}; there are {', '.join(MODULES)}")
    if request.source not in relations.SOURCES:
        raise UsageError(f"no source is called {request.source[:40]!r}; there are tuple and trace")
    lake.require()
    return MODULES[request.module].ask(lake, request)


def kinds_of(lake: Lake, request: Request) -> tuple[str, ...]:
    """The kinds of traffic that the request's source means and the lake has."""
    meant = relations.SOURCES[request.source]
    there = tuple(kind for kind in meant if lake.has(kind))
    return there or meant[:1]


def planned(lake: Lake, request: Request, plan: Plan) -> Chosen:
    """The plan with the cheapest kinds that can answer it; raises UsageError for fields that none has."""
    kinds = kinds_of(lake, request)
    fields = predicate.compile(plan.filter, owners_beside=False).fields
    relations.check({*plan.keys, *fields, *(name for name in plan.measures if name not in _TIMES)}, kinds)
    plan = replace(plan, kinds=kinds)
    if fields & relations.SUMS:
        return Chosen(kinds, plan)  # each row is asked for its counts: sums have others
    if relations.is_rolled({*plan.keys, *fields, *plan.measures}) and "flows" not in kinds:
        for rollup, width in zip(relations.ROLLUPS, (HOUR, MINUTE), strict=True):
            edges = (plan.start_ns, plan.end_ns, plan.bucket_ns or width)
            if all(edge % width == 0 for edge in edges):
                return Chosen((rollup, *kinds), plan)  # of kinds beside a rollup what is not in it yet
    side = relations.side_of({*plan.keys, *fields, *plan.measures}) if plan.bucket_ns % HOUR == 0 else ""
    return Chosen(kinds, plan, side)


def _groups(lake: Lake, request: Request, plan: Plan) -> Answer:
    chosen = planned(lake, request, plan)
    return lake.groups(chosen.plan, chosen.kinds, request.module, side=chosen.side)


def _plan(request: Request, keys: tuple[str, ...], measures: tuple[str, ...], bucket_ns: int = 0) -> Plan:
    return Plan(request.start_ns, request.end_ns, keys, measures, request.filter, bucket_ns)


# -- Metroflux's


def traffic(lake: Lake, request: Request) -> Answer:
    """Bytes and packets by interval."""
    return _groups(lake, request, _plan(request, (), ("bytes", "packets"), request.fitting_ns))


def protocol(lake: Lake, request: Request) -> Answer:
    """Bytes and packets of IP by interval and protocol."""
    plan = _plan(request, ("proto",), ("bytes", "packets"), request.fitting_ns)
    return _groups(lake, request, replace(plan, filter=_has(request, "proto")))


def ethtypes(lake: Lake, request: Request) -> Answer:
    """Bytes and packets by interval and EtherType."""
    return _groups(lake, request, _plan(request, ("ethertype",), ("bytes", "packets"), request.fitting_ns))


def flowcount(lake: Lake, request: Request) -> Answer:
    """How many flows (ends and protocol) by interval, exactly."""
    plan = _plan(request, FIVE, ("flows",), request.fitting_ns)
    chosen = planned(lake, request, plan)
    return lake.counts(chosen.plan, chosen.kinds, request.module)


def tuples(lake: Lake, request: Request) -> Answer:
    """Flows: as they were recorded; with an interval, and of samples, what each 5-tuple had in it."""
    kinds, told = kinds_of(lake, request), _has(request, "src", "dst")
    if request.interval_ns is None and "samples" not in kinds:
        relations.check(predicate.compile(told, owners_beside=False).fields, kinds)
        fields = ("start", "end", *FIVE, "packets", "bytes")
        order = fields if request.top else ("start",)  # the same rows each time, where not all are told
        listing = Listing(kinds[0], request.start_ns, request.end_ns, fields, told, order, request.top or 0)
        return lake.rows(listing, request.module, kinds)
    measures = ("start", "end", "packets", "bytes")
    plan = replace(_plan(request, FIVE, measures, request.fitting_ns), filter=told, top=request.top or 0)
    return _groups(lake, request, plan)


def topaddr(lake: Lake, request: Request) -> Answer:
    """The addresses with most bytes; of the whole window unless there is an interval."""
    if request.side not in ("src", "dst"):
        raise UsageError(f"addresses are ranked by src or dst, not by {request.side!r}")
    plan = replace(_plan(request, (request.side,), ("bytes", "packets")), filter=_has(request, request.side))
    tables = _groups(lake, request, _topmost(plan, request))
    return _ranked(tables, request, {request.side: "address"})


def topports(lake: Lake, request: Request) -> Answer:
    """The ports of TCP and UDP with most bytes, each record counted at both of its ports."""
    sides = []
    for side in ("sport", "dport"):
        told = all_of([_has(request, side), Comparison(("proto",), "=", ("tcp", "udp"))])
        sides.append(_topmost(replace(_plan(request, ("proto", side), ("bytes", "packets")), filter=told), request))
    chosen = [planned(lake, request, plan) for plan in sides]
    tables = lake.both([one.plan for one in chosen], ("proto", "port"), chosen[0].kinds, request.module)
    return _ranked(tables, request, {})


def _topmost(plan: Plan, request: Request) -> Plan:
    width = (request.interval_ns or 0) * request.granularity
    return replace(plan, bucket_ns=width, order="bytes", top=TOP if request.top is None else request.top)


def _has(request: Request, *names: str) -> Expression:
    """What the request means of what has any of these fields."""
    return all_of([request.filter, Known(names)])


def _ranked(tables: Answer, request: Request, renamed: Mapping[str, str]) -> Answer:
    """With the time of its interval and the place in it first; an interval goes on in the next Table."""
    last_ns, before = None, 0
    for table in tables:
        columns = {renamed.get(name, name): column for name, column in table.columns.items()}
        rows = len(table)
        time = columns.pop("time", Column(np.full(rows, request.start_ns, np.int64)))
        begins = np.append(np.flatnonzero(np.diff(time.values, prepend=time.values[:1] - 1)), rows)
        ranks = np.arange(rows) - np.repeat(begins[:-1], np.diff(begins)) + 1
        if rows and time.values[0] == last_ns:
            ranks[: begins[1]] += before
        if rows:
            last_ns, before = int(time.values[-1]), int(ranks[-1])
        yield replace(table, columns={"time": time, "rank": Column(ranks), **columns})


# -- ours


def talkers(lake: Lake, request: Request) -> Answer:
    """Any keys, any measures; sorted by one of them."""
    keys = tuple(require(name).name for name in request.keys) or ("src",)
    measures = tuple(require(name).name for name in request.measures) or ("flows", "packets", "bytes")
    order = require(request.order).name if request.order else ("bytes" if "bytes" in measures else measures[0])
    for name in (*measures, order):
        if name not in MEASURES or name not in measures:
            raise UsageError(f"{name} is not among the measures; there are {', '.join(MEASURES)}")
    if both := set(keys).intersection(measures):
        raise UsageError(f"{sorted(both)[0]} cannot be a key and a measure at once")
    bucket_ns = (request.interval_ns or 0) * request.granularity
    if bucket_ns and "time" in keys:
        raise UsageError("time is told apart by the interval already: leave it out of the keys")
    top = 10 if request.top is None else request.top
    plan = replace(_plan(request, keys, measures, bucket_ns), order=order, top=top)
    return _groups(lake, request, plan)


def owners(lake: Lake, request: Request) -> Answer:
    """Which processes, units and containers of the hosts had how much."""
    _require_kind(lake, "flows", "'fleutan record' writes it")
    keys = tuple(require(name).name for name in request.keys) or ("node", "comm", "unit", "container")
    plan = replace(
        _plan(request, keys, ("flows", "tx_bytes", "rx_bytes", "tx_packets", "rx_packets", "retrans")),
        order="tx_bytes",
        top=TOP if request.top is None else request.top,
    )
    relations.check_plain({*keys, *predicate.compile(plan.filter, owners_beside=False).fields}, "flows")
    return lake.groups(plan, ("flows",), "owners", plain=True)


def _rows_of(kind: str, why: str) -> Callable[[Lake, Request], Answer]:
    def rows(lake: Lake, request: Request) -> Answer:
        _require_kind(lake, kind, why)
        names = KINDS[kind].names
        relations.check_plain(predicate.compile(request.filter, owners_beside=False).fields, kind)
        order = names if request.top else ("time",)
        listing = Listing(kind, request.start_ns, request.end_ns, names, request.filter, order, request.top or 0)
        return lake.rows(listing, request.module)

    return rows


def _require_kind(lake: Lake, kind: str, why: str) -> None:
    if kind not in KINDS or not lake.has(kind):
        raise UsageError(f"the lake at {lake.root} has no {kind}: {why}")


def trace(lake: Lake, request: Request) -> Answer:
    """Packet samples, with the octets that were kept of them."""
    fields = ("time", *FIVE, "bytes", "packets", "ttl", "tos", "tcp_flags", "header", "link_type", "exporter", "in_if")
    relations.check_plain(predicate.compile(request.filter, owners_beside=False).fields, "samples")
    order = fields if request.top else ("time",)
    listing = Listing("samples", request.start_ns, request.end_ns, fields, request.filter, order, request.top or 0)
    return lake.rows(listing, request.module)


def flow_reassembly(lake: Lake, request: Request) -> Answer:
    """Streams of TCP, of samples that kept payload."""
    told = all_of([request.filter, Comparison(("proto",), "=", ("tcp",)), Known(("header",))])
    relations.check_plain(predicate.compile(told, owners_beside=False).fields, "samples")
    listing = Listing("samples", request.start_ns, request.end_ns, reassembly.FIELDS, told)
    return reassembly.reassembled(lake.rows(listing, request.module), request.module, request.top or 0)


def limits(lake: Lake, request: Request) -> Answer:
    """What limited the flows of the hosts: how many intervals of flows, and their bytes, by verdict."""
    _require_kind(lake, "flows", "'fleutan record' writes it")
    keys = tuple(require(name).name for name in request.keys) or ("limit",)
    plan = replace(
        _plan(request, keys, ("flows", "tx_bytes", "rx_bytes", "rtt")), order="tx_bytes", top=request.top or 0
    )
    relations.check_plain({*keys, *predicate.compile(plan.filter, owners_beside=False).fields}, "flows")
    return lake.groups(plan, ("flows",), "limits", plain=True)


@dataclass(frozen=True)
class Module:
    """A question: how it is asked, and what ``status`` says of it."""

    ask: Callable[[Lake, Request], Answer]
    filter: str
    help: str


MODULES: dict[str, Module] = {
    "trace": Module(trace, "all", "Packet headers, as text or as a capture file"),
    "traffic": Module(traffic, "all", "Packet/bytes counter"),
    "tuple": Module(tuples, "ip", "Active flows (5 tuple)"),
    "topaddr": Module(topaddr, "ip", "Top IP addresses (source or destination) in bytes"),
    "topports": Module(topports, "tcp or udp", "Top ports"),
    "flowcount": Module(flowcount, "all", "Active flow counter"),
    "protocol": Module(protocol, "ip", "Protocol breakdown"),
    "ethtypes": Module(ethtypes, "all", "Ethertypes breakdown"),
    "flow-reassembly": Module(flow_reassembly, "tcp", "TCP flow reassembly"),
    "talkers": Module(talkers, "all", "Any keys and measures"),
    "owners": Module(owners, "all", "Processes, units and containers of hosts"),
    "drops": Module(_rows_of("drops", "'fleutan record' writes it"), "all", "Drops, retransmissions and resets"),
    "limits": Module(limits, "all", "What limited the flows of hosts"),
    "counters": Module(
        _rows_of("counters", "'fleutan collect' writes it"), "all", "Interface and host counters of exporters"
    ),
    "paths": Module(_rows_of("paths", "'fleutan record --paths' writes it"), "all", "Ways through the network"),
    "exporters": Module(
        _rows_of("exporters", "'fleutan collect' writes it"), "all", "Who sent what, and what is missing"
    ),
}
