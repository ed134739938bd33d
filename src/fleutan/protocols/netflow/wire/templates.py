# SPDX-License-Identifier: Apache-2.0
"""Templates: what exporters say their records are made of, and how those records lie.

What lives here reads template sets and makes numpy dtypes of templates.  It does not know who sent
them or how long they hold; ``state`` does.

RFC 3954 5.2 and 6.1 (NetFlow version 9), RFC 7011 3.2 and 3.4 (IPFIX).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from struct import Struct, pack
from typing import Any, NamedTuple

import numpy as np

from fleutan.protocols.netflow.elements import Element, element, field_9, scope_9
from fleutan.protocols.netflow.wire import rejects

#: The length of a field whose length stands in each record (RFC 7011, 7).
VARIABLE = 0xFFFF
#: Fields that are read of one template; makers' largest have some 150.
FIELDS = 512
#: Shorter records cannot be told from the padding of their set, and cost more than they bring.
SHORTEST = 4
#: Data sets, and so templates, are numbered from here.
FIRST_NUMBER = 256
# So many layouts stay in memory, and so many sets of templates of at most so many octets.
_LAYOUTS, _SMALL = 512, 2_048

_PAIR = Struct("!HH")
_ENTERPRISE = Struct("!I")
_OWN = 0x8000  # a field specifier with an enterprise number


class Scope(NamedTuple):
    """Within what a template's number means something; ``port`` is 0 in version 9."""

    version: int
    high: int
    low: int
    port: int
    domain: int


class Template(NamedTuple):
    """Field specifiers as they came, of NetFlow version 9 or IPFIX (10); ``scopes`` come first in options."""

    version: int
    options: bool
    scopes: int
    specifiers: bytes


class Field(NamedTuple):
    """An element in records; ``size`` is in octets, or VARIABLE."""

    element: Element
    size: int
    scope: bool


class Layout(NamedTuple):
    """The fields of records, and how many octets a record has at least.

    ``dtype`` has a field ``"0"``, ``"1"`` … for each that is not empty, and is None where lengths
    vary: numbers of 1, 2 and 4 octets unsigned, of 8 signed, 16 octets as two of those, others as
    octets, all in network order.
    """

    fields: tuple[Field, ...]
    size: int
    dtype: np.dtype[Any] | None


#: A template's number with the template, with None if it is withdrawn (0: all), or why it is none.
Read = tuple[int, Template | str | None]


def read_set(octets: bytes, version: int, options: bool) -> tuple[Read, ...]:
    """Every template in the body of a set, in order, up to the padding or what makes no sense."""
    return _again(octets, version, options) if len(octets) <= _SMALL else tuple(_read(octets, version, options))


@lru_cache(_LAYOUTS)
def _again(octets: bytes, version: int, options: bool) -> tuple[Read, ...]:
    """Exporters send the same again and again, some in every datagram."""
    return tuple(_read(octets, version, options))


def _read(octets: bytes, version: int, options: bool) -> Iterator[Read]:
    at = 0
    while len(octets) - at >= _PAIR.size:
        number, count = _PAIR.unpack_from(octets, at)
        if number < FIRST_NUMBER:
            if version == 10 and not count and number in (2, 3):
                yield 0, None
            elif number or count:
                yield number, rejects.NUMBER
            return
        body = _READERS[version, options](octets, at)
        if isinstance(body, str):
            yield number, body
            return
        template, at = body
        yield number, _usable(template) if template else None


def written(number: int, template: Template) -> bytes:
    """The octets of which ``read_set`` reads this template again."""
    count = len(layout(template).fields)
    if not template.options:
        return _PAIR.pack(number, count) + template.specifiers
    counts = (4 * template.scopes, 4 * (count - template.scopes)) if template.version == 9 else (count, template.scopes)
    return pack("!HHH", number, *counts) + template.specifiers


def _read_9(octets: bytes, at: int) -> tuple[Template, int] | str:
    _, count = _PAIR.unpack_from(octets, at)
    return _plain(Template(9, False, 0, octets[at + 4 : at + 4 + 4 * count]), at + 4, 4 * count)


