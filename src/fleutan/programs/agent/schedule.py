# SPDX-License-Identifier: Apache-2.0
"""When the counters of which data source are told: each once in an interval, all of them spread over it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from fleutan.observed import Source


class Schedule:
    """Which data sources are due; times are of a clock that nobody sets, in seconds.

    A source that is new is due for the first time within an interval, by chance, so that many do
    not come at once.  Who was away for longer than an interval tells each source once, not once
    for each interval that is over.
    """

    def __init__(self, interval: float, chance: Callable[[], float] = random.random) -> None:
        self.interval, self._chance = interval, chance
        self._due: dict[Source, float] = {}

    def __len__(self) -> int:
        """How many data sources there are."""
        return len(self._due)

    def due(self, sources: Iterable[Source], now: float) -> tuple[list[Source], list[Source]]:
        """Of the sources that there are those that are due now; and those that are there no more."""
        present = set(sources)
        gone = [source for source in self._due if source not in present]
        for source in gone:
            del self._due[source]
        for source in sorted(present.difference(self._due)):
            self._due[source] = now + self._chance() * self.interval
        found = [source for source, at in self._due.items() if at <= now]
        for source in found:
            self._due[source] = max(self._due[source] + self.interval, now + self.interval / 2)
        return found, gone
