# SPDX-License-Identifier: Apache-2.0
"""What a server allows, and what it serves, as values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleutan.past.jobs import Lookup

MIB = 1 << 20


@dataclass(frozen=True)
class Bounds:
    """What one request may take, and all of them together.

    ``seconds`` is how long a question may hold a database, ``rows`` how many an answer may have,
    ``memory`` what its database may take, as DuckDB spells it.  ``concurrent`` questions are worked on
    at once and ``waiting`` more may wait, each for ``patience`` seconds; ``followers`` answers go on
    (``wait=yes``).  ``line`` is the longest path with its query in octets.

    What is answered and not yet sent takes ``spool`` octets of one request at most and ``spools`` of all;
    of each the first ``held`` are kept in memory, and errors among the first ``early`` have a status.

    Of ``connections``, one that has not sent its request within ``header_seconds`` is ended, and
    one that takes nothing of its answer for ``stalled_seconds``.
    """

    seconds: float = 60.0
    rows: int = 1_000_000
    memory: str = "512MB"
    concurrent: int = 4
    waiting: int = 32
    patience: float = 10.0
    followers: int = 64
    line: int = 16_384
    spool: int = 256 * MIB
    spools: int = 1024 * MIB
    held: int = 64 * 1024
    early: int = MIB
    connections: int = 4096
    header_seconds: float = 10.0
    stalled_seconds: float = 30.0
    keep_alive_seconds: int = 5


@dataclass(frozen=True)
class Node:
    """What ``/status`` says of the server besides the lake."""

    name: str = ""
    location: str = ""
    type: str = "lake"
    comment: str = ""


@dataclass(frozen=True)
class Service:
    """A lake that is served.

    So long after its end, ``settle_ns``, an interval has all its rows; ``jobs`` are who looks jobs up.
    """

    root: Path
    bounds: Bounds = field(default_factory=Bounds)
    node: Node = field(default_factory=Node)
    settle_ns: int = 10 * 10**9
    jobs: Mapping[str, Lookup] = field(default_factory=dict)
    now_ns: Callable[[], int] = time.time_ns
    started_ns: int = field(default_factory=time.time_ns)
