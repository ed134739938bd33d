# SPDX-License-Identifier: Apache-2.0
"""A plan as SQL: what is read of which files, grouped, ordered and cut.

Values that a user gave are parameters; names come from the catalogue, files from the listing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from fleutan.fields import require
from fleutan.lake.kinds import KINDS
from fleutan.past import relations
from fleutan.query import predicate
from fleutan.query.dialects import DUCKDB, Dialect
from fleutan.query.plan import Listing, Plan

#: The function that makes a measure of the rows of a group.
MEASURES = {
    "flows": "sum",
    "packets": "sum",
    "bytes": "sum",
    "tx_bytes": "sum",
    "rx_bytes": "sum",
    "tx_packets": "sum",
    "rx_packets": "sum",
    "retrans": "sum",
    "time": "max",
    "start": "min",
    "end": "max",
    "first_seen": "min",
    "last_seen": "max",
    "rtt": "avg",
    "min_rtt": "min",
    "tcp_flags": "bit_or",
}
#: What a measure is read from, where that is not called as it is: times that every row has, counts of one row a flow.
READ = {
    **dict.fromkeys(("start", "first_seen"), "start_ns"),
    **dict.fromkeys(("end", "last_seen"), "end_ns"),
    **{name: f"{name}{relations.ONCE}" for name in relations.OWN},
}

#: Gives, for a kind, the relations that hold its rows: of files, of tails.
Places = Callable[[str], Sequence[str]]


class _Source(NamedTuple):
    """What is read: of which kinds, where their rows are, in whose SQL; ``plain`` rows are no rows of traffic."""

    kinds: Sequence[str]
    places: Places
    dialect: Dialect
    plain: bool = False

    def branches(self, kind: str) -> tuple[relations.Branch, ...]:
        """The parts that a kind's rows have in the relation."""
        if self.plain:
            return (relations.plain(kind),)
        return relations.branches(kind, self.dialect)


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
    summed = _summed(plan, _Source(kinds, places, dialect, plain))
    keys = [dialect.identifier(name) for name in relations.disk_names(plan.keys)]
    return replace(summed, sql=_ordered(summed.sql, plan, keys, dialect))


def counted(plan: Plan, kinds: Sequence[str], places: Places, dialect: Dialect = DUCKDB) -> Statement:
    """How many groups there are in each interval."""
    summed = _summed(replace(plan, measures=()), _Source(kinds, places, dialect))
    many = dialect.integer("count(*)")
    sql = f"SELECT time_ns, {many} AS flows FROM ({summed.sql}) AS summed GROUP BY time_ns ORDER BY time_ns"
    return Statement(sql, summed.parameters, ("time", "flows"))


def united(
    plans: Sequence[Plan], keys: tuple[str, ...], kinds: Sequence[str], places: Places, dialect: Dialect = DUCKDB
) -> Statement:
    """The groups of several plans that differ in their last key and filter, added up under the ``keys``."""
    first, source = plans[0], _Source(kinds, places, dialect)
    parts: list[str] = []
    parameters: dict[str, Any] = {}
    columns = [*(("time_ns",) if first.bucket_ns else ()), *relations.disk_names(keys)]
    for number, plan in enumerate(plans):
        summed = _summed(plan, source, f"part{number}_")
        parameters |= dict(summed.parameters)
        theirs = [*(("time_ns",) if first.bucket_ns else ()), *relations.disk_names(plan.keys)]
        renamed = ", ".join(
            f"{dialect.identifier(own)} AS {dialect.identifier(name)}"
            for own, name in zip(theirs, columns, strict=True)
        )
        measures = ", ".join(dialect.identifier(_key(name)) for name in plan.measures)
        parts.append(f"SELECT {renamed}, {measures} FROM ({summed.sql}) AS part{number}")
    listed = ", ".join(map(dialect.identifier, columns))
    measured = [dialect.identifier(_key(name)) for name in first.measures]
    sums = ", ".join(f"{dialect.integer(dialect.aggregate('sum', name))} AS {name}" for name in measured)
    sql = f"SELECT {listed}, {sums} FROM ({' UNION ALL '.join(parts)}) AS parts GROUP BY {listed}"
    names = (("time",) if first.bucket_ns else ()) + keys + first.measures
    ordered = _ordered(sql, first, [dialect.identifier(name) for name in relations.disk_names(keys)], dialect)
    return Statement(ordered, parameters, names)


def _summed(plan: Plan, source: _Source, prefix: str = "filter") -> Statement:
    """The plan's groups in no order."""
    dialect = source.dialect
    condition = predicate.compile(plan.filter, dialect, owners_beside=False, prefix=prefix)
    is_counted = set(source.kinds) <= set(relations.TRAFFIC) or source.plain  # each row is one
    measures = {name: _read(name) for name in plan.measures if name != "flows" or not is_counted}
    wanted = relations.disk_names([*plan.keys, *condition.fields])
    wanted = list(dict.fromkeys([*wanted, *measures.values()]))
    rows = _rows(source, wanted, plan, condition.sql, source.plain or bool(plan.bucket_ns))
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
    return READ.get(name) or _key(name)


