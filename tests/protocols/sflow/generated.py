# SPDX-License-Identifier: Apache-2.0
"""Any values that a layout can hold, for round trips."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.layouts import FLOWS, xdr
from fleutan.protocols.sflow.samples import Sample

NUMBERS = {
    "B": st.integers(0, 2**8 - 1),
    "I": st.integers(0, 2**32 - 1),
    "i": st.integers(-(2**31), 2**31 - 1),
    "Q": st.integers(0, 2**64 - 1),
    "f": st.floats(allow_nan=False, width=32),
    "d": st.floats(allow_nan=False),
}
#: Elements in elements hold none themselves.
INNER = [layout for layout in FLOWS if xdr.octets(layout.fields) is not None]


def value_of(item: xdr.Type) -> st.SearchStrategy[Any]:  # noqa: PLR0911
    match item:
        case xdr.Fixed():
            if item.code in NUMBERS:
                return NUMBERS[item.code]
            size = int(item.code.split("s")[0])
            return st.binary(min_size=size, max_size=size)
        case xdr.Octets():
            return st.binary(max_size=20)
        case xdr.Address():
            return st.one_of(*(st.binary(min_size=size, max_size=size) for size in (0, 4, 16)))
        case xdr.Array():
            one = values_of(item.item) if isinstance(item.item, tuple) else value_of(item.item)
            return st.lists(one, max_size=3).map(tuple)
        case xdr.Choice():
            return st.one_of(*(st.tuples(st.just(number), value_of(kind)) for number, _, kind in item.cases))
        case xdr.Elements():
            return st.lists(st.sampled_from(INNER).flatmap(element_of), max_size=2).map(tuple)


def values_of(fields: tuple[xdr.Field, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*(value_of(field.type) for field in fields))


def element_of(layout: xdr.Layout) -> st.SearchStrategy[Element]:
    return values_of(layout.fields).map(lambda values: Element(layout.tag, layout, values))


def sample_of(layout: xdr.Layout, elements: tuple[Element, ...]) -> st.SearchStrategy[Sample]:
    fields = tuple(field for field in layout.fields if not isinstance(field.type, xdr.Elements))
    return values_of(fields).map(lambda values: Sample(layout.tag, layout, values, elements, len(elements)))
