# SPDX-License-Identifier: Apache-2.0
"""A plan as SQL: what is read of which files, grouped, ordered and cut.

Values that a user gave are parameters; names come from the catalogue, files from the listing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fleutan.fields import require
from fleutan.lake.kinds import KINDS
from fleutan.past import relations
from fleutan.query import predicate
from fleutan.query.dialects import DUCKDB, Dialect
from fleutan.query.plan import Listing, Plan

#: How a measure is made of the rows of a group.
MEASURES = {
    "flows": "sum({flows})",
    "packets": "sum({packets})",
    "bytes": "sum({bytes})",
    "tx_bytes": "sum({tx_bytes})",
    "rx_bytes": "sum({rx_bytes})",
    "tx_packets": "sum({tx_packets})",
    "rx_packets": "sum({rx_packets})",
    "retrans": "sum({retrans})",
    "time": "max({time_ns})",
    "start": "min({start_ns})",
    "end": "max({end_ns})",
    "first_seen": "min({start_ns})",
    "last_seen": "max({end_ns})",
    "rtt": "avg({rtt_us})",
    "min_rtt": "min({min_rtt_us})",
    "tcp_flags": "bit_or({tcp_flags})",
}
#: What a measure is read from, where that is not called as it is.
_READ = {"start": "start_ns", "end": "end_ns", "first_seen": "start_ns", "last_seen": "end_ns"}

#: Gives, for a kind, the relations that hold its rows: of files, of tails.
Places = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Statement:
    """A query and the values of its parameters; ``names`` are the catalogue fields of its columns in order."""

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()


def grouped(
    plan: Plan, kinds: Sequence[str], places: Places, dialect: Dialect = DUCKDB, plain: bool = False
) -> Statement:
    """The plan's groups; with ``plain`` of rows as they are, not of rows of traffic."""
    summed = _summed(plan, kinds, places, dialect, plain)
    keys = [dialect.identifier(name) for name in relations.disk_names(plan.keys)]
    return replace(summed, sql=_ordered(summed.sql, plan, keys, dialect))


def counted(plan: Plan, kinds: Sequence[str], places: Places, dialect: Dialect = DUCKDB) -> Statement:
    """How many groups there are in each interval."""
    summed = _summed(replace(plan, measures=()), kinds, places, dialect)
    many = dialect.integer("count(*)")
    sql = f"SELECT time_ns, {many} AS flows FROM ({summed.sql}) AS summed GROUP BY time_ns ORDER BY time_ns"
    return Statement(sql, summed.parameters, ("time", "flows"))


def united(
    plans: Sequence[Plan], keys: tuple[str, ...], kinds: Sequence[str], places: Places, dialect: Dialect = DUCKDB
) -> Statement:
    """The groups of several plans that differ in their last key and filter, added up under the ``keys``."""
    first = plans[0]
    parts: list[str] = []
    parameters: dict[str, Any] = {}
    columns = [*(("time_ns",) if first.bucket_ns else ()), *relations.disk_names(keys)]
    for number, plan in enumerate(plans):
        summed = _summed(plan, kinds, places, dialect, prefix=f"part{number}_")
        parameters |= dict(summed.parameters)
        theirs = [*(("time_ns",) if first.bucket_ns else ()), *relations.disk_names(plan.keys)]
        renamed = ", ".join(
            f"{dialect.identifier(own)} AS {dialect.identifier(name)}"
            for own, name in zip(theirs, columns, strict=True)
        )
        measures = ", ".join(dialect.identifier(_key(name)) for name in plan.measures)
        parts.append(f"SELECT {renamed}, {measures} FROM ({summed.sql}) AS part{number}")
    listed = ", ".join(map(dialect.identifier, columns))
    sums = ", ".join(
        f"{dialect.integer(f'sum({dialect.identifier(_key(name))})')} AS {dialect.identifier(_key(name))}"
        for name in first.measures
    )
    sql = f"SELECT {listed}, {sums} FROM ({' UNION ALL '.join(parts)}) AS parts GROUP BY {listed}"
    names = (("time",) if first.bucket_ns else ()) + keys + first.measures
    ordered = _ordered(sql, first, [dialect.identifier(name) for name in relations.disk_names(keys)], dialect)
    return Statement(ordered, parameters, names)


def _summed(
    plan: Plan, kinds: Sequence[str], places: Places, dialect: Dialect, plain: bool = False, prefix: str = "filter"
) -> Statement:
    """The plan's groups in no order."""
    condition = predicate.compile(plan.filter, dialect, owners_beside=False, prefix=prefix)
    is_counted = set(kinds) <= set(relations.TRAFFIC) or plain  # each row is one
    measures = {name: _read(name) for name in plan.measures if name != "flows" or not is_counted}
    wanted = relations.disk_names([*plan.keys, *condition.fields])
    wanted = list(dict.fromkeys([*wanted, *measures.values()]))
    rows = _rows(kinds, wanted, plan, condition.sql, places, plain or bool(plan.bucket_ns), plain)
    keys = [dialect.identifier(name) for name in relations.disk_names(plan.keys)]
    bucket = [f"{dialect.bucket('time_ns', plan.bucket_ns)} AS time_ns"] if plan.bucket_ns else []
    measured = {
        name: dialect.integer("count(*)") if name == "flows" and is_counted else _measured(name, dialect)
        for name in plan.measures
    }
    sums = [f"{measured[name]} AS {dialect.identifier(_key(name))}" for name in plan.measures]
    by = [str(number + 1) for number in range(len(keys) + len(bucket))]
    sql = f"SELECT {', '.join(bucket + keys + sums)} FROM ({rows}) AS read"
    sql += f" GROUP BY {', '.join(by)}" if by else ""
    names = (("time",) if plan.bucket_ns else ()) + plan.keys + plan.measures
    return Statement(sql, condition.parameters, names)


