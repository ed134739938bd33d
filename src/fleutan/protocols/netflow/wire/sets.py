# SPDX-License-Identifier: Apache-2.0
"""Where the sets in datagrams lie: all datagrams of a batch are walked side by side.

What lives here reads the headers of sets and nothing in them.

RFC 3954 5.2 and 5.3 (FlowSets), RFC 7011 3.3.2 (Sets).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.headers import Bodies, Heads
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.netflow.wire.templates import FIRST_NUMBER
from fleutan.protocols.spans import number

Ints = NDArray[np.int64]

#: Sets that are read of one datagram: each record in a set of its own fills jumbo frames with fewer.
SETS = 1024
_HEADER = 4
#: Sets of templates and of option templates, by version.
TEMPLATE_SETS = {9: (0, 1), 10: (2, 3)}


class Sets(NamedTuple):
    """Bodies of sets in order of arrival: the row of the head, the number, first octet and size.

    ``(n,)`` int64 each.  All records of a datagram without sets (versions 1, 5, 7) are one, of number 0.
    """

    head: Ints
    number: Ints
    start: Ints
    size: Ints

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Sets:
        """These sets, by number or mask."""
        return Sets(*(column[rows] for column in self))


def walk(octets: NDArray[np.uint8], heads: Heads, bodies: Bodies, noted: Rejects) -> Sets:
    """The sets in the datagrams of these heads whose number means something."""
    return numbered(chained(octets, heads, bodies, noted), heads, noted)


def chained(octets: NDArray[np.uint8], heads: Heads, bodies: Bodies, noted: Rejects) -> Sets:
    """All sets in the datagrams of these heads; where a length makes no sense the rest is noted and left."""
    fixed = np.flatnonzero(heads.version < 9)
    parts = [Sets(fixed, np.zeros(len(fixed), np.int64), bodies.start[fixed], (bodies.end - bodies.start)[fixed])]
    rows = np.flatnonzero(heads.version >= 9)
    at = bodies.start.copy()
    for _ in range(SETS):
        rows = rows[bodies.end[rows] - at[rows] >= _HEADER]
        if not len(rows):
            break
        found, rows = _step(octets, rows, at, bodies, noted, heads)
        parts.append(found)
    noted.add(rejects.SETS, heads.datagram[rows[bodies.end[rows] - at[rows] >= _HEADER]])
    together = Sets(*map(np.concatenate, zip(*parts, strict=True)))
    return together.take(np.argsort(together.head, kind="stable"))


def _step(
    octets: NDArray[np.uint8], rows: Ints, at: Ints, bodies: Bodies, noted: Rejects, heads: Heads
) -> tuple[Sets, Ints]:
    """One set of each of these datagrams, and those that go on behind it."""
    here = at[rows]
    kind, size = number(octets, here, 2), number(octets, here + 2, 2)
    # Some fill a datagram up with zeros, as padding of no set (Palo Alto).
    ends = (size < _HEADER) & (kind == 0) & (size == 0)
    noted.add(rejects.SET_LENGTH, heads.datagram[rows[(size < _HEADER) & ~ends]])
    beyond = here + size > bodies.sent[rows]
    noted.add(rejects.SET_BEYOND, heads.datagram[rows[beyond]])
    good = (size >= _HEADER) & ~beyond
    rows, here, kind, size = rows[good], here[good], kind[good], size[good]
    at[rows] = here + size
    # What was sent but not captured is not there to be read.  A message that says to end amid its last
    # set does not know its own length; the set is whole.
    inside = np.minimum(size, bodies.received[rows] - here) - _HEADER
    return Sets(rows, kind, here + _HEADER, inside), rows


def numbered(sets: Sets, heads: Heads, noted: Rejects) -> Sets:
    """Without those whose number means nothing in their version."""
    version = heads.version[sets.head]
    fine = (sets.number >= FIRST_NUMBER) | (version < min(TEMPLATE_SETS))
    for one, numbers in TEMPLATE_SETS.items():
        fine |= (version == one) & np.isin(sets.number, numbers)
    noted.add(rejects.SET_NUMBER, heads.datagram[sets.head[~fine]])
    return sets.take(fine)


def alike(these: Ints, those: Ints) -> Iterator[tuple[Ints, int, int]]:
    """The rows of each pair of numbers that occurs, in order, and the pair."""
    order = np.lexsort((those, these))
    ones, others = these[order], those[order]
    new = (np.diff(ones) != 0) | (np.diff(others) != 0)
    first = np.concatenate(([0], np.flatnonzero(new) + 1)) if len(order) else np.zeros(0, np.int64)
    for rows, start in zip(np.split(order, first[1:]), first.tolist(), strict=False):
        yield rows, int(ones[start]), int(others[start])
