# SPDX-License-Identifier: Apache-2.0
"""The words in which a structure's layout is written: XDR's types (RFC 4506), and sFlow's addresses.

What lives here describes; ``cursor`` reads by it and ``encoder`` writes by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that always takes ``size`` octets; ``code`` is how ``struct`` spells it in network order."""

    name: str
    code: str
    size: int


@dataclass(frozen=True, slots=True)
class Octets:
    """A length and so many octets, padded to a multiple of four: ``opaque<>`` and ``string<>``.

    ``limit`` is what the specification allows, 0 for no limit; readers take longer ones.
    """

    limit: int = 0
    text: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """A type (1 IPv4, 2 IPv6) and 4 or 16 octets; 0 is an unknown address and has no octets."""


@dataclass(frozen=True, slots=True)
class Array:
    """A count and so many items: values of one type, or structures of several fields."""

    item: Type | tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Elements:
    """A count and so many elements, each a tag, a length and the structure that the tag names."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A number and a value of the type that the number names: a discriminated union.

    ``cases`` are number, name and type.
    """

    cases: tuple[tuple[int, str, Fixed | Octets], ...]


Type = Fixed | Octets | Address | Array | Elements | Choice


class Field(NamedTuple):
    """A field by its name in the specification."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A structure: its number, its name, and its fields in the order in which they are sent.

    Layouts are equal where they are the same row of the table.
    """

    enterprise: int
    format: int
    name: str
    fields: tuple[Field, ...]

    @property
    def tag(self) -> int:
        """The number as it stands before the structure: 20 bits of enterprise, 12 of format."""
        return self.enterprise << 12 | self.format

    @property
    def names(self) -> tuple[str, ...]:
        """The fields' names, in order."""
        return tuple(field.name for field in self.fields)


U8 = Fixed("u8", "B", 1)
U32 = Fixed("u32", "I", 4)
I32 = Fixed("i32", "i", 4)
U64 = Fixed("u64", "Q", 8)
FLOAT = Fixed("float", "f", 4)
DOUBLE = Fixed("double", "d", 8)
IPV4 = Fixed("ipv4", "4s", 4)
IPV6 = Fixed("ipv6", "16s", 16)
# XDR pads opaque[6] to eight octets.
MAC = Fixed("mac", "6s2x", 8)
UUID = Fixed("uuid", "16s", 16)
GID = Fixed("gid", "16s", 16)
ADDRESS = Address()
OPAQUE = Octets()
ELEMENTS = Elements()


def string(limit: int = 0) -> Octets:
    """Text of at most ``limit`` octets, in no known encoding."""
    return Octets(limit, text=True)


def row(*columns: str | Type) -> tuple[Field, ...]:
    """Fields from names, each run of them before its type: ``row("a", "b", U32, "c", MAC)``."""
    fields: list[Field] = []
    names: list[str] = []
    for column in columns:
        if isinstance(column, str):
            names.extend(column.split())
        else:
            fields.extend(Field(name, column) for name in names)
            names.clear()
    return tuple(fields)


def octets(fields: tuple[Field, ...]) -> int | None:
    """How many octets these fields take together, None where that depends on what they hold."""
    sizes = [field.type.size for field in fields if isinstance(field.type, Fixed)]
    return sum(sizes) if len(sizes) == len(fields) else None
