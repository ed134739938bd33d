# SPDX-License-Identifier: Apache-2.0
"""What the sockets of control groups moved, for those that share the host's network namespace.

``Traffic`` is all that an entity's counters ask of whoever counts: whatever gives cumulative counts by
the id of a group of v2.  A group that began anew may count less than before; one that is not there
has moved nothing since counting began.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux.unittraffic import Moved, UnitTraffic

Traffic = Callable[[], Mapping[int, Moved]]
#: Seconds for which a reading serves: many entities are read at once.
LIFETIME_S = 0.5


class Counting:
    """Counts by programs in the kernel while the context lasts; ``trouble`` says why it does not, '' if it does."""

    def __init__(
        self,
        mount: str | None,
        make: Callable[[str | None], UnitTraffic] = UnitTraffic,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trouble = ""
        self._programs = make(mount)
        self._held = ExitStack()
        self._counts_now = False
        self._clock, self._until = clock, 0.0
        self._last: Mapping[int, Moved] = {}

    def __enter__(self) -> Counting:
        try:
            self._held.enter_context(self._programs)
            self._counts_now = True
        except NotSupported as error:
            self.trouble = str(error)
        return self

    def __exit__(self, *_: object) -> None:
        self._counts_now = False
        self._held.close()

    def read(self) -> Mapping[int, Moved] | None:
        """Counts by the groups' ids, at most LIFETIME_S old; None where nobody counts."""
        if not self._counts_now:
            return None
        now = self._clock()
        if now >= self._until:
            try:
                self._last = self._programs.read()
                self.trouble = ""
            except FleutanError as error:
                self.trouble = str(error)
                return None
            self._until = now + LIFETIME_S
        return self._last
