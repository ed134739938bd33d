# SPDX-License-Identifier: Apache-2.0
"""Which of many structures have which number."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from fleutan.protocols.spans import Ints

#: Numbers from here on are those of other enterprises than sFlow.org: 12 bits of format stand below.
OTHER_ENTERPRISES = 1 << 12


class ByNumber(NamedTuple):
    """The rows of each known number that occurs, ascending, and all numbers that are not known."""

    rows: dict[int, Ints]
    unknown: Ints


def rows_by_number(tags: Ints, known: Collection[int]) -> ByNumber:
    """Which rows of ``tags`` ``(n,)`` hold which of the known numbers."""
    occurs = np.flatnonzero(np.bincount(np.minimum(tags, OTHER_ENTERPRISES), minlength=OTHER_ENTERPRISES + 1))
    common = set(occurs.tolist())
    asked = [tag for tag in known if min(tag, OTHER_ENTERPRISES) in common]
    rows = {tag: found for tag in asked if len(found := np.flatnonzero(tags == tag))}
    complete = sum(map(len, rows.values())) == len(tags)
    return ByNumber(rows, tags[:0] if complete else tags[np.isin(tags, list(rows), invert=True)])


def firsts(owners: Ints) -> Ints:
    """The rows in which each owner stands first, by owner."""
    if (owners[1:] > owners[:-1]).all():
        return np.arange(len(owners))
    return np.unique(owners, return_index=True)[1]
