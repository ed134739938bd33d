# SPDX-License-Identifier: Apache-2.0
"""The CPUs that the packets of an answer were handled on, beside the answer, and where its processes ran.

Where a thread runs is not told by the kernel but seen, so there are several looks in a round:
as many as cost little of it.  How they are drawn is the business of faces.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import numpy as np

from fleutan.analysis import advice
from fleutan.analysis import cpus as analysis
from fleutan.analysis.queues import since, with_loads
from fleutan.live.queues import host_of, once, with_related
from fleutan.sources import cpus, flows, queues
from fleutan.sources.capture import Capture
from fleutan.sources.cpus import Snapshot
from fleutan.table import Table

#: Seconds between two looks at the least, and the share of a round that they may cost.
LEAST_SECONDS = 0.1
SHARE = 0.02


def holders(capture: Capture) -> frozenset[int]:
    """The processes that held a socket."""
    return _owners(flows.table(capture, ("pids",)))


def _owners(table: Table) -> frozenset[int]:
    if "pids" not in table.columns:
        return frozenset()
    column = table.columns["pids"]
    words = column.words or ()
    return frozenset(pid for code in np.unique(column.values).tolist() if code >= 0 for pid in words[code])


class Cpus:
    """Looks at the CPUs and at the processes that hold sockets, from one round to the next."""

    def __init__(
        self,
        netns: str | None = None,
        take: Callable[[Collection[int]], Snapshot] = cpus.take,
        queued: Callable[[str | None], queues.Snapshot] = queues.take,
        held: Callable[[Capture], frozenset[int]] = holders,
        clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._netns, self._take, self._queued = netns, take, queued
        self._holders, self._clock = held, clock
        self._cost = 0.0
        self._looks: list[Snapshot] = []
        self._pids: frozenset[int] = frozenset()
        queues.prepare()

    def look(self, capture: Capture) -> None:
        """A look at who holds a socket now or did at the capture before."""
        holding = self._holders(capture)
        self._pids |= holding
        self._looks.append(self._looked())
        self._pids = holding

    def wait(self, seconds: float, wait: Callable[[float], None]) -> None:
        """Passes the time, and looks meanwhile."""
        parts = self._parts(seconds)
        for part in range(parts):
            wait(seconds / parts)
            if part < parts - 1:
                self._looks.append(self._looked())

    def _parts(self, seconds: float) -> int:
        """In how many parts a look after each costs little."""
        affordable = seconds * SHARE / self._cost if self._cost else seconds / LEAST_SECONDS
        return max(1, int(min(seconds / LEAST_SECONDS, affordable)))

    def _looked(self) -> Snapshot:
        began = self._clock()
        found = self._take(self._pids)
        self._cost = self._clock() - began
        return found

    def joined(self, answer: Table) -> Table:
        """The answer with ``cpus``, ``processes``, ``crossings``, ``queues`` and ``advice`` as related tables."""
        traffic = answer.related.get("traffic")
        looks, self._looks = self._looks, self._looks[-1:]
        first, last = looks[0], looks[-1]
        served = queues.queues(self._queued(self._netns))
        interval_ns = last.steady_ns - first.steady_ns
        per_cpu = analysis.with_serves(since(cpus.cpus(first), cpus.cpus(last), interval_ns), served)
        ran = cpus.runs(looks)
        if traffic is None:
            ran = ran.take(np.isin(ran.columns["pid"].values, [*_owners(answer)]))
            return with_related(answer, {"cpus": per_cpu, "processes": ran, "queues": served})
        loads = with_loads(served, traffic)
        traffic = once(traffic)
        found = {"cpus": analysis.with_traffic(per_cpu, traffic), "queues": loads, "traffic": traffic}
        found["processes"] = analysis.by_process(ran, traffic, last.nodes)
        found["crossings"] = analysis.crossings(found["processes"])
        host = host_of(last)
        of_processes = advice.of_processes(found["crossings"], loads, traffic, host)
        told = [*of_processes, *advice.of_queues(loads, traffic, host)]
        return with_related(answer, {**found, "advice": advice.table(told, answer.reading)})