def _measured(name: str, dialect: Dialect) -> str:
    column = _read(name)
    if name not in MEASURES and require(name).kind != "counter":
        return dialect.latest(dialect.identifier(column), "time_ns")
    sql = dialect.aggregate(MEASURES.get(name, "sum"), dialect.identifier(column))
    return sql if name == "rtt" else dialect.integer(sql)


def _ordered(sql: str, plan: Plan, keys: list[str], dialect: Dialect) -> str:
    """The groups in order, the first of them; ties go by the keys, so that every engine gives the same."""
    first = ["time_ns"] if plan.bucket_ns else []
    largest = [f"{dialect.identifier(_key(plan.order))} DESC"] if plan.order else []
    keys = [f"{key} NULLS LAST" for key in keys]
    order = ", ".join([*largest, *keys])
    if plan.top and plan.bucket_ns and order:
        number = f"row_number() OVER (PARTITION BY time_ns ORDER BY {order})"
        sql = f"SELECT * FROM (SELECT *, {number} AS rank FROM ({sql}) AS summed) AS ranked WHERE rank <= {plan.top}"
    whole = ", ".join([*first, *largest, *keys])
    # Of a relation of its own: engines differ in whether a measure or the column that it is made of is meant.
    sql = f"SELECT * FROM ({sql}) AS whole ORDER BY {whole}" if whole else sql
    return f"{sql} LIMIT {plan.top}" if plan.top and not plan.bucket_ns else sql


def listed(listing: Listing, places: Places, dialect: Dialect = DUCKDB, kinds: Sequence[str] = ()) -> Statement:
    """The listing's rows; of several ``kinds`` as rows of traffic."""
    condition = predicate.compile(listing.filter, dialect, owners_beside=False)
    columns = relations.disk_names(listing.fields)
    wanted = list(dict.fromkeys([*columns, *relations.disk_names([*condition.fields, *listing.order])]))
    source = _Source(kinds or (listing.kind,), places, dialect, plain=not kinds)
    rows = _rows(source, wanted, listing, condition.sql, timed=True)
    chosen = ", ".join(map(dialect.identifier, columns))
    sql = f"SELECT {chosen} FROM ({rows}) AS read"
    if listing.order:
        order = map(dialect.identifier, relations.disk_names(listing.order))
        sql += f" ORDER BY {', '.join(f'{name} NULLS LAST' for name in order)}"
    sql += f" LIMIT {listing.limit}" if listing.limit else ""
    return Statement(sql, condition.parameters, listing.fields)


def _rows(source: _Source, wanted: Sequence[str], asked: Plan | Listing, condition: str, timed: bool) -> str:
    """The rows of all kinds that are meant, with the columns that are wanted."""
    names = list(dict.fromkeys([*(("time_ns",) if timed else ()), *wanted]))
    parts = []
    for kind in source.kinds:
        for branch in source.branches(kind):
            chosen = _chosen({name: branch.column(name, source.dialect) for name in names}, source.dialect)
            where = _where(branch, asked)
            parts += [f"SELECT {chosen} FROM {place} WHERE {where}" for place in source.places(kind)]
    none = f"SELECT {_chosen(dict.fromkeys(names, 'NULL'), source.dialect)} WHERE false"
    rows = " UNION ALL ".join(parts or [none])
    return rows if condition == predicate.TRUE else f"SELECT * FROM ({rows}) AS told WHERE {condition}"


def _chosen(columns: Mapping[str, str], dialect: Dialect) -> str:
    """The list of a SELECT; nothing has a type as well, so that the parts of a union agree."""
    types = _types()
    told = {name: dialect.null(types[name]) if sql == "NULL" else sql for name, sql in columns.items()}
    return ", ".join(f"{sql} AS {dialect.identifier(name)}" for name, sql in told.items()) or "1 AS one"


def _where(branch: relations.Branch, asked: Plan | Listing) -> str:
    where = f"time_ns >= {asked.start_ns} AND time_ns < {asked.end_ns}"
    where += f" AND {branch.where}" if branch.where else ""
    if branch.kind in (*relations.ROLLUPS, "ends") and isinstance(asked, Plan) and asked.kinds:
        where += f" AND kind IN ({', '.join(repr(kind) for kind in asked.kinds)})"
    return where


def _types() -> dict[str, str]:
    own = dict.fromkeys((f"{name}{relations.ONCE}" for name in relations.OWN), "BIGINT")
    kept = {name: type_ for kind in KINDS.values() for name, type_ in kind.columns}
    return kept | own | {"family": "VARCHAR", "flows": "BIGINT", "start_ns": "BIGINT"}
