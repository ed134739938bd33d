# SPDX-License-Identifier: Apache-2.0
"""Runs ``fleutan sql``; imported only when it runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import chain
from typing import Any

from fleutan.exports import csv, json
from fleutan.faces.cli.figures import printable
from fleutan.faces.cli.interrupting import interruptible
from fleutan.faces.cli.lakes import lake_of
from fleutan.faces.cli.querying import write
from fleutan.lake.listing import EVER
from fleutan.past.database import Limits
from fleutan.past.sql import Rows
from fleutan.query.times import parse_moment
from fleutan.table import Table

#: What live_flows has.
LIVE = (
    *("proto", "family", "state", "src", "sport", "dst", "dport", "dev", "netns", "inode", "uid", "user", "pid"),
    *("comm", "unit", "container", "rtt", "rtt_var", "min_rtt", "cwnd", "mss", "retrans", "lost", "unacked"),
    *("bytes_sent", "bytes_acked", "bytes_received", "delivery_rate", "limit"),
)


def select(words: Mapping[str, Any]) -> None:
    """Asks in SQL and writes the answer."""
    from fleutan.past.sql import asked

    now_ns = time.time_ns()
    start_ns = parse_moment(words["from_"], now_ns, None) if words["from_"] else EVER[0]
    end_ns = parse_moment(words["to"], now_ns, None) if words["to"] else EVER[1]
    live, root, limits = live_tables(words["statement"]), lake_of(words["lake"]), Limits(words["memory"])
    with asked(root, words["statement"], (start_ns, end_ns), limits, live, interruptible) as rows:
        write(_PLAIN[words["form"]](rows))


def live_tables(statement: str) -> dict[str, Table]:
    """The tables of this host's present that a statement names."""
    if not re.search(r"\blive_flows\b", statement, re.IGNORECASE):
        return {}
    from fleutan.live import Question, ask

    return {"live_flows": ask(Question(fields=LIVE, states="all"))}


def _text_rows(rows: Rows) -> Iterator[bytes]:
    """Columns as wide as the widest value of the first rows; a plan, which EXPLAIN gives, is text of its own."""
    first = list(next(rows.batches, ()))
    if rows.names == ["explain_key", "explain_value"]:
        yield from (f"{plan.rstrip()}\n".encode() for _, plan in first)
        return
    cells = [rows.names, *([shown(value) for value in row] for row in first)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in chain(cells, ([shown(value) for value in row] for batch in rows.batches for row in batch)):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield f"{printable(line)}\n".encode()


def shown(value: Any) -> str:
    """A value of SQL as text; what is unknown is empty."""
    if isinstance(value, list | tuple | dict):
        return str(plain(value))
    return "" if value is None else value.hex() if isinstance(value, bytes) else str(value)


def plain(value: Any) -> Any:
    """A value of SQL as JSON knows it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _objects(rows: Rows) -> Iterator[dict[str, Any]]:
    return (dict(zip(rows.names, map(plain, row), strict=True)) for batch in rows.batches for row in batch)


_PLAIN: Mapping[str, Callable[[Rows], Iterator[bytes]]] = {
    "text": _text_rows,
    "jsonl": lambda rows: json.plain_lines(_objects(rows)),
    "json": lambda rows: json.plain_document({"schema": "fleutan/sql/1"}, {"rows": list(_objects(rows))}),
    "csv": lambda rows: csv.plain_lines(rows.names, (list(map(plain, row)) for batch in rows.batches for row in batch)),
}
