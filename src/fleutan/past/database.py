# SPDX-License-Identifier: Apache-2.0
"""A database in memory for one question: within bounds, spilling to a directory that goes with it.

What is asked of it is the business of ``engine`` and ``sql``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleutan.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Where what does not fit into memory goes, unless TMPDIR says otherwise: /tmp is memory on many hosts.
SPILL = "/var/tmp"  # noqa: S108  # mkdtemp makes a directory of its own there


@dataclass(frozen=True)
class Limits:
    """What one question may take: memory as DuckDB spells it, threads (0: as many as there are CPUs)."""

    memory: str = "1GB"
    threads: int = 0


@contextmanager
def opened(limits: Limits) -> Iterator[DuckDBPyConnection]:
    """A database within the limits.  Raises UsageError for a memory that is none."""
    import duckdb

    spill = _spill()
    config: dict[str, Any] = {
        "memory_limit": limits.memory,
        "preserve_insertion_order": False,
        "temp_directory": spill,
        "python_enable_replacements": False,  # SQL names tables, never this program's variables
        "autoinstall_known_extensions": False,  # nothing is fetched from elsewhere
        "autoload_known_extensions": False,
    }
    if limits.threads:
        config["threads"] = limits.threads
    try:
        try:
            connection = duckdb.connect(config=config)
        except duckdb.Error:
            raise UsageError(f"{limits.memory[:40]!r} is no amount of memory: say one as in 500MB or 2GB") from None
        with connection:
            yield connection
    finally:
        if spill:
            shutil.rmtree(spill, ignore_errors=True)


def _spill() -> str:
    """A directory of this question's own; '' where none can be made: then memory has to do."""
    try:
        return tempfile.mkdtemp(prefix="fleutan-", dir=os.environ.get("TMPDIR") or SPILL)
    except OSError:
        return ""
