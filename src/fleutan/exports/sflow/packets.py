# SPDX-License-Identifier: Apache-2.0
"""Sampled and dropped packets as samples, all of a batch at once: no step is a loop over packets.

A sample is a head, structures of fixed size, and structures that end with octets.  Each is written
for all rows that have it, at the place where it belongs in each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.sflow.batches import Sampled, Structure
from fleutan.protocols.sflow.layouts import FLOW_FORMS
from fleutan.protocols.sflow.layouts.xdr import Elements, Field, Fixed, Layout
from fleutan.protocols.spans import Ints, Octets, Spans

#: Structures of fixed size, by name.
FIXED: Mapping[str, Layout] = {
    forms[0].name: forms[0]
    for forms in FLOW_FORMS.values()
    if all(isinstance(one.type, Fixed) and one.type.code in "BIiQ" for one in forms[0].fields)
}
HEADER = FLOW_FORMS[1][0]
_NUMBER, _WORD = 8, 4


def samples(layout: Layout, batch: Sampled) -> list[bytes]:
    """The samples of this form (``FLOW_SAMPLE_EXPANDED`` or ``DISCARDED_PACKET``), each as it stands in a datagram."""
    n = batch.header.rows
    padded = (batch.header.sizes + 3) & ~3
    head = [one for one in layout.fields if not isinstance(one.type, Elements)]
    begun = _NUMBER + _WORD * (len(head) + 1)
    sizes = begun + _NUMBER + 4 * _WORD + padded
    elements = np.ones(n, np.int64)
    for one in batch.structures:
        sizes = sizes + one.rows * (_NUMBER + _octets(FIXED[one.name].fields))
        elements = elements + one.rows
    for spans in batch.ready:
        sizes = sizes + spans.sizes
        elements = elements + (spans.sizes > 0)
    ends = np.cumsum(sizes)
    out, at = np.zeros(int(ends[-1]) if n else 0, np.uint8), ends - sizes
    _put(out, at, [np.full(n, layout.tag), sizes - _NUMBER, *(batch.head[one.name] for one in head), elements])
    at = _headers(out, at + begun, batch, padded)
    for spans in batch.ready:
        _copy(out, at, spans)
        at = at + spans.sizes
    for one in batch.structures:
        at = _structure(out, at, one)
    whole = out.tobytes()
    return [whole[start:end] for start, end in zip((ends - sizes).tolist(), ends.tolist(), strict=True)]


def _headers(out: Octets, at: Ints, batch: Sampled, padded: Ints) -> Ints:
    """Writes the headers; gives where what follows begins."""
    n, sizes = batch.header.rows, batch.header.sizes
    known = (batch.protocol, batch.length, batch.stripped, sizes)
    _put(out, at, [np.full(n, HEADER.tag), padded + 4 * _WORD, *known])
    at = at + _NUMBER + 4 * _WORD
    _copy(out, at, batch.header)
    return at + padded


def _structure(out: Octets, at: Ints, one: Structure) -> Ints:
    layout, rows = FIXED[one.name], np.flatnonzero(one.rows)
    size = _octets(layout.fields)
    here = at[rows]
    _put(out, here, [np.full(len(rows), layout.tag), np.full(len(rows), size)])
    here = here + _NUMBER
    for column in layout.fields:
        assert isinstance(column.type, Fixed)  # noqa: S101  # FIXED has no others
        _put(out, here, [one.columns[column.name]], column.type.size)
        here = here + column.type.size
    return at + one.rows * (_NUMBER + size)


def _octets(fields: Sequence[Field]) -> int:
    return sum(one.type.size for one in fields if isinstance(one.type, Fixed))


def _put(out: Octets, at: Ints, columns: Sequence[Ints], size: int = _WORD) -> None:
    """Writes numbers of so many octets in network order, those of a row one behind the other."""
    if not len(at):
        return
    block = np.stack(columns, axis=1).astype(np.int64, copy=False).astype(f">u{size}", casting="unsafe")
    octets: NDArray[np.uint8] = block.view(np.uint8).reshape(len(at), -1)
    out[at[:, None] + np.arange(octets.shape[1])] = octets


def _copy(out: Octets, at: Ints, spans: Spans) -> None:
    """Copies strings to their places."""
    sizes = spans.sizes
    if not sizes.any():
        return
    within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    out[np.repeat(at, sizes) + within] = spans.octets[np.repeat(spans.starts, sizes) + within]
