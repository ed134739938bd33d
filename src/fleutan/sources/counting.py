# SPDX-License-Identifier: Apache-2.0
"""Traffic, the lives of connections and who uses sockets, side by side from one reading to the next.

What is read becomes Tables in ``traffic``, ``lifecycle`` and ``users``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from typing import NamedTuple

from fleutan.errors import NotSupported
from fleutan.linux.libbpf import counting_runs
from fleutan.linux.lifecycle import Lives, Watching
from fleutan.linux.namespaces import Namespace
from fleutan.linux.traffic import ENTRIES, PROGRAMS, Counts, together
from fleutan.linux.users import PROGRAMS as USES
from fleutan.linux.users import Noticed, Noticing
from fleutan.sources import lifecycle, traffic, users
from fleutan.sources.traffic import Places

#: Rows after which a reading's tables are emptied before it ends, so that no flow finds them full.
ENOUGH = ENTRIES // 2
#: Seconds until that is looked at for the first time, and between two times at the least.
FIRST, LEAST = 4.0, 0.25
#: Bytes of the ring of lives where it is read for days: room for 20,000 records.
RING = 4 << 20


class Counted(NamedTuple):
    """One reading: packets, what began and ended, and the namespaces that were there at its beginning or end.

    ``users`` is who used sockets; None on a kernel that does not tell (before Linux 6.3).
    """

    counts: Counts
    lives: Lives
    places: Places
    users: Noticed | None = None


def lasting() -> Meters:
    """Meters of who counts for days: the ring of lives is emptied often, and counts as memory of the process."""
    return Meters(watching=lambda: Watching(RING))


class Meters:
    """Counts while the context lasts, in every network namespace.

    With ``costs`` the kernel counts what the programs take, which makes each event some 20 ns
    dearer.  Entering raises NotSupported with the reason; it takes root, or CAP_BPF and
    CAP_PERFMON.  Who uses sockets is noticed where the kernel has ``noticing``.  While it waits,
    the tables of packets are emptied before they are full, from ``first`` seconds on.
    """

    def __init__(
        self,
        costs: bool = False,
        noticing: Callable[[], Noticing] = users.noticing,
        watching: Callable[[], Watching] = lifecycle.watching,
        first: float = FIRST,
    ) -> None:
        self._first = first
        self._costs = costs
        self._watch = watching
        self._make = noticing
        self._noticing: Noticing | None = None

    def __enter__(self) -> Meters:
        with ExitStack() as held:
            if self._costs:
                held.enter_context(counting_runs())
            self._watching = held.enter_context(self._watch())
            self._counting = held.enter_context(traffic.counting())
            with suppress(NotSupported):
                self._noticing = held.enter_context(self._make())
            self._places = traffic.read_places()
            self._parts: list[Counts] = []
            self._due = time.monotonic() + self._first
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def wait(self, seconds: float) -> None:
        """Waits so long; what begins and ends meanwhile is taken as it comes, and so are packets of many flows."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            if now >= self._due:
                self._take()
            else:
                self._watching.wait(min(until, self._due) - now)

    def _take(self) -> None:
        """Takes what was counted; the next time is due when the tables may be half full."""
        counts = self._counting.read()
        self._parts.append(counts)
        rows_a_second = counts.rows * 1e9 / max(counts.ended_ns - counts.began_ns, 1)
        self._due = time.monotonic() + max(LEAST, ENOUGH / max(rows_a_second, 1))

    def cost(self) -> float | None:
        """Nanoseconds that the programs took for an event so far; None where that is not counted."""
        runs = [*map(self._counting.runs, PROGRAMS), self._watching.runs()]
        if self._noticing:
            runs += map(self._noticing.runs, USES)
        events = sum(found.run_cnt for found in runs)
        return sum(found.run_time_ns for found in runs) / events if events else None

    def read(self, spaces: Iterable[Namespace] | None = None) -> Counted:
        """What was counted since the reading before, or since the beginning.  Raises FleutanError.

        Of ``spaces``, or of all, there are ``places``: finding all namespaces takes a look at every
        process.
        """
        self._take()
        lives = self._watching.read()
        used = self._noticing.read() if self._noticing else None  # the last: a packet goes before the call is over
        before, self._places = self._places, traffic.read_places(spaces)
        parts, self._parts = self._parts, []
        return Counted(together(parts), lives, traffic.both(before, self._places), used)
