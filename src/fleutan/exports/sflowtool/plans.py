# SPDX-License-Identifier: Apache-2.0
"""Samples as shapes and values right from their octets, by plans that are made once for samples alike.

A datagram mostly holds samples of the same structures and sizes as many before it: what is known of
them is one ``struct`` of all their fields, and what prints each structure.  The result is what
``samples`` makes of messages; what is broken, or too rare for a plan, is left to it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from fleutan.exports.sflowtool.samples import Ready, ready
from fleutan.exports.sflowtool.shapes import ELEMENT, LINE, Laid, Piece, Shape
from fleutan.exports.sflowtool.structures import Printer
from fleutan.protocols.sflow.cursor import Cursor, Problem
from fleutan.protocols.sflow.elements import COUNTERS, FLOWS, Element, Forms, read_elements
from fleutan.protocols.sflow.layouts import (
    COUNTER_FORMS,
    COUNTERS_SAMPLE,
    COUNTERS_SAMPLE_EXPANDED,
    FLOW_FORMS,
    SAMPLES,
)
from fleutan.protocols.sflow.layouts.xdr import Address, Elements, Fixed, Layout
from fleutan.protocols.sflow.messages import Extent

#: So many plans are kept: each is of a sequence of structures and sizes.
_PLANS = 1024
#: A sample with more elements has no plan.
_MOST_ELEMENTS = 16
_HEADER = FLOW_FORMS[1][0]
_HEADER_FIELDS = 16
#: Octets of an address by its type: unknown, IPv4, IPv6.
_ADDRESS_OCTETS = (0, 4, 16)
_TAGGED = struct.Struct("!II")
_LAYOUTS = {layout.tag: layout for layout in SAMPLES if isinstance(layout.fields[-1].type, Elements)}
#: Octets up to the elements, by the sample's number.
_OWN = {tag: 4 * len(layout.fields) for tag, layout in _LAYOUTS.items()}
_COUNTERS = (COUNTERS_SAMPLE.tag, COUNTERS_SAMPLE_EXPANDED.tag)
#: What makes pieces of a sample's unpacked values, its datagram, and where it lies; None where something is broken.
Make = Callable[[tuple[Any, ...], bytes, int], Sequence[Piece] | None]


class Same(NamedTuple):
    """An element that is printed field by field: its shape, and which of the sample's values are its own."""

    outline: Shape
    span: slice


Part = Make | Same


class Plan(NamedTuple):
    """How samples of the same structures and sizes are printed.

    ``fields`` unpacks all of one; the first ``own`` values are the sample's, ``parts`` are its elements.
    What ``frame`` picks of the values, how many elements there are and the number and size of each,
    must be ``framed``.
    """

    fields: struct.Struct
    frame: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    framed: tuple[int, ...]
    own: int
    ready: Ready
    parts: tuple[Part, ...]


class _Unpacked(NamedTuple):
    """An element in a plan: what prints it, its codes, and how many values they make."""

    part: Part
    codes: str
    values: int


class Plans:
    """Plans for one way to write, ``most`` at once; ``faithful`` and ``nested`` are as in ``samples.message_parts``."""

    def __init__(self, faithful: bool, nested: bool, most: int = _PLANS) -> None:
        self._most = most
        self._ready: dict[int, Ready] = {tag: ready(layout, faithful, nested) for tag, layout in _LAYOUTS.items()}
        self._plans: dict[tuple[int, ...], Plan] = {}
        # Samples of one number and size mostly are alike: the plan that the last such one had.
        self._likely: dict[tuple[int, int], Plan] = {}
        self._left_out = LINE if nested else None

    def laid(self, octets: bytes, extents: Sequence[Extent]) -> list[Laid] | None:
        """The samples that lie there in a datagram, None where one of them has to be read as a message."""
        found = []
        for tag, at, end in extents:
            plan = self._likely.get((tag, end - at))
            unpacked = plan.fields.unpack_from(octets, at) if plan else ()
            if not plan or plan.frame(unpacked) != plan.framed:
                plan = self._sought(octets, tag, at, end)
                if plan is None:
                    return None
                unpacked = plan.fields.unpack_from(octets, at)
            laid = self._sample(plan, unpacked, octets, at)
            if laid is None:
                return None
            found.append(laid)
        return found

    def _sought(self, octets: bytes, tag: int, at: int, end: int) -> Plan | None:
        """The plan of a sample, made if there is none; None where it cannot have one."""
        key = _key(octets, tag, at, end)
        if key is None:
            return None
        if len(self._plans) >= self._most or len(self._likely) >= self._most:
            self._plans.clear()
            self._likely.clear()
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = _plan(key, self._ready[tag])
        self._likely[tag, end - at] = plan
        return plan

    def _sample(self, plan: Plan, unpacked: tuple[Any, ...], octets: bytes, at: int) -> Laid | None:
        _, _, _, own, known, parts = plan
        outlines: list[Shape | str] = [known.outline]
        values = [*known.head.values(unpacked[:own])]
        for part in parts:
            outlines.append(ELEMENT)
            if type(part) is Same:
                outlines.append(part.outline)
                values += unpacked[part.span]
                continue
            pieces = part(unpacked, octets, at)  # type: ignore[operator]
            if pieces is None:
                return None
            for outline, given in pieces:
                if outline is not self._left_out:
                    outlines.append(outline)
                    values += given
        outlines.append("")
        return Laid(tuple(outlines), values)


