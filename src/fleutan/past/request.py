# SPDX-License-Identifier: Apache-2.0
"""What is asked of a lake: a module and its parameters, as values.

How parameters are spelled on a command line or in a URL is known there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fleutan.query.expression import Everything, Expression

SECOND = 1_000_000_000
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
#: Up to so long a window is told second by second, minute by minute; longer ones hour by hour.
FINE, MIDDLE = 10 * MINUTE, 24 * HOUR


@dataclass(frozen=True)
class Request:
    """A question of the window [``start_ns``, ``end_ns``) of rows' times.

    ``interval_ns`` is the measurement interval, None the module's own; ``granularity`` makes one
    interval of so many.  ``source`` is '' (whatever can answer), 'tuple' or 'trace'.  ``top`` None is
    the module's own.  ``keys``, ``measures`` and ``order`` are for talkers.
    """

    module: str
    start_ns: int
    end_ns: int
    filter: Expression = field(default_factory=Everything)
    source: str = ""
    interval_ns: int | None = None
    granularity: int = 1
    top: int | None = None
    side: str = "dst"
    keys: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    order: str = ""

    @property
    def fitting_ns(self) -> int:
        """An interval that suits the window, times the granularity."""
        length = self.end_ns - self.start_ns
        fitting = SECOND if length <= FINE else MINUTE if length <= MIDDLE else HOUR
        return (self.interval_ns or fitting) * self.granularity