def _key(name: str) -> str:
    return relations.disk_names([name])[0]


def _read(name: str) -> str:
    return _READ.get(name) or _key(name)


def _measured(name: str, dialect: Dialect) -> str:
    column = _read(name)
    if name not in MEASURES and require(name).kind != "counter":
        return dialect.latest(dialect.identifier(column), "time_ns")
    sql = MEASURES.get(name, f"sum({{{column}}})").format_map({column: dialect.identifier(column)})
    return sql if name == "rtt" else dialect.integer(sql)


def _ordered(sql: str, plan: Plan, keys: list[str], dialect: Dialect) -> str:
    """The groups in order, the first of them; ties go by the keys, so that every engine gives the same."""
    first = ["time_ns"] if plan.bucket_ns else []
    largest = [f"{dialect.identifier(_key(plan.order))} DESC"] if plan.order else []
    order = ", ".join([*largest, *keys])
    if plan.top and plan.bucket_ns and order:
        number = f"row_number() OVER (PARTITION BY time_ns ORDER BY {order})"
        sql = f"SELECT * FROM (SELECT *, {number} AS rank FROM ({sql}) AS summed) AS ranked WHERE rank <= {plan.top}"
    whole = ", ".join([*first, *largest, *keys])
    sql += f" ORDER BY {whole}" if whole else ""
    return f"{sql} LIMIT {plan.top}" if plan.top and not plan.bucket_ns else sql


def listed(listing: Listing, places: Places, dialect: Dialect = DUCKDB, kinds: Sequence[str] = ()) -> Statement:
    """The listing's rows; of several ``kinds`` as rows of traffic."""
    condition = predicate.compile(listing.filter, dialect, owners_beside=False)
    columns = relations.disk_names(listing.fields)
    wanted = list(dict.fromkeys([*columns, *relations.disk_names([*condition.fields, *listing.order])]))
    rows = _rows(kinds or (listing.kind,), wanted, listing, condition.sql, places, True, plain=not kinds)
    chosen = ", ".join(map(dialect.identifier, columns))
    sql = f"SELECT {chosen} FROM ({rows}) AS read"
    if listing.order:
        sql += f" ORDER BY {', '.join(map(dialect.identifier, relations.disk_names(listing.order)))}"
    sql += f" LIMIT {listing.limit}" if listing.limit else ""
    return Statement(sql, condition.parameters, listing.fields)


def _rows(
    kinds: Iterable[str],
    wanted: Sequence[str],
    asked: Plan | Listing,
    condition: str,
    places: Places,
    timed: bool,
    plain: bool = False,
) -> str:
    """The rows of all kinds that are meant, with the columns that are wanted."""
    parts = []
    for kind in kinds:
        for branch in _branches(kind, plain):
            columns = {name: branch.column(name) for name in (("time_ns",) if timed else ())} | {
                name: branch.column(name) for name in wanted
            }
            parts += [_part(branch, columns, asked, place) for place in places(kind)]
    if not parts:
        parts = [_none(wanted, timed)]
    rows = " UNION ALL ".join(parts)
    return rows if condition == predicate.TRUE else f"SELECT * FROM ({rows}) AS told WHERE {condition}"


def _branches(kind: str, plain: bool) -> tuple[relations.Branch, ...]:
    if plain:
        return (relations.Branch(kind, {"flows": "1", "start_ns": "time_ns", "family": relations.FAMILY}),)
    if kind in (*relations.TRAFFIC, *relations.ENDS, "minutes", "hours"):
        return relations.branches(kind)
    return (relations.Branch(kind),)


def _part(branch: relations.Branch, columns: Mapping[str, str], asked: Plan | Listing, place: str) -> str:
    types = _types()
    chosen = ", ".join(
        f'{sql if sql != "NULL" else f"CAST(NULL AS {types[name]})"} AS "{name}"' for name, sql in columns.items()
    )
    where = f"time_ns >= {asked.start_ns} AND time_ns < {asked.end_ns}"
    where += f" AND {branch.where}" if branch.where else ""
    if branch.kind in ("minutes", "hours", "ends") and isinstance(asked, Plan) and asked.kinds:
        where += f" AND kind IN ({', '.join(repr(kind) for kind in asked.kinds)})"
    return f"SELECT {chosen or '1 AS one'} FROM {place} WHERE {where}"


def _types() -> dict[str, str]:
    return {name: type_ for kind in KINDS.values() for name, type_ in kind.columns} | {
        "family": "VARCHAR",
        "flows": "BIGINT",
        "start_ns": "BIGINT",
        "kind": "VARCHAR",
        "direction": "VARCHAR",
        "ethertype": "INTEGER",
    }


def _none(wanted: Sequence[str], timed: bool) -> str:
    types = _types()
    names = [*(["time_ns"] if timed else []), *wanted]
    chosen = ", ".join(f'CAST(NULL AS {types[name]}) AS "{name}"' for name in dict.fromkeys(names))
    return f"SELECT {chosen or '1 AS one'} WHERE false"
