# SPDX-License-Identifier: Apache-2.0
"""Sums of rows by minute and by hour, made when the rows are sealed.

``minutes`` and ``hours`` know no address and no port; ``tops`` has those with the most bytes of each
minute.  Rows of several files may tell of one minute: they are added up when they are asked for.
Counts are multiplied by the sampling rate; what has none counts as it is.  What 64 bits do not hold
is unknown: a hostile exporter's figures must not keep rows from being sealed.
"""

from __future__ import annotations

from fleutan.lake.kinds import KINDS, ROLLED_KEYS

MINUTE, HOUR = 60_000_000_000, 3_600_000_000_000
BUCKETS = {"minutes": MINUTE, "hours": HOUR, "tops": MINUTE}
#: So many addresses and ports a minute and side are kept in ``tops``.
TOP = 100
#: What is added up; rows of one flow record count one flow.
SUMS = {
    "flows": "CAST(count(*) AS BIGINT)",
    "packets": "TRY_CAST(sum(TRY(packets * coalesce(sampling_rate, 1))) AS BIGINT)",
    "bytes": "TRY_CAST(sum(TRY(bytes * coalesce(sampling_rate, 1))) AS BIGINT)",
}
_SIDES = {
    "src": ("src_hi", "src_lo", "NULL"),
    "dst": ("dst_hi", "dst_lo", "NULL"),
    "sport": ("NULL", "NULL", "sport"),
    "dport": ("NULL", "NULL", "dport"),
}


def digest(kind: str, rows: str, hour_ns: int) -> str:
    """All ends of an hour's rows, what is unknown too, each with its sums; the columns are those of ``ends``."""
    parts = []
    for side, (hi, lo, port) in _SIDES.items():
        proto = "NULL" if port == "NULL" else "proto"
        sums = ", ".join(f"{sql} AS {column}" for column, sql in SUMS.items())
        parts.append(
            f"SELECT {hour_ns} AS time_ns, node, '{kind}' AS kind, '{side}' AS side, {hi} AS address_hi, "
            f"{lo} AS address_lo, {port} AS port, {proto} AS proto, {sums} "
            f"FROM {rows} GROUP BY ALL"
        )
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY side, address_hi, address_lo, port"


def query(name: str, kind: str, rows: str) -> str:
    """The rollup's rows of a relation ``rows`` of a kind; its columns are those of the rollup's kind on disk."""
    return _tops(kind, rows) if name == "tops" else _sums(name, kind, rows)


def _sums(name: str, kind: str, rows: str) -> str:
    there = {column for column, _ in KINDS[kind].columns}
    keys = [column for column, _ in KINDS[name].columns if column in there and column not in (*SUMS, "time_ns")]
    keys = [key for key in keys if _is_key(key)]
    sums = ", ".join(f"{sql} AS {column}" for column, sql in SUMS.items())
    bucket = BUCKETS[name]
    listed = "".join(f'"{key}", ' for key in keys)
    return (
        f"SELECT time_ns // {bucket} * {bucket} AS time_ns, '{kind}' AS kind, {listed}{sums} "
        f"FROM {rows} GROUP BY ALL ORDER BY time_ns"
    )


def again(name: str, rows: str) -> str:
    """The rollup's rows of those of a finer one; all rollups by time alone have the same columns."""
    keys = "".join(f', "{column}"' for column, _ in KINDS[name].columns if column not in (*SUMS, "time_ns"))
    sums = "".join(f', TRY_CAST(sum("{column}") AS BIGINT) AS "{column}"' for column in SUMS)
    bucket = BUCKETS[name]
    return f"SELECT time_ns // {bucket} * {bucket} AS time_ns{keys}{sums} FROM {rows} GROUP BY ALL ORDER BY time_ns"


def _is_key(column: str) -> bool:
    return column == "node" or column.removesuffix("_hi").removesuffix("_lo") in ROLLED_KEYS


def _tops(kind: str, rows: str) -> str:
    return " UNION ALL ".join(f"({_top(side, kind, rows)})" for side in _SIDES)


def _top(side: str, kind: str, rows: str) -> str:
    hi, lo, port = _SIDES[side]
    sums = ", ".join(f"{sql} AS {column}" for column, sql in SUMS.items())
    proto = "NULL" if port == "NULL" else "proto"
    known = port if port != "NULL" else hi
    summed = (
        f"SELECT time_ns // {MINUTE} * {MINUTE} AS time_ns, node, '{kind}' AS kind, exporter_hi, exporter_lo, "
        f"'{side}' AS side, {hi} AS address_hi, {lo} AS address_lo, {port} AS port, {proto} AS proto, {sums} "
        f"FROM {rows} WHERE {known} IS NOT NULL GROUP BY ALL"
    )
    order = "row_number() OVER (PARTITION BY time_ns, exporter_hi, exporter_lo ORDER BY bytes DESC)"
    return f"SELECT * FROM ({summed}) QUALIFY {order} <= {TOP}"
