# SPDX-License-Identifier: Apache-2.0
"""Records of one layout out of many sets, read together.

Where all fields have lengths of their own a record is one item of a numpy dtype, and is copied as
such out of the batch.  Where lengths stand in records, the sets are walked side by side, a record
of each at a time.  What lives here knows nothing of what fields mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.arrived import Arrived
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.netflow.wire.sets import Sets
from fleutan.protocols.netflow.wire.templates import SHORTEST, VARIABLE, Layout
from fleutan.protocols.spans import Spans, number

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Octets = NDArray[np.uint8]

# The length of a field in one octet; 255 says that it stands in the next two (RFC 7011, 7).
_LONG = 255


class Group(NamedTuple):
    """Records of one layout in order of arrival; ``options`` tells option records from data records.

    ``sets`` and ``place`` are ``(n,)`` int64: the row of each record's set, and its number in that;
    ``at`` is where it begins in ``octets``.  ``records`` has the layout's dtype; where that has
    none, ``starts`` and ``sizes`` ``(fields, n)`` say where each field lies.
    """

    layout: Layout
    options: bool
    octets: Octets
    sets: Ints
    place: Ints
    at: Ints
    records: NDArray[Any] | None
    starts: Ints
    sizes: Ints

    @property
    def rows(self) -> int:
        """How many records."""
        return len(self.sets)

    def spans(self, field: int) -> Spans:
        """Where that field of each record lies."""
        if self.records is None:
            return Spans(self.octets, self.starts[field], self.sizes[field])
        before = sum(one.size for one in self.layout.fields[:field])
        return Spans(self.octets, self.at + before, np.full(self.rows, self.layout.fields[field].size))

    def numbers(self, field: int) -> tuple[Ints, Mask | None]:
        """That field as unsigned numbers, and where it is one (None: everywhere); 8 octets reinterpreted."""
        if self.records is not None and self.layout.fields[field].size in (1, 2, 4, 8):
            return self.records[str(field)].astype(np.int64), None
        spans = self.spans(field)
        found = np.zeros(self.rows, np.int64)
        for size in np.unique(spans.sizes).tolist():
            if 1 <= size <= 8:
                mine = spans.sizes == size
                found[mine] = number(self.octets, spans.starts[mine], size)
        return found, (spans.sizes >= 1) & (spans.sizes <= 8)

    def halves(self, field: int) -> tuple[Ints, Mask | None]:
        """That field of 16 octets as ``(n, 2)`` numbers, and where it has that length."""
        if self.records is not None and self.layout.fields[field].size == 16:
            return self.records[str(field)].astype(np.int64), None
        starts, sizes = self.spans(field)[1:]
        known = sizes == 16
        halves = (np.where(known, number(self.octets, starts + at, 8), 0) for at in (0, 8))
        return np.stack(list(halves), 1), known


class _Asked(NamedTuple):
    """Sets of one layout: their ``rows`` among all, and the datagrams that broken ones are noted for."""

    octets: Octets
    sets: Sets
    rows: Ints
    datagrams: Ints
    layout: Layout
    options: bool


def grouped(since: Arrived, rows: Ints, layout: Layout, options: bool, noted: Rejects) -> Group:
    """The records of one layout in these rows of the sets."""
    asked = _Asked(since.octets, since.sets.take(rows), rows, since.datagram[rows], layout, options)
    return _fixed(asked, layout.dtype) if layout.dtype is not None else _variable(asked, noted)


def _fixed(asked: _Asked, dtype: np.dtype[Any]) -> Group:
    """What is left in a set behind the last whole record is padding."""
    octets, sets, rows, _, layout, options = asked
    counts = sets.size // layout.size
    of = np.repeat(np.arange(len(rows)), counts)
    place = np.arange(len(of)) - (np.cumsum(counts) - counts)[of]
    at = sets.start[of] + place * layout.size
    # Copied as void, which is one memcpy a record, and looked at as numbers only then.
    windows = np.ndarray((max(len(octets) - layout.size + 1, 0),), f"V{layout.size}", octets, 0, (1,))
    records = windows[at].view(dtype)
    nothing = np.zeros((0, len(at)), np.int64)
    return Group(layout, options, octets, rows[of], place, at, records, nothing, nothing)


def _variable(asked: _Asked, noted: Rejects) -> Group:
    """The records as far as their lengths make sense."""
    steps = list(_steps(asked, noted))
    nothing = np.zeros((len(asked.layout.fields), 0), np.int64)
    of = np.concatenate([np.zeros(0, np.int64), *(step[0] for step in steps)])
    place = np.repeat(np.arange(len(steps)), [len(step[0]) for step in steps])
    starts = np.concatenate([nothing, *(step[1] for step in steps)], 1)
    sizes = np.concatenate([nothing, *(step[2] for step in steps)], 1)
    order = np.argsort(of, kind="stable")
    starts, sizes, rows = starts[:, order], sizes[:, order], asked.rows[of[order]]
    return Group(asked.layout, asked.options, asked.octets, rows, place[order], starts[0], None, starts, sizes)


def _steps(asked: _Asked, noted: Rejects) -> Iterator[tuple[Ints, Ints, Ints]]:
    """A record of each set that has one more at a time: which sets, and where its fields lie."""
    sets, datagrams, layout = asked.sets, asked.datagrams, asked.layout
    rows = np.arange(len(sets.start))
    at, ends = sets.start.copy(), sets.start + sets.size
    # Records shorter than this on average are made up, and would cost more than they bring.
    left = sets.size // SHORTEST
    while len(rows := rows[ends[rows] - at[rows] >= layout.size]):
        noted.add(rejects.RECORDS, datagrams[rows[left[rows] == 0]])
        rows = rows[left[rows] > 0]
        left[rows] -= 1
        starts, sizes, end = _record(asked.octets, layout, at[rows])
        whole = end <= ends[rows]
        noted.add(rejects.RECORD, datagrams[rows[~whole]])
        rows = rows[whole]
        at[rows] = end[whole]
        yield rows, starts[:, whole], sizes[:, whole]


def _record(octets: Octets, layout: Layout, at: Ints) -> tuple[Ints, Ints, Ints]:
    """Where the fields of the records at ``at`` lie, as they say, and where the records end."""
    starts = np.empty((len(layout.fields), len(at)), np.int64)
    sizes = np.empty_like(starts)
    for place, field in enumerate(layout.fields):
        if field.size == VARIABLE:
            size = number(octets, at, 1)
            long = size == _LONG
            sizes[place] = np.where(long, number(octets, at + 1, 2), size)
            at = at + np.where(long, 3, 1)
        else:
            sizes[place] = field.size
        starts[place] = at
        at = at + sizes[place]
    return starts, sizes, at
