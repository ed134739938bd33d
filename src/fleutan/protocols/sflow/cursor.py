# SPDX-License-Identifier: Apache-2.0
"""Reads the fields of a layout from a part of a datagram, never beyond its end.

What lives here knows the types of ``layouts.xdr`` and no structure.  Values are numbers as numbers,
everything else (addresses, names, MAC addresses) as the octets that were sent; an array is a tuple
of its items, a structure in it a tuple of its fields, a choice its number and its value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from fleutan.protocols.sflow.layouts.xdr import Address, Array, Choice, Elements, Field, Fixed, Octets, Type, octets


class Reason(StrEnum):
    """What is the matter with a datagram, or a part of it."""

    VERSION = "version"
    """The version is none of 2, 4 and 5."""
    ADDRESS = "address type"
    """An address is neither IPv4, IPv6 nor unknown."""
    CHOICE = "value type"
    """The type of a value has no meaning here."""
    TAG = "structure"
    """A structure without a length (versions 2 and 4) is not known, so what follows cannot be found."""
    CUT = "cut"
    """It ends before the fields that it must have do."""
    OVERRUN = "overrun"
    """Its length goes beyond the end of what it lies in."""
    MISSING = "missing"
    """There are fewer samples or elements than the count before them says."""
    TRAILING = "trailing"
    """Octets follow the last field that is known."""


class Problem(NamedTuple):
    """What is wrong, at which octet of the datagram, in which structure."""

    reason: Reason
    at: int
    structure: str


class Broken(Exception):
    """Reading cannot go on in this structure."""

    def __init__(self, reason: Reason, at: int) -> None:
        super().__init__(reason, at)
        self.reason = reason
        self.at = at


class Cursor:
    """A place in ``datagram`` that moves towards ``end``; problems found on the way go to ``problems``."""

    __slots__ = ("at", "datagram", "end", "problems")

    def __init__(self, datagram: bytes, at: int, end: int, problems: list[Problem]) -> None:
        self.datagram = datagram
        self.at = at
        self.end = end
        self.problems = problems

    def pass_over(self, size: int) -> int:
        """Where the next ``size`` octets begin; the cursor stands behind them."""
        at = self.at
        if size > self.end - at:
            raise Broken(Reason.CUT, at)
        self.at = at + size
        return at

    def number(self) -> int:
        """The next unsigned number of 32 bits."""
        found: int = _U32.unpack_from(self.datagram, self.pass_over(4))[0]
        return found

    def take(self, size: int) -> bytes:
        """The next ``size`` octets, and past the padding behind them."""
        at = self.pass_over(size)
        # The last padding may be missing: some agents leave it out of the lengths around it.
        self.at = min(self.at + (-size & 3), self.end)
        return self.datagram[at : at + size]


_U32 = struct.Struct("!I")
Values = list[Any]
Step = Callable[[Cursor, Values], None]


def reader(fields: tuple[Field, ...], elements: Step) -> Step:
    """What reads these fields in order and appends their values to a list.

    Where it raises ``Broken`` the list holds what was read before.  ``elements`` reads elements in
    elements.
    """
    steps: list[Step] = []
    run: list[Fixed] = []
    for field in fields:
        if isinstance(field.type, Fixed):
            run.append(field.type)
            continue
        if run:
            steps.append(_fixed(tuple(run)))
            run.clear()
        steps.append(_step(field.type, elements))
    if run:
        steps.append(_fixed(tuple(run)))
    return steps[0] if len(steps) == 1 else _sequence(tuple(steps))


def _sequence(steps: tuple[Step, ...]) -> Step:
    def read(cursor: Cursor, values: Values) -> None:
        for step in steps:
            step(cursor, values)

    return read


def _fixed(types: tuple[Fixed, ...]) -> Step:
    """Neighbouring fields of fixed size are read at once."""
    form = struct.Struct("!" + "".join(item.code for item in types))
    unpack, size = form.unpack_from, form.size

    def read(cursor: Cursor, values: Values) -> None:
        if size <= cursor.end - cursor.at:
            values.extend(unpack(cursor.datagram, cursor.pass_over(size)))
        else:
            for item in types:
                values.extend(struct.unpack_from("!" + item.code, cursor.datagram, cursor.pass_over(item.size)))

    return read


def _step(item: Type, elements: Step) -> Step:
    match item:
        case Fixed():
            return _fixed((item,))
        case Octets():
            return _octets
        case Address():
            return _address
        case Array():
            return _array(item, elements)
        case Choice():
            return _choice(item, elements)
        case Elements():
            return elements


def _octets(cursor: Cursor, values: Values) -> None:
    values.append(cursor.take(cursor.number()))


def _address(cursor: Cursor, values: Values) -> None:
    at = cursor.at
    kind = cursor.number()
    if kind > 2:
        raise Broken(Reason.ADDRESS, at)
    values.append(cursor.take((0, 4, 16)[kind]))


def _array(array: Array, elements: Step) -> Step:
    single = not isinstance(array.item, tuple)
    fields = array.item if isinstance(array.item, tuple) else (Field("", array.item),)
    if octets(fields) is not None:
        return _plain_array(fields, single)
    one = reader(fields, elements)

    def read(cursor: Cursor, values: Values) -> None:
        items: Values = []
        try:
            # Each item takes at least four octets, so that a false count ends with the octets.
            for _ in range(cursor.number()):
                item: Values = []
                one(cursor, item)
                items.append(item[0] if single else tuple(item))
        finally:
            values.append(tuple(items))

    return read


def _plain_array(fields: tuple[Field, ...], single: bool) -> Step:
    form = struct.Struct("!" + "".join(field.type.code for field in fields if isinstance(field.type, Fixed)))

    def read(cursor: Cursor, values: Values) -> None:
        count = cursor.number()
        present = min(count, (cursor.end - cursor.at) // form.size)
        at = cursor.pass_over(present * form.size)
        items = form.iter_unpack(memoryview(cursor.datagram)[at : cursor.at])
        values.append(tuple(item[0] for item in items) if single else tuple(items))
        if present < count:
            raise Broken(Reason.CUT, cursor.at)

    return read


def _choice(choice: Choice, elements: Step) -> Step:
    steps = {number: _step(item, elements) for number, _, item in choice.cases}

    def read(cursor: Cursor, values: Values) -> None:
        at = cursor.at
        kind = cursor.number()
        if kind not in steps:
            raise Broken(Reason.CHOICE, at)
        value: Values = []
        steps[kind](cursor, value)
        values.append((kind, value[0]))

    return read
