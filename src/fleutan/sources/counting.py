# SPDX-License-Identifier: Apache-2.0
"""Traffic and the lives of connections, counted side by side from one reading to the next.

What is read becomes Tables in ``traffic`` and ``lifecycle``.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

from fleutan.linux.libbpf import counting_runs
from fleutan.linux.lifecycle import Lives
from fleutan.linux.traffic import PROGRAMS, Counts
from fleutan.sources import lifecycle, traffic
from fleutan.sources.traffic import Places


class Counted(NamedTuple):
    """One reading: packets, what began and ended, and the namespaces that were there at its beginning or end."""

    counts: Counts
    lives: Lives
    places: Places


class Meters:
    """Counts while the context lasts, in every network namespace.

    With ``costs`` the kernel counts what the programs take, which makes each event some 20 ns
    dearer.  Entering raises NotSupported with the reason; it takes root, or CAP_BPF and
    CAP_PERFMON.
    """

    def __init__(self, costs: bool = False) -> None:
        self._costs = costs

    def __enter__(self) -> Meters:
        with ExitStack() as held:
            if self._costs:
                held.enter_context(counting_runs())
            self._watching = held.enter_context(lifecycle.watching())
            self._counting = held.enter_context(traffic.counting())
            self._places = traffic.read_places()
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def wait(self, seconds: float) -> None:
        """Waits so long; what begins and ends meanwhile is taken as it comes."""
        self._watching.wait(seconds)

    def cost(self) -> float | None:
        """Nanoseconds that the programs took for an event so far; None where that is not counted."""
        runs = [*map(self._counting.runs, PROGRAMS), self._watching.runs()]
        events = sum(found.run_cnt for found in runs)
        return sum(found.run_time_ns for found in runs) / events if events else None

    def read(self) -> Counted:
        """What was counted since the reading before, or since the beginning.  Raises FleutanError."""
        counts, lives = self._counting.read(), self._watching.read()
        before, self._places = self._places, traffic.read_places()
        return Counted(counts, lives, traffic.both(before, self._places))
