# SPDX-License-Identifier: Apache-2.0
"""What is counted of the host beside its flows, from one interval to the next: drops, queues, devices.

Where the kernel does not count drops, there are none; who records says so once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any, Protocol, Self

import numpy as np

from fleutan.analysis.figures import numbers
from fleutan.analysis.queues import since, with_loads
from fleutan.analysis.stack import stacked
from fleutan.errors import NotSupported
from fleutan.fields import BY_NAME
from fleutan.live import host_name
from fleutan.sources import drops, interfaces, queues
from fleutan.sources.capture import Capture
from fleutan.sources.queues import Snapshot
from fleutan.sources.words import unknown
from fleutan.table import Table

#: Whose a dropped packet was.
_OWNERS = ("pids", "pid", "comm", "unit", "container", "cgroup")
#: What a socket had not read when it was closed: a FIN at least, of every connection that the other end closed first.
LEFT = ("QUEUE_PURGE",)


class Counter(Protocol):
    """What counts drops while it is entered."""

    def read(self) -> Any:
        """What was counted since the last call."""


class Beside:
    """Looks right after each capture; the Tables of an interval are of what lies between two looks.

    ``why`` says why drops are not counted, where they are not.
    """

    def __init__(
        self,
        netns: str | None,
        counting: Callable[[], AbstractContextManager[Counter]] = drops.counting,
        take: Callable[[str | None], Snapshot] = queues.take,
        devices: Callable[[Iterable[Any]], Table] = interfaces.table,
    ) -> None:
        self._netns, self._counting, self._take, self._devices = netns, counting, take, devices
        self._held = ExitStack()
        self._drops: Counter | None = None
        self._counts: Any = None
        self._inside: list[int] | None = None
        self._looks: list[tuple[Snapshot, Table]] = []
        self.why = ""

    def __enter__(self) -> Self:
        queues.prepare()
        try:
            self._drops = self._held.enter_context(self._counting())
        except NotSupported as error:
            self.why = str(error)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def look(self, capture: Capture) -> None:
        """Another look; the last two are kept."""
        self._counts = self._drops.read() if self._drops else None
        meant = capture.meant()
        self._inside = None if meant is None else [space.inode for space in meant]
        looked = self._take(self._netns), self._devices([dump.namespace for dump in capture.namespaces])
        self._looks = [*self._looks[-1:], looked]

    def dropped(self, known: Sequence[Table]) -> Table | None:
        """The table ``drops`` since the look before; ``known`` tell the owners."""
        if self._counts is None:
            return None
        return drops.table(self._counts, _OWNERS, known, host_name(), inside=self._inside, summed=LEFT)

    def carried(self, traffic: Table | None) -> Table | None:
        """The table ``queues`` since the look before, devices as a whole behind the queues."""
        if len(self._looks) < 2:
            return None
        (before, devices_before), (after, devices_after) = self._looks
        interval_ns = after.steady_ns - before.steady_ns
        loads = since(queues.queues(before), queues.queues(after), interval_ns)
        if traffic is not None:
            loads = with_loads(loads, traffic)
        return busy(whole(loads, since(devices_before, devices_after, interval_ns)))


def busy(loads: Table) -> Table:
    """The rows that counted anything."""
    counted = np.zeros(len(loads), np.bool_)
    for name in loads.columns:
        if BY_NAME[name].kind == "counter":
            counted |= np.nan_to_num(numbers(loads, name)) > 0
    return loads.take(counted)


def whole(loads: Table, devices: Table) -> Table:
    """Queues and, behind them, devices, in one table: a device's row has no ``queue``."""
    missing = {name: unknown(name, len(loads)) for name in devices.columns if name not in loads.columns}
    found = stacked(loads.with_columns(missing), devices)
    return replace(found, related={})
