# SPDX-License-Identifier: Apache-2.0
"""The tables of CPUs and of queues: what lies between the last two looks, and what packets of the flows met there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from fleutan.analysis import cpus as of_cpus
from fleutan.analysis import queues as of_queues
from fleutan.errors import FleutanError
from fleutan.live.queues import once
from fleutan.sources import cpus, queues
from fleutan.table import Table


class _Look(NamedTuple):
    cpus: cpus.Snapshot
    queues: queues.Snapshot | None


class Places:
    """Looks at CPUs and queues from round to round; what cannot be read is left out."""

    def __init__(
        self,
        netns: str | None = None,
        take: Callable[[str | None], queues.Snapshot] = queues.take,
        look: Callable[[], cpus.Snapshot] = cpus.take,
    ) -> None:
        self._netns, self._take, self._cpus = netns, take, look
        self._looks: list[_Look] = []

    def look(self) -> None:
        """Another look; the last two are kept."""
        queued = None
        with suppress(FleutanError):
            queued = self._take(self._netns)
        self._looks = [*self._looks[-1:], _Look(self._cpus(), queued)]

    def tables(self, flows: Table) -> dict[str, Table]:
        """``cpus`` and ``queues`` by kind; with counted packets also what they carried of the flows."""
        if not self._looks:
            return {}
        before, after = self._looks[0], self._looks[-1]
        traffic = flows.related.get("traffic")
        interval_ns = after.cpus.steady_ns - before.cpus.steady_ns
        found = {"cpus": of_queues.since(cpus.cpus(before.cpus), cpus.cpus(after.cpus), interval_ns)}
        if after.queues is not None:
            now = queues.queues(after.queues)
            found["cpus"] = of_cpus.with_serves(found["cpus"], now)
            found["queues"] = of_queues.since(queues.queues(before.queues or after.queues), now, interval_ns)
        if traffic is not None:
            found["cpus"] = of_cpus.with_traffic(found["cpus"], once(traffic))
            if "queues" in found:
                found["queues"] = of_queues.with_loads(found["queues"], traffic)
        return found
