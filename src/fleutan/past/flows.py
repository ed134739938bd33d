# SPDX-License-Identifier: Apache-2.0
"""The flows of a host as they were: at one moment, or over a time; a Table like that of a reading.

What was recorded is read; rates are made of what the intervals added.  Fields that are not
recorded are unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from fleutan.analysis.rates import RATES
from fleutan.analysis.stack import stacked
from fleutan.column import Column, text_column
from fleutan.errors import FleutanError
from fleutan.fields import require
from fleutan.lake.kinds import KINDS
from fleutan.past.engine import Lake
from fleutan.query import predicate
from fleutan.query.expression import Comparison, Everything, Expression, all_of, any_of
from fleutan.query.filter import PAST_SYNONYMS, parse
from fleutan.query.plan import Plan
from fleutan.query.selection import matching
from fleutan.query.times import Window
from fleutan.sources.words import unknown
from fleutan.table import Reading, Table

US, SECOND, HOUR = 1_000, 1_000_000_000, 3_600_000_000_000
#: What tells flows apart.
KEYS = ("node", "netns_inode", "cookie", "proto", "src", "sport", "dst", "dport")
#: The longest interval that is looked for around a moment.
LONGEST = HOUR


def at(lake: Lake, moment_ns: int, filters: Sequence[str], wanted: Collection[str]) -> Table:
    """The flows of the interval in which a moment is.  Raises FleutanError where nothing was recorded then."""
    window = Window(moment_ns - LONGEST, moment_ns + 1)
    lasting, length_ns = _lasting(lake, window)
    if lasting is None:
        raise FleutanError(f"no flow was recorded then in {lake.root}; 'fleutan query owners --since 1d' tells of when")
    return _flows(lake, window, filters, wanted, lasting, length_ns)


def during(lake: Lake, window: Window, filters: Sequence[str], wanted: Collection[str]) -> Table:
    """The flows of a time, each with what it did in all of it."""
    return _flows(lake, window, filters, wanted, Everything(), window.end_ns - window.start_ns)


def _lasting(lake: Lake, window: Window) -> tuple[Expression | None, int]:
    """Which rows are of the intervals that the end of the window is in, and how long those are; None for none."""
    moment_ns = window.end_ns - 1
    plan = Plan(window.start_ns, window.end_ns, ("node",), ("time", "interval"))
    terms, length_ns = [], 0
    for table in lake.groups(plan, ("flows",), "flows", plain=True):
        names, begins, lengths = (table.columns[name].objects() for name in ("node", "time", "interval"))
        for node, began_ns, length in zip(names, begins, lengths, strict=True):
            if moment_ns < began_ns + length * US:
                length_ns = max(length_ns, length * US)
                terms.append(all_of([Comparison(("node",), "=", (node,)), Comparison(("time",), "=", (began_ns,))]))
    return (any_of(terms), length_ns) if terms else (None, 0)


def _flows(
    lake: Lake,
    window: Window,
    filters: Sequence[str],
    wanted: Collection[str],
    rows: Expression,
    interval_ns: int,
) -> Table:
    expression = all_of(parse(text, PAST_SYNONYMS) for text in filters if text.strip())
    condition = predicate.compile(expression, owners_beside=False)
    names = {*wanted, *condition.fields, "comm", "pid", *(rate.counter for rate in RATES)}
    kept = [name for name in KINDS["flows"].names if name in names and name not in (*KEYS, "time")]
    plan = Plan(window.start_ns, window.end_ns, KEYS, tuple(kept), rows)
    table = whole(lake.groups(plan, ("flows",), "flows", plain=True))
    nodes = table.columns["node"].words or ()
    reading = Reading(", ".join(nodes), "all", window.end_ns, interval_ns, f"lake {lake.root}")
    table = replace(table, reading=reading)
    table = table.with_columns({**_rates(table, interval_ns), "proc": _owner(table)})
    table = table.with_columns({name: unknown(name, len(table)) for name in sorted(names - set(table.columns))})
    return table.take(matching(table, condition)) if expression != Everything() else table


def whole(tables: Iterable[Table]) -> Table:
    """Tables of an answer as one."""
    return reduce(stacked, tables)


def _rates(table: Table, interval_ns: int) -> dict[str, Column]:
    found = {}
    for rate in RATES:
        if rate.counter in table:
            column = table.columns[rate.counter]
            seconds = max(interval_ns, 1) / SECOND
            values = np.round(column.values * rate.times / seconds, rate.decimals)
            values = values if require(rate.name).type == "float" else values.astype(np.int64)
            found[rate.name] = Column(values, column.known)
    return found


def _owner(table: Table) -> Column:
    """Process and number as people read them."""
    pairs = zip(table.columns["comm"].objects(), table.columns["pid"].objects(), strict=True)
    return text_column([None if comm is None else f"{comm}({pid})" if pid is not None else comm for comm, pid in pairs])
