# SPDX-License-Identifier: Apache-2.0
"""Datagrams of exporters, decoded as they come and written in one of many forms.

``run`` is the loop; a form is a ``Form`` (``messages``, ``tables``, ``captured``, ``summary``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.recognise import UNKNOWN
from fleutan.query.predicate import Predicate
from fleutan.sources.datagrams import Source
from fleutan.sources.exported import Decoded, Exporters, Placed, decoded, placed
from fleutan.table import Table

Mask = NDArray[np.bool_]
NO_PROTOCOL = "datagram of no known protocol"
NO_TEMPLATE = "set of records whose template did not come"


class Form(Protocol):
    """What becomes of batches."""

    def of(self, batch: Batch) -> Iterator[bytes]:
        """What is written of a batch."""

    def end(self) -> Iterator[bytes]:
        """What is written at the end."""


class Batch:
    """A batch decoded, with what forms ask of it; made once each, when they do.

    ``kept`` ``(n,)`` says which of its records the filter means, None where there is no filter.
    """

    def __init__(self, found: Decoded, exporters: Exporters, predicate: Predicate | None = None) -> None:
        self.found, self.exporters = found, exporters
        self._predicate = predicate
        self._placed: Placed | None = None
        self._kept: Mask | None = None

    @property
    def placed(self) -> Placed:
        """All records, with their places."""
        if self._placed is None:
            self._placed = placed(self.found, self._predicate.fields if self._predicate else ())
        return self._placed

    @property
    def kept(self) -> Mask | None:
        """Which records the filter means."""
        if self._predicate is None:
            return None
        if self._kept is None:
            from fleutan.query.selection import matching

            self._kept = matching(self.placed.table, self._predicate)
        return self._kept

    def kept_of(self, kind: int) -> Mask | None:
        """Which of the records of a kind (``exported.RECORDS``) the filter means, in their order."""
        kept = self.kept
        return None if kept is None else kept[self.placed.table.columns["record"].values == kind]

    @property
    def records(self) -> Table:
        """The records that the filter means."""
        return self.placed.table if self.kept is None else self.placed.table.take(self.kept)


def run(
    source: Source,
    form: Form,
    predicate: Predicate | None,
    write: Callable[[bytes], object],
    before: Callable[[Datagrams], Datagrams] = lambda datagrams: datagrams,
    seconds: float | None = None,
    flush: Callable[[], None] = lambda: None,
) -> Counter[str]:
    """Decodes batches until the source ends, and says what of the datagrams was not read, and how often.

    ``before`` is what happens to each batch first (it is sent on, anonymised), ``flush`` what
    happens when a batch is written.  With ``seconds`` the form is asked at least so often, of an
    empty batch if need be.
    """
    exporters, unread = Exporters(), Counter[str]()
    for datagrams in source.batches(seconds):
        batch = Batch(decoded(before(datagrams), exporters), exporters, predicate)
        for piece in form.of(batch):
            write(piece)
        flush()
        unread += unread_of(batch.found)
    for piece in form.end():
        write(piece)
    unread[NO_TEMPLATE] += len(exporters.netflow.waiting)
    return +unread


def unread_of(found: Decoded) -> Counter[str]:
    """How often something of a batch was not read, by its reason."""
    unread = Counter({NO_PROTOCOL: int(np.count_nonzero(found.recognised.family == UNKNOWN))})
    if found.netflow is not None:
        unread.update({f"NetFlow: {reason}": many for reason, many in found.netflow.noted.counts.items()})
    if found.sflow is not None:
        for (reason, _), many in found.sflow.problems.items():  # forged structures would be names without end
            unread[f"sFlow: {reason}"] += many
    return +unread
