# SPDX-License-Identifier: Apache-2.0
"""A form that writes nothing: records go to a collector as NetFlow or IPFIX, beside another form or alone.

Discarded packets are left out: a collector would count them as traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fleutan.exports.conversion import Conversion
from fleutan.programs.decoding import Batch, Form
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.spans import joined
from fleutan.records import Records, take
from fleutan.sources.exported import DISCARD
from fleutan.sources.forwarding import Forwarding


class Converted:
    """Sends the records that the filter means; ``beside`` is the form that is written, None for none."""

    def __init__(self, conversion: Conversion, onward: Forwarding, beside: Form | None = None) -> None:
        self._conversion, self._onward, self._beside = conversion, onward, beside

    def of(self, batch: Batch) -> Iterator[bytes]:
        """What the other form writes of a batch, which is sent before."""
        if batch.found.datagrams.spans.rows:
            now_ns = int(batch.found.datagrams.at_ns.max())
            self._onward.send(_as_batch(self._conversion.datagrams(_meant(batch), now_ns), now_ns))
        if self._beside is not None:
            yield from self._beside.of(batch)

    def end(self) -> Iterator[bytes]:
        """What the other form writes at the end."""
        return iter(()) if self._beside is None else self._beside.end()

    def notes(self) -> Iterator[str]:
        """What of the records could not be said."""
        for reason, many in self._conversion.left_out.items():
            yield f"{many} records were not converted: {reason}"
        for name, many in self._conversion.saturated.items():
            instead = "23456, which stands for it" if name.endswith("_as") else "the largest that does"
            yield f"{name} of {many} records does not fit its field, and is {instead}"


def _meant(batch: Batch) -> Records:
    numbers = batch.placed.numbers
    rows = numbers.values["record"] != DISCARD if numbers.rows else np.zeros(0, np.bool_)
    return take(numbers, rows if batch.kept is None else rows & batch.kept)


def _as_batch(strings: Sequence[bytes], now_ns: int) -> Datagrams:
    """Datagrams that nobody sent yet: without ends."""
    spans = joined(strings)
    ends, ports = np.zeros((spans.rows, 2), np.int64), np.zeros(spans.rows, np.int64)
    return Datagrams(spans, spans.sizes, ends, ports, ends, ports, np.full(spans.rows, now_ns))
