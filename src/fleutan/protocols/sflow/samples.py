# SPDX-License-Identifier: Apache-2.0
"""The samples of version 5: flows, counters, discarded packets, and named figures of applications."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from fleutan.protocols.sflow.cursor import Broken, Cursor, Problem, Reason, Step, Values, reader
from fleutan.protocols.sflow.elements import COUNTERS, FLOWS, Element, Forms, read_elements
from fleutan.protocols.sflow.layouts import COUNTERS_SAMPLE, COUNTERS_SAMPLE_EXPANDED, SAMPLES
from fleutan.protocols.sflow.layouts.xdr import Elements, Fixed, Layout


class Sample(NamedTuple):
    """A sample.

    ``values`` are its fields' in the order of ``layout.fields`` but for the elements, fewer where
    it was cut.  ``element_count`` is how many elements it says it has.  ``rest`` are octets behind what is
    known: all of them where ``layout`` is None.  ``whole`` says that nothing was wrong in it.
    """

    tag: int
    layout: Layout | None
    values: tuple[Any, ...]
    elements: tuple[Element, ...] = ()
    element_count: int = 0
    rest: bytes = b""
    whole: bool = True

    def named(self) -> dict[str, Any]:
        """The values by name, those that were read, without the elements."""
        return dict(zip(self.layout.names, self.values, strict=False)) if self.layout else {}


class _Form(NamedTuple):
    layout: Layout
    # The fields before the elements, and the elements' count.
    head: struct.Struct | None
    read: Step
    forms: Forms


def read_sample(cursor: Cursor, tag: int) -> Sample:
    """The sample that the cursor holds, whose number and length were before it."""
    form = _FORMS.get(tag)
    if form is None:
        return Sample(tag, None, (), rest=cursor.datagram[cursor.pass_over(cursor.end - cursor.at) : cursor.end])
    if form.head is None or form.head.size > cursor.end - cursor.at:
        return _without_elements(cursor, form)
    *values, count = form.head.unpack_from(cursor.datagram, cursor.pass_over(form.head.size))
    elements = read_elements(cursor, count, form.forms, form.layout.name)
    if cursor.at < cursor.end:
        return Sample(tag, form.layout, tuple(values), tuple(elements), count, _trailing(cursor, form.layout))
    return Sample(tag, form.layout, tuple(values), tuple(elements), count)


def _without_elements(cursor: Cursor, form: _Form) -> Sample:
    """A sample of fields alone, or one that ends before its elements."""
    values: Values = []
    try:
        form.read(cursor, values)
    except Broken as broken:
        cursor.problems.append(Problem(broken.reason, broken.at, form.layout.name))
        rest = cursor.datagram[cursor.at : cursor.end]
    else:
        rest = _trailing(cursor, form.layout) if cursor.at < cursor.end else b""
    return Sample(form.layout.tag, form.layout, tuple(values), rest=rest)


def _trailing(cursor: Cursor, layout: Layout) -> bytes:
    cursor.problems.append(Problem(Reason.TRAILING, cursor.at, layout.name))
    return cursor.datagram[cursor.at : cursor.end]


def _no_elements(cursor: Cursor, _: Values) -> None:
    """Stands where elements would be read: what is cut before them has none."""
    cursor.number()


def _form(layout: Layout) -> _Form:
    codes = [field.type.code for field in layout.fields if isinstance(field.type, Fixed)]
    head = struct.Struct("!" + "".join(codes) + "I") if isinstance(layout.fields[-1].type, Elements) else None
    forms = COUNTERS if layout in (COUNTERS_SAMPLE, COUNTERS_SAMPLE_EXPANDED) else FLOWS
    return _Form(layout, head, reader(layout.fields, _no_elements), forms)


_FORMS = {layout.tag: _form(layout) for layout in SAMPLES}
