# SPDX-License-Identifier: Apache-2.0
"""Counters of this host, its interfaces, and what runs on it, for an agent to export.

Each file is one kind of data source; all of them are asked alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from fleutan.observed import Counters, Source


class CounterSource(Protocol):
    """Data sources of one kind."""

    def sources(self) -> Iterable[Source]:
        """Those that there are now; cheap enough for once a second."""

    def read(self, wanted: Collection[Source]) -> Iterable[Counters]:
        """The counters of these; of one that is gone meanwhile there are none."""

    def notes(self) -> list[str]:
        """What cannot be known and why, a line each."""
