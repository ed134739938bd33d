# SPDX-License-Identifier: Apache-2.0
"""Elements as pieces of output, by the tables of names; ``lists`` has those whose print is no list of fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from fleutan.exports.sflowtool.names import COUNTERS, FLOWS, MISSPELT, Printed
from fleutan.exports.sflowtool.shapes import (
    ADDRESS,
    DOUBLE,
    FLOAT,
    HEX,
    HUNDREDTHS,
    LINE,
    MAC,
    NUMBER,
    OCTETS,
    STRING,
    UUID,
    Kind,
    Piece,
    Shape,
    shape,
)
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode_element
from fleutan.protocols.sflow.layouts.xdr import Address, Array, Fixed, Layout, Octets, Type

Pieces = Callable[[Element], list[Piece]]


class Place(NamedTuple):
    """Where an element stands and how it is to be written.

    ``block`` is ``flow`` or ``counters``; ``prefix`` stands before each name.  ``nested`` is for
    formats that have lists.  Elements of versions 2 and 4 are not ``numbered``.
    """

    block: str
    prefix: str = ""
    faithful: bool = False
    nested: bool = False
    numbered: bool = True


_STATUS = (
    *("SUCCESS", "OTHER", "TIMEOUT", "INTERNAL_ERROR", "BAD_REQUEST", "FORBIDDEN", "TOO_LARGE"),
    *("NOT_IMPLEMENTED", "NOT_FOUND", "UNAVAILABLE", "UNAUTHORIZED"),
)
_DIRECTIONS = ("unknown", "received", "sent")


def _status(number: int, misspelt: bool) -> str:
    if number >= len(_STATUS):
        return f"<out-of-range={number}>"
    return "UNATHORIZED" if misspelt and number == 10 else _STATUS[number]


def _direction(number: int) -> str:
    return _DIRECTIONS[number] if number < len(_DIRECTIONS) else "<bad value>"


def _quoted(key: bytes, swapped: bool) -> str:
    """A key with what is no letter or digit as %XX; sflowtool swaps the two digits."""
    step = -1 if swapped else 1
    return "".join(
        chr(octet) if chr(octet).isalnum() and octet < 128 else "+" if octet == 32 else "%" + f"{octet:02X}"[::step]
        for octet in key
    )


_KINDS: dict[str, tuple[Kind, Kind]] = {
    # Ours, and sflowtool's.
    "openflow_datapath_id": (HEX, HEX),
    "tcpinfo_direction": (Kind(convert=_direction),) * 2,
    "status": (Kind(convert=partial(_status, misspelt=False)), Kind(convert=partial(_status, misspelt=True))),
    "memcache_op_key": (Kind(convert=partial(_quoted, swapped=False)), Kind(convert=partial(_quoted, swapped=True))),
    **dict.fromkeys(("5s_cpu", "1m_cpu", "5m_cpu", "disk_partition_max_used"), (HUNDREDTHS, HUNDREDTHS)),
}
_BY_TYPE = {"float": FLOAT, "double": DOUBLE, "mac": MAC, "ipv4": ADDRESS, "ipv6": ADDRESS, "uuid": UUID, "gid": UUID}
#: Of lists of structures, how many.
_COUNT = Kind("%d", len, number=True)
_NUMBERS = Kind(convert=lambda numbers: "-".join(map(str, numbers)))


def kind_of(name: str, item: Type, faithful: bool) -> Kind:
    """How a field of this name and type is written."""
    if name in _KINDS:
        return _KINDS[name][faithful]
    match item:
        case Fixed():
            return _BY_TYPE.get(item.name, NUMBER)
        case Octets():
            return STRING if item.text else OCTETS
        case Address():
            return ADDRESS
        case Array(item=Fixed()):
            return _NUMBERS
    return _COUNT


def lead(layout: Layout, place: Place) -> tuple[tuple[str, str], ...]:
    """The line that names the structure."""
    if not place.numbered:
        return ()
    name = "counterBlock_tag" if place.block == "counters" else "flowBlock_tag"
    return ((name, f"{layout.enterprise}:{layout.format}"),)


def unknown(element: Element, place: Place) -> list[Piece]:
    """A structure without names."""
    tag = f"{element.tag >> 12}:{element.tag & 0xFFF}"
    name = "counterBlock_tag" if place.block == "counters" else "flowBlock_tag"
    size = len(encode_element(element)) - 8 if element.layout else len(element.rest)
    note = f"skipping unknown {place.block}_sample_element: {tag} len={size}"
    return [(shape((name, tag), prefix=place.prefix), ()), (LINE, (note,))]


def by_table(layout: Layout, place: Place) -> Pieces:
    """Prints a structure by its names in sflowtool, or by the specification's where it has none."""
    printed = (COUNTERS if place.block == "counters" else FLOWS).get(layout.tag)
    if printed is None and place.faithful:
        return partial(unknown, place=place)
    if printed is None:
        printed = Printed(names=" ".join(f"{layout.name}_{name}" for name in layout.names))
    names, numbers = _order(layout, printed)
    types = [layout.fields[number].type for number in numbers]
    kinds = [kind_of(name, item, place.faithful) for name, item in zip(names, types, strict=True)]
    if place.faithful:
        names = [MISSPELT.get(name, name) for name in names]
    outline = shape(*lead(layout, place), *printed.lead, *zip(names, kinds, strict=True), prefix=place.prefix)
    always = printed.always.split()
    strings = tuple(
        number
        for number, (name, item) in enumerate(zip(names, types, strict=True))
        if isinstance(item, Octets) and name not in always
    )
    in_order = numbers == list(range(len(layout.fields)))
    return Printer(outline, None if in_order else itemgetter(*numbers), strings, len(layout.fields))


def _order(layout: Layout, printed: Printed) -> tuple[list[str], list[int]]:
    """The names, and the number of the field that each is printed from."""
    words = [word.partition("=") for word in printed.names.split()]
    if any(field for _, _, field in words):
        # Earlier versions have fewer fields.
        words = [word for word in words if word[2] in layout.names]
        return [name for name, _, _ in words], [layout.names.index(field) for _, _, field in words]
    names = [name for name, _, _ in words][: len(layout.fields)]
    return names, list(range(len(names)))


@dataclass(frozen=True)
class Printer:
    """Prints a structure of ``fields`` fields, which ``pick`` puts into order.

    ``strings`` are left out where they are empty.
    """

    outline: Shape
    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None
    strings: tuple[int, ...]
    fields: int
    variants: dict[tuple[int, ...], Shape] = field(default_factory=dict)

    def __call__(self, element: Element) -> list[Piece]:
        """The pieces of an element, which may be cut."""
        values = element.values
        if len(values) < self.fields:
            shown = () if self.pick else values
            return [(self.outline.first(len(shown)), shown)]
        if self.pick:
            values = self.pick(values)
        gone = tuple(number for number in self.strings if not values[number])
        if not gone:
            return [(self.outline, values)]
        if gone not in self.variants:
            self.variants[gone] = self.outline.without(gone)
        return [(self.variants[gone], tuple(value for number, value in enumerate(values) if number not in gone))]
