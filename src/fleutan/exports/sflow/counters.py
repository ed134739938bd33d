# SPDX-License-Identifier: Apache-2.0
"""Counters of a data source as a counter sample (``counters_sample_expanded``, sFlow Version 5, section 5).

Counters are cut to the width of their field, where they go round as they do in the kernel; what is
not known is all ones, as the specification has it, and -1 where a field has a sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fleutan.observed import Counters
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode_sample
from fleutan.protocols.sflow.layouts import COUNTERS, COUNTERS_SAMPLE_EXPANDED
from fleutan.protocols.sflow.layouts.xdr import Array, Field, Fixed, Layout, Octets
from fleutan.protocols.sflow.samples import Sample

Fit = Callable[[Any], Any]
#: Of structures with several forms the first is today's.
LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in reversed(COUNTERS)}


def sample(counters: Counters, number: int) -> bytes:
    """The sample with this sequence number; ``KeyError`` names a structure that there is none of."""
    elements = tuple(element(name, fields) for name, fields in counters.structures.items())
    values = (number & 0xFFFF_FFFF, *counters.source)
    form = COUNTERS_SAMPLE_EXPANDED
    return encode_sample(Sample(form.tag, form, values, elements, len(elements)))


def element(name: str, fields: Mapping[str, Any]) -> Element:
    """A structure by its name; fields that are not given are unknown."""
    layout = LAYOUTS[name]
    return Element(layout.tag, layout, tuple(fit(fields.get(field)) for field, fit in _FITS[layout.name]))


def _fit(kind: object) -> Fit:
    """What makes a value one that its field can hold."""
    match kind:
        case Fixed(code="4s" | "16s" | "6s2x", size=size):
            return _octets(6 if size == 8 else size)
        case Fixed(code="f" | "d"):
            return lambda value: -1.0 if value is None else float(value)
        case Fixed(code="i"):
            return lambda value: -1 if value is None else max(-(1 << 31), min(int(value), (1 << 31) - 1))
        case Fixed(size=size):
            return _whole((1 << 8 * size) - 1)
        case Octets(limit=limit):
            return _text(limit)
        case Array(item=item):
            return _items(item)
    raise TypeError(kind)


def _whole(mask: int) -> Fit:
    return lambda value: mask if value is None else int(value) & mask


def _octets(size: int) -> Fit:
    return lambda value: bytes(value or b"")[:size].ljust(size, b"\0")


def _text(limit: int) -> Fit:
    """Text in UTF-8, cut between characters."""

    def fit(value: str | bytes | None) -> bytes:
        octets = value if isinstance(value, bytes) else (value or "").encode("utf-8", "surrogateescape")
        if not limit or len(octets) <= limit:
            return octets
        return octets[:limit].decode("utf-8", "ignore").encode()

    return fit


def _items(item: object) -> Fit:
    if isinstance(item, tuple):
        fits = [_fit(field.type) for field in item]
        return lambda rows: [
            tuple(fit(value) for fit, value in zip(fits, row, strict=True)) for row in _rows(rows, item)
        ]
    fit = _fit(item)
    return lambda values: [fit(value) for value in values or ()]


def _rows(rows: Any, fields: tuple[Field, ...]) -> list[Any]:
    return [[row.get(field.name) for field in fields] if isinstance(row, Mapping) else row for row in rows or ()]


_FITS: Mapping[str, tuple[tuple[str, Fit], ...]] = {
    layout.name: tuple((field.name, _fit(field.type)) for field in layout.fields) for layout in LAYOUTS.values()
}