def _key(octets: bytes, tag: int, at: int, end: int) -> tuple[int, ...] | None:
    """The sample's number, and number and size of each structure in it; None where they do not fill it."""
    at += _OWN.get(tag, end)
    if at > end:
        return None
    count = int.from_bytes(octets[at - 4 : at])
    if count > _MOST_ELEMENTS:
        return None
    key = [tag]
    for _ in range(count):
        if end - at < 8:
            return None
        head = _TAGGED.unpack_from(octets, at)
        key += head
        at += head[1] + 11 & ~3
    return tuple(key) if at == end else None


def _plan(key: tuple[int, ...], known: Ready) -> Plan:
    own = len(_LAYOUTS[key[0]].fields) - 1
    codes, values, at = "I" * (own + 1), own + 1, _OWN[key[0]]
    # Twice, so that what is picked is a tuple even where there are no elements.
    frame, parts = [own, own], list[Part]()
    for tag, size in zip(key[1::2], key[2::2], strict=True):
        end = at + _TAGGED.size + size + (-size & 3)
        frame += (values, values + 1)
        values += 2
        found = _unpacked(tag, size, values, known, COUNTERS if key[0] in _COUNTERS else FLOWS)
        found = found or _Unpacked(_read(at, end, known, key[0]), f"{end - at - _TAGGED.size}x", 0)
        parts.append(found.part)
        codes += "II" + found.codes
        values, at = values + found.values, end
    count = len(parts)
    return Plan(struct.Struct("!" + codes), itemgetter(*frame), (count, count, *key[1:]), own, known, tuple(parts))


def _unpacked(tag: int, size: int, first: int, known: Ready, forms: Forms) -> _Unpacked | None:
    """An element whose values, from number ``first`` on, are unpacked; None where its size does not say how."""
    if tag == _HEADER.tag and forms is FLOWS and size >= _HEADER_FIELDS and not size & 3:
        return _Unpacked(_header(first, known), f"4I{size - _HEADER_FIELDS}s", 5)
    if exact := forms.exact.get((tag, size)):
        many = len(exact[0].fields)
        return _Unpacked(_fixed(exact[0], slice(first, first + many), known), _codes(exact[0], 0), many)
    layouts = (COUNTER_FORMS if forms is COUNTERS else FLOW_FORMS).get(tag, ())
    if len(layouts) != 1 or [type(field.type) for field in layouts[0].fields].count(Address) != 1:
        return None
    return _with_address(layouts[0], size, first, known)


def _codes(layout: Layout, octets: int) -> str:
    """How a structure is unpacked whose addresses have so many octets."""
    return "".join(field.type.code if isinstance(field.type, Fixed) else f"I{octets}s" for field in layout.fields)


def _fixed(layout: Layout, span: slice, known: Ready) -> Part:
    """A structure of fixed size."""
    printer = known.printers[layout]
    if not isinstance(printer, Printer) or printer.strings:
        return lambda unpacked, _octets, _at: printer(Element(layout.tag, layout, unpacked[span]))
    outline, pick = printer.outline, printer.pick
    if pick:
        return lambda unpacked, _octets, _at: ((outline, pick(unpacked[span])),)
    return Same(outline, span)


def _with_address(layout: Layout, size: int, first: int, known: Ready) -> _Unpacked | None:
    """A structure with one address, whose type must be that which the size suggests."""
    others = [field.type.size for field in layout.fields if isinstance(field.type, Fixed)]
    octets = size - 4 - sum(others)
    if octets not in _ADDRESS_OCTETS or len(others) != len(layout.fields) - 1:
        return None
    kind = _ADDRESS_OCTETS.index(octets)
    at = first + [type(field.type) for field in layout.fields].index(Address)
    end = first + len(layout.fields) + 1
    printer = known.printers[layout]

    def part(unpacked: tuple[Any, ...], _octets: bytes, _at: int) -> Sequence[Piece] | None:
        if unpacked[at] != kind:
            return None
        return printer(Element(layout.tag, layout, unpacked[first:at] + unpacked[at + 1 : end]))

    return _Unpacked(part, _codes(layout, octets), end - first)


def _header(first: int, known: Ready) -> Make:
    """A sampled header, whose length must fit the structure's."""
    # What is unpacked is whole: the printer itself, not what looks for cut structures first.
    printer = known.printers.header

    def part(unpacked: tuple[Any, ...], _octets: bytes, _at: int) -> Sequence[Piece] | None:
        protocol, length, stripped, size, header = unpacked[first : first + 5]
        if size != len(header):
            if size + (-size & 3) != len(header):
                return None
            header = header[:size]
        return printer(Element(1, _HEADER, (protocol, length, stripped, header)))

    return part


def _read(begin: int, end: int, known: Ready, sample: int) -> Make:
    """Any other structure, read as messages are."""
    forms = COUNTERS if sample in _COUNTERS else FLOWS

    def part(_unpacked: tuple[Any, ...], octets: bytes, at: int) -> Sequence[Piece] | None:
        problems: list[Problem] = []
        [element] = read_elements(Cursor(octets, at + begin, at + end, problems), 1, forms, "")
        return None if problems else known.printers[element.layout](element)

    return part
