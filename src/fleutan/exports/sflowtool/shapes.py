# SPDX-License-Identifier: Apache-2.0
"""Pieces of output: names in order, and how each value is written in each format.

A piece's shape is made once, its template once a format; writing a piece is one ``%``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

#: How many a format keeps; names that senders choose make ever new ones.
_TEMPLATES = 4096
#: Of how many addresses the text is kept: as many hosts as a busy link sees at a time.
_ADDRESSES = 1 << 15
Convert = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of value: what makes a word or a number of it, and how that is written.

    ``number`` ones stand without quotes in JSON, ``port`` ones where they are numbers.  ``wire``
    ones were chosen by the sender.
    """

    spec: str = "%s"
    convert: Convert | None = None
    number: bool = False
    wire: bool = False
    port: bool = False


def as_sent(octets: bytes) -> str:
    """A string as a C program prints it: to its first NUL, an octet a character (for ISO 8859-1)."""
    return octets.partition(b"\0")[0].decode("latin-1")


def readable(octets: bytes) -> str:
    """A string as a line can hold it: UTF-8, what is none replaced, control characters as ``\\x0a``."""
    text = octets.decode(errors="replace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


@lru_cache(_ADDRESSES)
def address(octets: bytes) -> str:
    """An address as sflowtool prints it: IPv6 in eight groups, an unknown one as ``-``."""
    if len(octets) == 4:
        return f"{octets[0]}.{octets[1]}.{octets[2]}.{octets[3]}"
    return octets.hex(":", 2) if octets else "-"


def _uuid(octets: bytes) -> str:
    text = octets.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _hundredths(value: int) -> str:
    return "unknown" if value == -1 else f"{value / 100:.2f}"


NUMBER = Kind("%d", number=True)
HEX = Kind("%016x")
LABEL = Kind("0x%1x")
FLOAT = Kind("%.3f", number=True)
DOUBLE = Kind("%.3f", number=True)
HUNDREDTHS = Kind(convert=_hundredths, number=True)
WORD = Kind()
MAC = Kind(convert=bytes.hex)
ADDRESS = Kind(convert=address)
UUID = Kind(convert=_uuid)
OCTETS = Kind(convert=lambda octets: octets.hex("-").upper())
STRING = Kind(wire=True)
#: A line that only text has; it names no field.
NOTE = Kind()
#: A list or object that only JSON has.
NESTED = Kind()


@dataclass(frozen=True, eq=False)
class Shape:
    """Names in order, each with its kind, or with a word that never changes.

    ``templates`` is what formats have made of it.
    """

    entries: tuple[tuple[str, Kind | str], ...]
    templates: dict[object, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[tuple[str, Kind]]:
        """The names whose values change, with their kinds."""
        return [(name, kind) for name, kind in self.entries if isinstance(kind, Kind)]

    def first(self, count: int) -> Shape:
        """The shape of only so many values, of what was cut."""
        entries: list[tuple[str, Kind | str]] = []
        for name, kind in self.entries:
            if isinstance(kind, Kind):
                if not count:
                    break
                count -= 1
            entries.append((name, kind))
        return Shape(tuple(entries))

    def without(self, gone: Iterable[int]) -> Shape:
        """The shape without the values of these numbers."""
        names = [name for number, (name, _) in enumerate(self.names) if number in set(gone)]
        return Shape(tuple(entry for entry in self.entries if entry[0] not in names))


Piece = tuple[Shape, tuple[Any, ...]]


@lru_cache(_TEMPLATES)
def shape(*entries: tuple[str, Kind | str], prefix: str = "") -> Shape:
    """The shape of names and kinds, each name behind ``prefix``: one for the same ones, so that templates are few."""
    return Shape(tuple((prefix + name, kind) for name, kind in entries))


#: Stands before the shapes of each element of a sample.
ELEMENT = "element"


class Laid(NamedTuple):
    """A sample as the shapes of its pieces and all of their values.

    ``ELEMENT`` stands before each element's shapes, and a word behind the last, which says where an
    element is that is not there; nothing is, if it is empty.
    """

    outlines: tuple[Shape | str, ...]
    values: list[Any]


#: The shape of a line that only text has.
LINE = shape(("", NOTE))


class Template(NamedTuple):
    """A text with places for so many values, and what is made of some of them first."""

    text: str
    converts: tuple[tuple[int, Convert], ...]
    places: int


class Templates(dict[tuple[Any, ...], Template]):
    """Templates that were made, by the shapes in them; so many, then anew."""

    def keep(self, outlines: tuple[Any, ...], template: Template) -> Template:
        """Remembers one, and gives it back."""
        if len(self) >= _TEMPLATES:
            self.clear()
        self[outlines] = template
        return template


def filled(template: Template, values: list[Any]) -> str:
    """The text with these values in its places; the list is the template's from then on."""
    for number, convert in template.converts:
        values[number] = convert(values[number])
    return template.text % tuple(values)


class Style:
    """A format.

    ``entry`` says how a name and a value's place stand together, ``specs`` how a kind of value is
    written and what makes of it what is written; ``separator`` stands between entries.
    """

    def __init__(
        self,
        entry: Callable[[str, str], str],
        specs: Callable[[Kind], tuple[str, Convert | None]],
        separator: str = "",
    ) -> None:
        self._entry = entry
        self._specs = specs
        self._separator = separator
        # Samples of one agent have few shapes, so that all pieces of one are written by one template.
        self._templates = Templates()

    def write(self, pieces: Sequence[Piece]) -> str:
        """The pieces as text."""
        outlines = tuple([outline for outline, _ in pieces])
        template = self._templates.get(outlines) or self._templates.keep(outlines, self.template(outlines))
        return filled(template, [value for _, given in pieces for value in given])

    def write_laid(self, laid: Laid) -> str:
        """A sample as text; its values are the format's from then on."""
        template = self._templates.get(laid.outlines)
        if template is None:
            outlines = [outline for outline in laid.outlines if isinstance(outline, Shape)]
            template = self._templates.keep(laid.outlines, self.template(outlines))
        return filled(template, laid.values)

    def template(self, outlines: Iterable[Shape]) -> Template:
        """How pieces of these shapes are written, one behind the other."""
        parts: list[str] = []
        converts: list[tuple[int, Convert]] = []
        number = 0
        for name, kind in (entry for outline in outlines for entry in outline.entries):
            if isinstance(kind, str):
                value = self._specs(WORD)[0].replace("%s", kind.replace("%", "%%"))
            else:
                value, convert = self._specs(kind)
                if convert:
                    converts.append((number, convert))
                number += 1
            parts.append(self._entry(name.replace("%", "%%"), value))
        return Template(self._separator.join(parts), tuple(converts), number)
