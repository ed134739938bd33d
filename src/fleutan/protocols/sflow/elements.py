# SPDX-License-Identifier: Apache-2.0
"""The elements of a sample: structures by number, each with a length by which unknown ones are kept and passed over."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from fleutan.protocols.sflow.cursor import Broken, Cursor, Problem, Reason, Step, Values, reader
from fleutan.protocols.sflow.layouts import COUNTER_FORMS, FLOW_FORMS
from fleutan.protocols.sflow.layouts.xdr import Array, Elements, Field, Fixed, Layout, Octets, octets


class Element(NamedTuple):
    """A structure of a sample.

    ``values`` are its fields' in the order of ``layout.fields``, fewer where it was cut.  ``rest``
    are the octets behind them: all of them where the structure is not known and ``layout`` is
    None.
    """

    tag: int
    layout: Layout | None
    values: tuple[Any, ...]
    rest: bytes = b""

    def named(self) -> dict[str, Any]:
        """The values by name, those that were read."""
        return dict(zip(self.layout.names, self.values, strict=False)) if self.layout else {}


class Forms(NamedTuple):
    """How elements of one kind are read.

    ``exact`` are structures of fixed fields, by number and length; ``ending`` those that end with
    octets, by number, with the fields before and the octets' length; ``others`` all, by number.
    """

    exact: Mapping[tuple[int, int], tuple[Layout, struct.Struct]]
    ending: Mapping[int, tuple[Layout, struct.Struct]]
    others: Mapping[int, tuple[tuple[Layout, Step], ...]]


_HEAD = struct.Struct("!II")


def read_elements(cursor: Cursor, count: int, forms: Forms, structure: str) -> list[Element]:
    """The next ``count`` elements of a sample or structure, as far as they are there."""
    found: list[Element] = []
    datagram, end, exact = cursor.datagram, cursor.end, forms.exact
    for _ in range(count):
        at = cursor.at
        if end - at < 8:
            cursor.problems.append(Problem(Reason.MISSING, at, structure))
            break
        tag, size = _HEAD.unpack_from(datagram, at)
        form = exact.get((tag, size))
        if form and size <= end - at - 8:
            cursor.at = at + 8 + size
            found.append(Element(tag, form[0], form[1].unpack_from(datagram, at + 8)))
        else:
            found.append(_ending(cursor, tag, size, forms) or _element(cursor, forms))
    return found


def _ending(cursor: Cursor, tag: int, size: int, forms: Forms) -> Element | None:
    """The next element, if it ends with octets that fill it; sampled headers do, so this is short."""
    form = forms.ending.get(tag)
    at = cursor.at + 8
    if form is None or size & 3 or not form[1].size <= size <= cursor.end - at:
        return None
    layout, head = form
    *values, length = head.unpack_from(cursor.datagram, at)
    start = at + head.size
    if start + length + (-length & 3) != at + size:
        return None
    cursor.at = at + size
    return Element(tag, layout, (*values, cursor.datagram[start : start + length]))


def _element(cursor: Cursor, forms: Forms) -> Element:
    tag, size = _HEAD.unpack_from(cursor.datagram, cursor.at)
    at = cursor.at + 8
    if size > cursor.end - at:
        cursor.problems.append(Problem(Reason.OVERRUN, at - 4, f"{tag >> 12}:{tag & 0xFFF}"))
    end = min(at + size, cursor.end)
    cursor.at = min(end + (-size & 3), cursor.end)
    known = forms.others.get(tag)
    if known is None:
        return Element(tag, None, (), cursor.datagram[at:end])
    attempts = [_read(Cursor(cursor.datagram, at, end, []), layout, read) for layout, read in known]
    # The right form is the one that ends where the structure does; else one that ends before it.
    element, problems = min(attempts, key=_misfit)
    cursor.problems.extend(problems)
    return element


def _misfit(attempt: tuple[Element, list[Problem]]) -> tuple[bool, int]:
    element, problems = attempt
    return any(problem.reason is not Reason.TRAILING for problem in problems), len(element.rest)


def _read(cursor: Cursor, layout: Layout, read: Step) -> tuple[Element, list[Problem]]:
    values: Values = []
    try:
        read(cursor, values)
    except Broken as broken:
        cursor.problems.append(Problem(broken.reason, broken.at, layout.name))
    else:
        if cursor.at < cursor.end:
            cursor.problems.append(Problem(Reason.TRAILING, cursor.at, layout.name))
    rest = cursor.datagram[cursor.at : cursor.end]
    return Element(layout.tag, layout, tuple(values), rest), cursor.problems


def _nested(cursor: Cursor, values: Values) -> None:
    """Elements in an element, whose own elements stay octets: how deep they go is the sender's choice."""
    values.append(tuple(read_elements(cursor, cursor.number(), _INNER, "elements")))


def _nests(fields: tuple[Field, ...]) -> bool:
    return any(
        isinstance(field.type, Elements)
        or (isinstance(field.type, Array) and isinstance(field.type.item, tuple) and _nests(field.type.item))
        for field in fields
    )


def _codes(fields: tuple[Field, ...]) -> str:
    return "".join(field.type.code for field in fields if isinstance(field.type, Fixed))


def _forms(layouts: Mapping[int, tuple[Layout, ...]]) -> Forms:
    exact = {}
    for forms in layouts.values():
        for layout in forms:
            size = octets(layout.fields)
            if size is not None:
                exact[layout.tag, size] = layout, struct.Struct("!" + _codes(layout.fields))
    ending = {
        tag: (layout, struct.Struct("!" + _codes(layout.fields[:-1]) + "I"))
        for tag, (layout, *more) in layouts.items()
        if not more and isinstance(layout.fields[-1].type, Octets) and octets(layout.fields[:-1]) is not None
    }
    others = {
        tag: tuple((layout, reader(layout.fields, _nested)) for layout in forms) for tag, forms in layouts.items()
    }
    return Forms(exact, ending, others)


FLOWS = _forms(FLOW_FORMS)
COUNTERS = _forms(COUNTER_FORMS)
_INNER = Forms(
    FLOWS.exact, FLOWS.ending, {tag: forms for tag, forms in FLOWS.others.items() if not _nests(forms[0][0].fields)}
)
