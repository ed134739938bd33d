# SPDX-License-Identifier: Apache-2.0
"""A circuit breaker: what would cost too much is left alone for a while, and tried again.

Knows only numbers and the time, as it is told; what is switched off and on is its owner's business.
"""

from __future__ import annotations

#: How long it stays open at first and at the most, in seconds; each time that follows soon, twice as long.
FIRST, LONGEST = 10.0, 320.0
#: A rate is one over so long at least, in seconds.
_SPAN = 1.0


class Breaker:
    """Opens when more than ``most`` events a second came for ``seconds``, and closes again after a pause.

    Events are a count that goes on; times are of a clock that nobody sets, in seconds.
    """

    def __init__(self, most: float, seconds: float) -> None:
        self.most, self.seconds = most, seconds
        self.is_open = False
        #: How often it opened, and when it will close.
        self.trips, self.closes_at = 0, 0.0
        self._pause = FIRST
        self._begun: tuple[int, float] | None = None
        self._over_since: float | None = None

    def told(self, events: int, now: float) -> bool:
        """The count at this time; whether the state changed."""
        if self.is_open:
            return now >= self.closes_at and self._close(events, now)
        if self._begun is None:
            self._begun = events, now
        before, began = self._begun
        if now - began < _SPAN:
            return False
        self._begun = events, now
        if events - before <= self.most * (now - began):
            self._over_since = None
            return False
        if self._over_since is None:
            self._over_since = began
        return now - self._over_since >= self.seconds and self.open(now)

    def open(self, now: float) -> bool:
        """Opens for a pause, whatever was told."""
        if now - self.closes_at > 2 * LONGEST:  # the time before is long ago
            self._pause = FIRST
        self.is_open, self.closes_at = True, now + self._pause
        self._pause = min(2 * self._pause, LONGEST)
        self.trips += 1
        return True

    def _close(self, events: int, now: float) -> bool:
        self.is_open, self._begun, self._over_since = False, (events, now), None
        return True
