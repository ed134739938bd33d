# SPDX-License-Identifier: Apache-2.0
"""Headers of one in so many packets, as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Self

from fleutan.linux.sampling import Sampling
from fleutan.sources import tapped
from fleutan.sources.tapped import Uppers
from fleutan.table import Table


class Packets:
    """Reads the samples whenever it is asked; ``say`` is told the first time that some found no room.

    Entering raises NotSupported without CAP_NET_RAW.
    """

    def __init__(
        self, sampling: Sampling, say: Callable[[str], object], uppers: Callable[[], Uppers] = tapped.uppers
    ) -> None:
        self._sampling, self._say, self._uppers = sampling, say, uppers
        self._above: Uppers = {}
        self._dropped = 0
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(self._sampling)
        self._above = self._uppers()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def saw(self, flows: Table) -> None:
        """An interval is over: devices may have been put above others meanwhile."""
        del flows
        self._above = self._uppers()

    def tables(self) -> Iterator[Table]:
        """What came since the call before."""
        found = self._sampling.read()
        if not len(found.frames):
            return
        dropped = self._sampling.dropped()
        if dropped and not self._dropped:
            self._say(f"{dropped} sampled packets found no room: sample fewer (--one-in) or fewer octets (--packets)")
        self._dropped = dropped
        yield tapped.table(found, self._sampling.one_in, dropped, self._above)
