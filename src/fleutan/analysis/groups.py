# SPDX-License-Identifier: Apache-2.0
"""Flows grouped by what they share: a peer, a process, a port, an interface, a verdict.

DuckDB does the grouping.  The result is small: plain rows with a heading that says of every
column what it is.  A measure is named by the key of its field, with ``_min``, ``_p50``, ``_p90``
or ``_max`` behind it where it is not the sum (``rtt_us_p50``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fleutan.errors import UsageError
from fleutan.fields import BY_NAME, TRAFFIC, Field, find, nearest, require
from fleutan.table import Table


class Heading(NamedTuple):
    """A column of a grouping: its key, its type and unit as in the catalogue, and what it says."""

    key: str
    type: str
    unit: str
    help: str


class Measure(NamedTuple):
    """A figure of a group: an aggregate over the fields that it ``needs``."""

    heading: Heading
    sql: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Grouped:
    """One row per group: the keys ``by``, then the measures, as ``headings`` say; a key may be None.

    Where groups were folded away, ``others`` is the row of all of them together (its keys are
    None) and ``folded`` says how many they are.
    """

    by: tuple[str, ...]
    headings: tuple[Heading, ...]
    rows: list[tuple[Any, ...]]
    others: tuple[Any, ...] | None = None
    folded: int = 0

    @property
    def names(self) -> list[str]:
        """The keys of all columns."""
        return [heading.key for heading in self.headings]

    def dicts(self) -> list[dict[str, Any]]:
        """Each group as a dict by key, without the others."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]

    def others_dict(self) -> dict[str, Any] | None:
        """The measures of the groups folded away, and ``groups``: how many they are."""
        if self.others is None:
            return None
        measures = list(zip(self.names, self.others, strict=True))[len(self.by) :]
        return {"groups": self.folded, **dict(measures)}


#: What people say when they group, beyond the names that a filter takes.
ALIASES = {"port": "service"}

#: The kinds of tables in which a row is no flow: one flow may have several, or a row stand for many.
SEVERAL_ROWS = ("drops", "traffic", "lifecycle")

_SUMMED = (
    *("tx_rate", "acked_rate", "rx_rate", "segs_out_rate", "segs_in_rate", "retrans_rate"),
    *("bytes_sent", "bytes_acked", "bytes_received", "bytes_retrans", "segs_out", "segs_in", "retrans"),
    *("packets", "segments", "bytes", "connections"),
    *TRAFFIC,
)
_RTT = {
    "min": ("min(flow.{0})", "least"),
    "p50": ("quantile_disc(flow.{0}, 0.5)", "median"),
    "p90": ("quantile_disc(flow.{0}, 0.9)", "90th percentile"),
    "max": ("max(flow.{0})", "greatest"),
}


def _sum(field: Field) -> Measure:
    sql = f"round(sum(flow.{field.key}), 3)" if field.type == "float" else f"sum(flow.{field.key})"
    return Measure(Heading(field.key, field.type, field.unit, f"sum: {field.help}"), sql, (field.name,))


def _rtt(statistic: str) -> Measure:
    field = BY_NAME["rtt"]
    sql, says = _RTT[statistic]
    heading = Heading(f"{field.key}_{statistic}", field.type, field.unit, f"{says}: {field.help}")
    return Measure(heading, sql.format(field.key), (field.name,))


#: Every measure, in the order of the columns; one whose fields the table lacks is left out.
MEASURES: tuple[Measure, ...] = (
    Measure(Heading("flows", "int", "", "number of flows"), "count(*)", ()),
    *(_sum(BY_NAME[name]) for name in _SUMMED),
    Measure(
        Heading("retrans_share", "float", "", BY_NAME["retrans_share"].help),
        "round(sum(flow.bytes_retrans) / nullif(sum(flow.bytes_sent), 0), 6)",
        ("bytes_retrans", "bytes_sent"),
    ),
    *(_rtt(statistic) for statistic in _RTT),
)

