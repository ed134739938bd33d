# SPDX-License-Identifier: Apache-2.0
"""Where an engine is and where it finds the lake's files, as ``--engine`` says it.

    clickhouse://[USER@]HOST[:PORT][?files=DIRECTORY-OR-URL]     spark://HOST:PORT[?files=...&spark.KEY=VALUE]

What lives here opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from fleutan.errors import UsageError


@dataclass(frozen=True)
class Where:
    """An engine's place: ``location`` is what stands between ``://`` and ``?``.

    ``files`` is the lake's directory as the engine sees it ('': as it is called here), ``options``
    are all others.
    """

    scheme: str
    location: str
    files: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def lake(self, root: Path) -> str:
        """The lake's directory as the engine calls it."""
        return self.files.rstrip("/") or str(root.absolute())


def understood(text: str) -> Where:
    """The place that a text means.  Raises UsageError for what is none."""
    scheme, colon, rest = text.partition("://")
    location, _, query = rest.partition("?")
    if not scheme or not colon or not location:
        raise UsageError(f"{text[:60]!r} is no engine: write duckdb, clickhouse://HOST:8123 or spark://HOST:7077")
    options = dict(parse_qsl(query, keep_blank_values=True))
    files = options.pop("files", "")
    for name in options:
        if scheme != "spark" or not name.startswith("spark."):
            more = " and Spark's own, spark.…" if scheme == "spark" else ""
            raise UsageError(f"{name[:40]!r} is no option of {scheme[:20]}; there is files{more}")
    return Where(scheme, location, files, options)
