# SPDX-License-Identifier: Apache-2.0
"""ClickHouse in this process: chDB, of the extra ``clickhouse``."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

from fleutan.errors import NotSupported, UsageError
from fleutan.past.engine import Limits

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30}


class Local:
    """chDB with these settings, within limits."""

    def __init__(self, limits: Limits, settings: Mapping[str, str]) -> None:
        self._options = {**settings, "max_memory_usage": str(octets(limits.memory))}
        if limits.threads:
            self._options["max_threads"] = str(limits.threads)

    def open(self) -> None:
        """Raises NotSupported where there is no chDB."""
        try:
            import chdb  # noqa: F401
        except ImportError:
            remedy = "pip install 'fleutan[clickhouse]'"
            raise NotSupported("clickhouse://local", "chDB is not installed", remedy) from None

    def close(self) -> None:
        """Nothing stays open between questions."""

    def ask(self, sql: str, parameters: Mapping[str, str]) -> Any:
        """The answer as a whole."""
        import chdb

        found = chdb.query(sql, "ArrowStream", params=dict(parameters), options=self._options)
        return io.BytesIO(found.bytes())


def octets(memory: str) -> int:
    """An amount of memory as DuckDB spells it."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", memory.upper())
    if found is None or found[2] not in _UNITS:
        raise UsageError(f"{memory[:40]!r} is no amount of memory: say one as in 500MB or 2GB")
    return int(float(found[1]) * _UNITS[found[2]])