#: The first groups; their last column is how many there are.
_TOP = """
CREATE TEMP TABLE top AS
SELECT {columns}, count(*) OVER () AS all_groups
FROM {kind} AS flow
{grouping}
ORDER BY {order}
{limit}
"""
#: What is in none of them.
_OTHERS = """
SELECT {columns}
FROM {kind} AS flow
WHERE NOT EXISTS (
  SELECT 1
  FROM top
  WHERE {same}
)
"""


def measures_of(fields: Collection[str], kind: str = "flows") -> list[Measure]:
    """The measures of a table with these fields; rows are counted where each is a flow of its own."""
    counted = kind not in SEVERAL_ROWS
    return [measure for measure in MEASURES if set(measure.needs) <= set(fields) and (measure.needs or counted)]


def key(name: str) -> Field:
    """The field that is meant as a key of groups.  Raises UsageError where there is none."""
    field = require(ALIASES.get(name.lower(), name))
    if field.kind not in ("key", "label"):
        raise UsageError(f"cannot group by {field.name}, which is a figure; group by peer, proc, port or another label")
    return field


def group(table: Table, by: Sequence[str], order: str = "flows", top: int = 0) -> Grouped:
    """The flows of ``table`` by any keys and labels, the group with the greatest ``order`` first.

    ``order`` is a measure or its field (``tx_rate``; ``rtt`` means the median).  With ``top``,
    all groups but the first so many are folded into the others.  An unknown key is a group of
    its own; lists are joined by spaces.  Raises UsageError for what cannot be grouped by and
    for what is no measure of this table.
    """
    fields = list(dict.fromkeys(key(name) for name in by))
    measures = measures_of(table.columns, table.kind)
    rows, others, groups = _query(table, fields, measures, _place(order, measures), top)
    headings = (*map(_heading, fields), *(measure.heading for measure in measures))
    return Grouped(tuple(field.key for field in fields), headings, rows, others, groups - len(rows))


def _query(
    table: Table, fields: Sequence[Field], measures: Sequence[Measure], order: int, top: int
) -> tuple[list[tuple[Any, ...]], tuple[Any, ...] | None, int]:
    """The rows, that of the others, and how many groups there are."""
    keys = {field.key: _sql(field) for field in fields}
    figures = [f"{measure.sql} AS {measure.heading.key}" for measure in measures]
    places = ", ".join(str(place + 1) for place in range(len(keys)))
    first = _TOP.format(
        kind=table.kind,
        columns=", ".join([*(f"{sql} AS {key}" for key, sql in keys.items()), *figures]),
        grouping=f"GROUP BY {places}" if keys else "",
        order=f"{len(keys) + order + 1} DESC NULLS LAST" + (f", {places}" if keys else ""),
        limit=f"LIMIT {top}" if top else "",
    )
    needed = {name: None for measure in measures for name in measure.needs}
    narrow = table.select([*(field.name for field in fields), *needed] or list(table.columns)[:1])
    with narrow.connect() as connection:
        connection.execute(first)
        rows = connection.execute("FROM top").fetchall()
        groups = rows[0][-1] if rows else 0
        if groups == len(rows):
            return [row[:-1] for row in rows], None, groups
        same = " AND ".join(f"top.{key} IS NOT DISTINCT FROM {sql}" for key, sql in keys.items())
        others = connection.execute(_OTHERS.format(kind=table.kind, columns=", ".join(figures), same=same)).fetchall()
        return [row[:-1] for row in rows], (*(None for _ in keys), *others[0]), groups


def _sql(field: Field) -> str:
    return f"array_to_string(flow.{field.key}, ' ')" if field.type == "ints" else f"flow.{field.key}"


def _heading(field: Field) -> Heading:
    return Heading(field.key, "text" if field.type == "ints" else field.type, field.unit, field.help)


def _place(order: str, measures: Sequence[Measure]) -> int:
    """Which of the measures is meant."""
    keys = [measure.heading.key for measure in measures]
    field = find(order)
    meant = (order, *((field.key, f"{field.key}_p50") if field else ()))
    for key in meant:
        if key in keys:
            return keys.index(key)
    near = nearest(order, keys)
    hint = f"did you mean {near}?" if near in keys else f"there are {', '.join(keys)}"
    raise UsageError(f"no measure of a group is called {order!r}; {hint}")