def _read_options_9(octets: bytes, at: int) -> tuple[Template, int] | str:
    """Scopes and fields by the octets of their specifiers."""
    if len(octets) - at < 6:
        return rejects.TEMPLATE
    scopes, fields = _PAIR.unpack_from(octets, at + 2)
    if (scopes | fields) & 3:
        return rejects.TEMPLATE
    size = scopes + fields
    return _plain(Template(9, True, scopes // 4, octets[at + 6 : at + 6 + size]), at + 6, size)


def _plain(template: Template, at: int, size: int) -> tuple[Template, int] | str:
    return (template, at + size) if len(template.specifiers) == size else rejects.TEMPLATE


def _read_10(octets: bytes, at: int) -> tuple[Template | None, int] | str:
    _, count = _PAIR.unpack_from(octets, at)
    return _numbered(octets, at + 4, count, 0, False) if count else (None, at + 4)


def _read_options_10(octets: bytes, at: int) -> tuple[Template | None, int] | str:
    _, count = _PAIR.unpack_from(octets, at)
    if not count:
        return None, at + 4
    if len(octets) - at < 6:
        return rejects.TEMPLATE
    scopes = int.from_bytes(octets[at + 4 : at + 6])
    return _numbered(octets, at + 6, count, scopes, True) if scopes <= count else rejects.TEMPLATE


def _numbered(octets: bytes, at: int, count: int, scopes: int, options: bool) -> tuple[Template, int] | str:
    """The end of so many field specifiers has to be looked for: an enterprise number makes them longer."""
    end = at
    for _ in range(count):
        if len(octets) - end < 4:
            return rejects.TEMPLATE
        end += 8 if octets[end] & 0x80 else 4
    return (Template(10, options, scopes, octets[at:end]), end) if end <= len(octets) else rejects.TEMPLATE


_READERS = {
    (9, False): _read_9,
    (9, True): _read_options_9,
    (10, False): _read_10,
    (10, True): _read_options_10,
}


def _usable(template: Template) -> Template | str:
    """The template, or why its records cannot be read."""
    sizes = [size for _, size in _specified(template)]
    if not sizes:
        return rejects.EMPTY
    if len(sizes) > FIELDS:
        return rejects.FIELDS
    shortest = _shortest(sizes)
    if shortest < SHORTEST and VARIABLE not in sizes:
        return rejects.SHORT
    return template if shortest <= 0xFFFF else rejects.LONG


@lru_cache(_LAYOUTS)
def layout(template: Template) -> Layout:
    """How records of a template lie; ``read_set`` has seen to its bounds."""
    return arranged(_fields(template))


def arranged(fields: tuple[Field, ...]) -> Layout:
    """How records of these fields lie."""
    shortest = _shortest(field.size for field in fields)
    if any(field.size == VARIABLE for field in fields):
        return Layout(fields, shortest, None)
    members = [(str(place), *_member(field.size)) for place, field in enumerate(fields) if field.size]
    return Layout(fields, shortest, np.dtype(members))


@lru_cache(_LAYOUTS)
def places(fields: tuple[Field, ...]) -> dict[str, int]:
    """Where each element first stands that a record has octets for."""
    return {field.element.name: place for place, field in reversed(list(enumerate(fields))) if field.size}


def _shortest(sizes: Iterable[int]) -> int:
    return sum(1 if size == VARIABLE else size for size in sizes)


def _member(size: int) -> tuple[str] | tuple[str, tuple[int]]:
    numbers = {1: "u1", 2: ">u2", 4: ">u4", 8: ">i8"}
    if size in numbers:
        return (numbers[size],)
    return (">i8", (2,)) if size == 16 else ("u1", (size,))


def _fields(template: Template) -> tuple[Field, ...]:
    of = _element_9 if template.version == 9 else _element_10
    specified = enumerate(_specified(template))
    return tuple(
        Field(of(number, place < template.scopes), size, place < template.scopes) for place, (number, size) in specified
    )


def _element_9(number: tuple[int, int], scope: bool) -> Element:
    return scope_9(number[1]) if scope else field_9(number[1])


def _element_10(number: tuple[int, int], _: bool) -> Element:
    return element(*number)


def _specified(template: Template) -> Iterator[tuple[tuple[int, int], int]]:
    """The enterprise and number of each field, and its size."""
    octets, at = template.specifiers, 0
    while at < len(octets):
        number, size = _PAIR.unpack_from(octets, at)
        at += 4
        enterprise = 0
        if number & _OWN and template.version != 9:
            (enterprise,) = _ENTERPRISE.unpack_from(octets, at)
            number, at = number & ~_OWN, at + 4
        yield (enterprise, number), size
