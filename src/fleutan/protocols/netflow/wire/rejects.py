# SPDX-License-Identifier: Apache-2.0
"""Why octets of a batch were not read, each reason by its name, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# Of datagrams, which are left out whole.
VERSION = "version that is not NetFlow's"
HEADER = "header cut short"
COUNT = "count of records beyond the datagram"
NOTHING = "header that counts no records"
LENGTH = "length in the header beyond the datagram"
# Of the sets in them.
SET_LENGTH = "set shorter than its header"
SET_BEYOND = "set beyond the datagram"
SET_NUMBER = "set of a reserved number"
SETS = "more sets than are read of one datagram"
CUT = "datagram captured in part"
RECORD = "record beyond its set"
TRAILING = "octets behind the last record"
RECORDS = "more records than are read of one set"
# Of templates.
TEMPLATE = "template cut short"
NUMBER = "template of a reserved number"
EMPTY = "template without fields"
FIELDS = "template of too many fields"
SHORT = "template of records too short to tell from padding"
LONG = "template of records longer than a datagram"
TEMPLATES = "more templates than are kept of one exporter"
ROOM = "more templates than are kept in all"
EXPORTERS = "templates of more exporters than are kept"
# Of records that came before their template.
WAITED = "no template came in time"
NO_TEMPLATE = "no template, and no room to wait for one"

REASONS = (
    *(VERSION, HEADER, COUNT, NOTHING, LENGTH),
    *(SET_LENGTH, SET_BEYOND, SET_NUMBER, SETS, CUT, RECORD, TRAILING, RECORDS),
    *(TEMPLATE, NUMBER, EMPTY, FIELDS, SHORT, LONG, TEMPLATES, ROOM, EXPORTERS),
    *(WAITED, NO_TEMPLATE),
)


class Rejects:
    """Counts what is rejected of a batch, and remembers the first reason of each of its datagrams."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._noted: list[tuple[Ints, str]] = []

    def add(self, reason: str, datagrams: Iterable[int] | Ints) -> None:
        """One of each of these datagrams; a negative one is of an earlier batch."""
        rows = np.fromiter(datagrams, np.int64) if not isinstance(datagrams, np.ndarray) else datagrams
        if len(rows):
            self.counts[reason] += len(rows)
            self._noted.append((rows[rows >= 0], reason))

    def first(self, datagrams: int) -> Ints:
        """``(datagrams,)`` the number in REASONS of what was rejected of each first, -1 where nothing was."""
        found = np.full(datagrams, -1, np.int64)
        for rows, reason in reversed(self._noted):
            found[rows] = REASONS.index(reason)
        return found
