# SPDX-License-Identifier: Apache-2.0
"""Reads the fields of one layout from many places at once.

What lives here knows the types of ``layouts.xdr`` and no structure.  Neighbouring fields of fixed
size are read together; behind a field of variable size each place goes on by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from fleutan.protocols.sflow.columns.chains import follow
from fleutan.protocols.sflow.columns.fixed import DECODERS
from fleutan.protocols.sflow.columns.problems import Problems, add
from fleutan.protocols.sflow.columns.words import Words, halves, mapped
from fleutan.protocols.sflow.cursor import Reason
from fleutan.protocols.sflow.layouts.xdr import Address, Array, Field, Fixed, Layout, Octets, Type, octets
from fleutan.protocols.spans import Ints, Mask, Spans
from fleutan.records import Known, Values

#: Octets of an address by its type: unknown, IPv4, IPv6.
ADDRESS_OCTETS = np.array([0, 4, 16])


class Strings(NamedTuple):
    """Byte strings of some rows: ``rows`` ``(m,)`` says which row each of the ``m`` ``spans`` belongs to."""

    rows: Ints
    spans: Spans


class Structures(NamedTuple):
    """One structure from ``n`` places, field by field.

    ``values`` and ``known`` are as in ``Records``: numbers int64, floats float64, MAC addresses
    int64 of 48 bits, IP addresses and other strings of 16 octets ``(n, 2)`` halves.  ``strings``
    are strings and arrays, of these the octets of the items as far as they are there.
    """

    values: dict[str, Values]
    known: dict[str, Known]
    strings: dict[str, Strings]


def read(words: Words, at: Ints, ends: Ints, layout: Layout, problems: Problems) -> Structures:
    """The structures of this layout that begin at these words and end with these octets; never raises.

    A field is known where it and those before it lie before the end.  Where one does not, and
    where octets follow the last one, the structure counts as a problem.
    """
    cursors = _Cursors(words, at, ends, layout.name, problems)
    for run in _runs(layout.fields):
        cursors.read(run)
    add(problems, Reason.TRAILING, layout.name, cursors.good & (4 * cursors.at < ends))
    return Structures(cursors.values, cursors.known, cursors.strings)


class _Run(NamedTuple):
    """Fields of fixed size with the octets that they begin at, and the one of variable size that follows them.

    ``size`` counts the octets up to there, with the number that a field of variable size begins with.
    """

    fixed: tuple[tuple[str, Fixed, int], ...]
    last: Field | None
    size: int


@cache
def _runs(fields: tuple[Field, ...]) -> tuple[_Run, ...]:
    runs: list[_Run] = []
    fixed: list[tuple[str, Fixed, int]] = []
    size = 0
    for field in fields:
        if isinstance(field.type, Fixed):
            fixed.append((field.name, field.type, size))
            size += field.type.size
        else:
            runs.append(_Run(tuple(fixed), field, size + 4))
            fixed, size = [], 0
    return (*runs, _Run(tuple(fixed), None, size)) if fixed else tuple(runs)


class _Cursors:
    """Words that move towards their ends (octets); ``good`` are those that have met no problem."""

    def __init__(self, words: Words, at: Ints, ends: Ints, name: str, problems: Problems) -> None:
        self.words, self.at, self.ends = words, at, ends
        self.name, self.problems = name, problems
        self.good: Mask = np.ones(len(at), np.bool_)
        self.values: dict[str, Values] = {}
        self.known: dict[str, Known] = {}
        self.strings: dict[str, Strings] = {}

    def read(self, run: _Run) -> None:
        """Reads these fields and stands behind them."""
        block = self.words.blocks(self.at, run.size >> 2)
        room = self.room
        short = ~self.good | (room < run.size)
        some_short = short.any()
        for name, kind, begin in run.fixed:
            values = DECODERS[kind](block, begin >> 2, begin & 3)
            self.keep(name, values, self.good & (room >= begin + kind.size) if some_short else self.good)
        self.stop(short, Reason.CUT)
        self.at = self.at + (run.size >> 2)
        if run.last:
            _VARIABLE[type(run.last.type)](self, run.last, block[-1])

    @property
    def room(self) -> Ints:
        """How many octets are left; less than none where the last padding is missing."""
        return self.ends - 4 * self.at

    def stop(self, where: Mask, reason: Reason) -> None:
        """Goes on no further there, and counts those that did so far."""
        if where.any():
            add(self.problems, reason, self.name, where & self.good)
            self.good = self.good & ~where

    def keep(self, name: str, values: Values, known: Mask) -> None:
        """Keeps the values of a field."""
        self.values[name] = values
        if not known.all():
            values[~known] = 0
            self.known[name] = known

    def keep_strings(self, name: str, sizes: Ints) -> None:
        """Keeps what so many octets from here on are, where all is well."""
        rows = np.flatnonzero(self.good)
        self.strings[name] = Strings(rows, self.words.spans(self.at[rows], sizes[rows]))

    def skip(self, sizes: Ints) -> None:
        """Moves by so many octets and their padding; what has met a problem need not stand anywhere."""
        self.at = np.where(self.good, self.at + (sizes + 3 >> 2), 0)


def _read_octets(cursors: _Cursors, field: Field, size: Ints) -> None:
    cursors.stop(size > cursors.room, Reason.CUT)
    cursors.keep_strings(field.name, size)
    cursors.skip(size)


def _read_address(cursors: _Cursors, field: Field, kind: Ints) -> None:
    cursors.stop(kind >= len(ADDRESS_OCTETS), Reason.ADDRESS)
    size = ADDRESS_OCTETS.take(kind, mode="clip")
    cursors.stop(size > cursors.room, Reason.CUT)
    four = cursors.words.blocks(cursors.at, 4)
    address = np.where((kind == 1)[:, None], mapped(four[0]), halves(four))
    cursors.keep(field.name, address, cursors.good & (kind > 0))
    cursors.skip(size)


def _read_array(cursors: _Cursors, field: Field, count: Ints) -> None:
    item = field.type.item if isinstance(field.type, Array) else ()
    fields = item if isinstance(item, tuple) else (Field("", item),)
    size = octets(fields)
    if size is None:
        _read_lists(cursors, field, fields[-1].type, count)
    else:
        present = np.minimum(count, np.maximum(cursors.room, 0) // size)
        cursors.keep_strings(field.name, present * size)
        cursors.stop(present < count, Reason.CUT)
        cursors.skip(present * size)


def _read_lists(cursors: _Cursors, field: Field, inner: Type, count: Ints) -> None:
    """Items that are each a number, and an array of fixed size: entries whose lengths count in its items."""
    if not (isinstance(inner, Array) and isinstance(inner.item, Fixed)):
        return _read_rest(cursors, field, count)
    entries = follow(cursors.words, cursors.at, cursors.ends, np.where(cursors.good, count, 0), inner.item.size)
    short = entries.found < count
    short[entries.owner[entries.overrun]] = True
    cursors.stop(short, Reason.CUT)
    cursors.keep_strings(field.name, entries.reached - 4 * cursors.at)
    cursors.skip(entries.reached - 4 * cursors.at)
    return None


def _read_rest(cursors: _Cursors, field: Field, _count: Ints) -> None:
    """What has structures of its own stays octets, with all that follows."""
    rest = np.maximum(cursors.room, 0)
    cursors.keep_strings(field.name, rest)
    cursors.skip(rest)


_VARIABLE: dict[type, Callable[[_Cursors, Field, Ints], None]] = {
    Octets: _read_octets,
    Address: _read_address,
    Array: _read_array,
}
