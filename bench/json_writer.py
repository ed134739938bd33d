# SPDX-License-Identifier: Apache-2.0
"""JSON of many flows: the numpy writer against DuckDB's to_json on the same columns, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from fleutan.column import Column, text_column
from fleutan.exports import json
from fleutan.fields import FIELDS
from fleutan.table import Table

ROWS, ROUNDS = 96_000, 5


def flows() -> Table:
    """Random figures in every integer field, and a few words."""
    random = np.random.default_rng(1)
    columns = {
        field.name: Column(random.integers(0, 1 << 24, ROWS), random.random(ROWS) < 0.9)
        for field in FIELDS[:70]
        if field.type == "int"
    }
    words = text_column([("nginx", "sshd", "python3")[row % 3] for row in range(ROWS)])
    return Table("flows", {**columns, "comm": words, "cong": words})


def by_duckdb(table: Table) -> int:
    """The bytes of all rows as DuckDB writes them."""
    with table.connect() as connection:
        cursor = connection.execute("SELECT to_json(flows)::VARCHAR FROM flows")
        size = 0
        while rows := cursor.fetchmany(10_000):
            size += len("\n".join(row[0] for row in rows))
    return size


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one run."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Prints medians and the ratio."""
    table = flows()
    ours: Callable[[], object] = lambda: sum(map(len, json.lines(table)))  # noqa: E731
    theirs: Callable[[], object] = lambda: by_duckdb(table)  # noqa: E731
    ours(), theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(one / two for one, two in pairs)
    print(f"JSON of {ROWS:,} flows: {mine:.3f} s, DuckDB {other:.3f} s, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
