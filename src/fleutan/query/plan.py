# SPDX-License-Identifier: Apache-2.0
"""A question to a lake as a value: what is told apart, what is added up, of which rows.

What lives here knows no engine and no file; ``past`` makes a plan of a module's parameters, and
``dialects`` say how an engine spells it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fleutan.query.expression import Everything, Expression


@dataclass(frozen=True)
class Plan:
    """Groups of rows of a relation.

    ``keys`` and ``measures`` are catalogue fields; ``bucket_ns`` adds the beginning of the interval
    (``time``) as first key, 0 none.  ``order`` is the measure to sort by, largest first, '' sorts by
    the keys; ``top`` keeps so many groups, of each bucket where there are buckets, 0 all.  The
    window is [``start_ns``, ``end_ns``) of the rows' time.
    """

    start_ns: int
    end_ns: int
    keys: tuple[str, ...] = ()
    measures: tuple[str, ...] = ("flows", "packets", "bytes")
    filter: Expression = field(default_factory=Everything)
    bucket_ns: int = 0
    order: str = ""
    top: int = 0
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """Rows as they are: ``fields`` of those in the window that the filter means, in order of ``order``."""

    kind: str
    start_ns: int
    end_ns: int
    fields: tuple[str, ...]
    filter: Expression = field(default_factory=Everything)
    order: tuple[str, ...] = ("time",)
    limit: int = 0
