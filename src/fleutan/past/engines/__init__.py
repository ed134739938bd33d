# SPDX-License-Identifier: Apache-2.0
"""Which engine answers a question to a lake: DuckDB in this process, ClickHouse, or Spark.

What an engine must offer stands in ``protocol``, DuckDB's in ``past/engine.py``.  No engine is
imported before it is asked.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from fleutan.errors import UsageError
from fleutan.past.engine import Limits
from fleutan.past.engines.protocol import Lake
from fleutan.past.engines.where import Where, understood

#: How engines are spelled.
SPELLINGS = ("duckdb", "clickhouse://local", "clickhouse://HOST:PORT", "spark://HOST:PORT", "spark://local[N]")


def opened(engine: str, root: Path, limits: Limits | None = None) -> AbstractContextManager[Lake]:
    """The lake as an engine sees it, for ``with``; '' is DuckDB.  Raises UsageError for what is no engine.

    ``limits`` are for engines in this process.
    """
    if engine in ("", "duckdb"):
        from fleutan.past.engine import Lake as Duck

        return Duck(root, limits)
    return _foreign(understood(engine), engine, root, limits or Limits())


def _foreign(where: Where, engine: str, root: Path, limits: Limits) -> AbstractContextManager[Lake]:
    if where.scheme == "clickhouse":
        from fleutan.past.engines.clickhouse import ClickHouse

        return ClickHouse(root, where, limits)
    if where.scheme == "spark":
        from fleutan.past.engines.spark import Spark

        return Spark(root, where)
    raise UsageError(f"no engine is called {engine[:60]!r}; there are {', '.join(SPELLINGS)}")
