# SPDX-License-Identifier: Apache-2.0
"""Sampled and dropped packets as samples, all of a batch at once: no step is a loop over packets.

A sample is a head, structures of fixed size, and structures that end with octets.  Each is written
for all rows that have it, at the place where it belongs in each.  All of it is words of four octets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fleutan.exports.sflow.datagrams import Samples
from fleutan.protocols.sflow.batches import Sampled, Structure
from fleutan.protocols.sflow.layouts import FLOW_FORMS
from fleutan.protocols.sflow.layouts.xdr import Elements, Field, Fixed, Layout
from fleutan.protocols.spans import Ints, Spans, wide

#: Structures of fixed size, by name.
FIXED: Mapping[str, Layout] = {
    forms[0].name: forms[0]
    for forms in FLOW_FORMS.values()
    if all(isinstance(one.type, Fixed) and one.type.code in "IiQ" for one in forms[0].fields)
}
HEADER = FLOW_FORMS[1][0]
#: In network order.
Words = NDArray[np.uint32]
_NUMBER, _WORD = 8, 4


def samples(layout: Layout, batch: Sampled) -> Samples:
    """The samples of this form (``FLOW_SAMPLE_EXPANDED`` or ``DISCARDED_PACKET``), as they stand in datagrams."""
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
    out, at = np.zeros(int(ends[-1]) // _WORD if n else 0, ">u4"), (ends - sizes) // _WORD
    _put(out, at, [layout.tag, sizes - _NUMBER, *(batch.head[one.name] for one in head), elements])
    at = _headers(out, at + begun // _WORD, batch, padded)
    for spans in batch.ready:
        _copy(out, at, spans)
        at = at + spans.sizes // _WORD
    for one in batch.structures:
        at = _structure(out, at, one)
    return Samples(out.tobytes(), ends.tolist())


def _headers(out: Words, at: Ints, batch: Sampled, padded: Ints) -> Ints:
    """Writes the headers; gives where what follows begins."""
    known = (batch.protocol, batch.length, batch.stripped, batch.header.sizes)
    _put(out, at, [HEADER.tag, padded + 4 * _WORD, *known])
    at = at + _NUMBER // _WORD + 4
    _copy(out, at, batch.header)
    return at + padded // _WORD


def _structure(out: Words, at: Ints, one: Structure) -> Ints:
    layout, rows = FIXED[one.name], np.flatnonzero(one.rows)
    columns: list[Ints | int] = [layout.tag, _octets(layout.fields)]
    for column in layout.fields:
        assert isinstance(column.type, Fixed)  # noqa: S101  # FIXED has no others
        values = one.columns[column.name]
        columns += [values] if column.type.size == _WORD else [values >> 32, values]
    _put(out, at[rows], columns)
    return at + one.rows * len(columns)


def _octets(fields: Sequence[Field]) -> int:
    return sum(one.type.size for one in fields if isinstance(one.type, Fixed))


def _put(out: Words, at: Ints, columns: Sequence[Ints | int]) -> None:
    """Writes numbers, those of a row one behind the other; of what is longer than a word it is the end."""
    block = np.empty((len(at), len(columns)), ">u4")
    for place, column in enumerate(columns):
        block[:, place] = column
    _write(out, at, block)


def _copy(out: Words, at: Ints, spans: Spans) -> None:
    """Copies strings to their places, those of about the same length at once; the words' rest stays zero."""
    words = (spans.sizes + 3) // _WORD
    for number in np.flatnonzero(np.bincount(words)[1:]) + 1:
        rows, width = np.flatnonzero(words == number), int(number) * _WORD
        block = wide(spans.take(rows), width)
        end = block[:, width - _WORD :]
        end[np.arange(width - _WORD, width) >= spans.sizes[rows, None]] = 0
        _write(out, at[rows], block.view(">u4"))


def _write(out: Words, at: Ints, block: Words) -> None:
    """Writes a row of the block at each place."""
    if not block.size:
        return
    width = block.shape[1]
    # Overlapping rows as one element each: numpy copies them whole.
    rows: NDArray[np.void] = np.ndarray((len(out) - width + 1,), f"V{width * _WORD}", out.data, strides=(_WORD,))
    rows[at] = block.view(rows.dtype).reshape(-1)
