# SPDX-License-Identifier: Apache-2.0
"""The queues that the packets of an answer went through, beside the answer: who carries, what feeds them.

How they are drawn is the business of faces; what they mean that of ``analysis.queues``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fleutan.analysis import advice
from fleutan.analysis import queues as analysis
from fleutan.sources import cpus, queues
from fleutan.sources.capture import Capture
from fleutan.sources.queues import Snapshot
from fleutan.table import Table


class Queues:
    """Looks at the queues of the namespaces that are asked for, from one round to the next.

    Reading raises FleutanError where the one namespace asked for is gone.
    """

    def __init__(
        self,
        netns: str | None = None,
        take: Callable[[str | None], Snapshot] = queues.take,
        look: Callable[[], cpus.Snapshot] = cpus.take,
    ) -> None:
        self._netns, self._take, self._cpus = netns, take, look
        self._looks: list[Snapshot] = []
        queues.prepare()

    def look(self, _: Capture) -> None:
        """Another look; the last two are kept."""
        self._looks = [*self._looks[-1:], self._take(self._netns)]

    def wait(self, seconds: float, wait: Callable[[float], None]) -> None:
        """Passes the time."""
        wait(seconds)

    def joined(self, answer: Table) -> Table:
        """With the related tables ``queues``, ``qdiscs`` and, where packets are counted, ``volumes``, ``advice``."""
        before, after = self._looks
        interval_ns = after.steady_ns - before.steady_ns
        loads, disciplines = (
            analysis.since(make(before), make(after), interval_ns) for make in (queues.queues, queues.qdiscs)
        )
        found = {"queues": loads, "qdiscs": disciplines}
        if (traffic := answer.related.get("traffic")) is not None:
            found["queues"] = loads = analysis.with_loads(loads, traffic)
            found["volumes"] = analysis.by_queue(traffic)
            host = host_of(self._cpus())
            found["advice"] = advice.table(advice.of_queues(loads, traffic, host), answer.reading)
        return with_related(answer, found)


def host_of(look: cpus.Snapshot) -> advice.Host:
    """What advice has to know of this host."""
    return advice.Host({cpu: look.nodes.get(cpu) for cpu in look.times}, look.rps_sock_flow_entries)


def with_related(answer: Table, found: dict[str, Table]) -> Table:
    """The answer with these tables beside it, and with what they lack among its notes."""
    notes = dict.fromkeys((*answer.reading.notes, *(note for table in found.values() for note in table.reading.notes)))
    return replace(answer, reading=replace(answer.reading, notes=tuple(notes)), related={**answer.related, **found})


def once(traffic: Table) -> Table:
    """Each packet once, where devices stand on others: the rows that count for flows and CPUs."""
    above = traffic.columns["counted_above"].values
    return traffic.take(np.flatnonzero(~above))
