# SPDX-License-Identifier: Apache-2.0
"""sFlow's structures without what tells whose traffic it is, field by field by their layouts.

What lives here goes by the types of ``layouts.xdr``.  Numbers stay, addresses are replaced, text
becomes filler, and what holds structures of its own is left empty.  What is behind a field that
is broken stays empty too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from fleutan.protocols.anonymous import packets
from fleutan.protocols.anonymous.canvas import TOO_MANY, Canvas
from fleutan.protocols.sflow.columns.chains import HEAD_OCTETS, Chains, follow
from fleutan.protocols.sflow.columns.structures import ADDRESS_OCTETS
from fleutan.protocols.sflow.columns.words import Words
from fleutan.protocols.sflow.layouts.xdr import GID, IPV4, IPV6, MAC, UUID, Address, Array, Field, Fixed, Octets, octets
from fleutan.protocols.spans import Ints, Mask

#: Text that kernels and chips have in them, and nobody typed: it stays.
KEPT_TEXT = frozenset(("symbol", "group", "trap", "reason"))
#: An OpenFlow switch is mostly known by the MAC address in the last six octets of a number.
_WITH_MAC = {"datapath_id": 2}
_ADDRESSES = {IPV4: 4, IPV6: 16, GID: 16, UUID: 16}
_HEADER = "header"


class Places(NamedTuple):
    """Structures that are walked: which of all, the word that each begins at, the next word, and the end's octet."""

    rows: Ints
    begin: Ints
    at: Ints
    ends: Ints

    @property
    def room(self) -> Ints:
        """How many octets are left of each."""
        return self.ends - 4 * self.at

    def take(self, some: Mask) -> Places:
        """Those of them."""
        return self if some.all() else Places(*(column[some] for column in self))


class _Run(NamedTuple):
    """Fields of fixed size with the octet that each begins at, and the one of variable size that follows, if any.

    ``size`` counts the octets up to there, with the number that a field of variable size begins with.
    """

    fixed: tuple[tuple[Field, int], ...]
    last: Field | None
    size: int


def hide(canvas: Canvas, words: Words, at: Ints, ends: Ints, fields: tuple[Field, ...]) -> Places:
    """Paints the structures of these fields that begin at these words and end with these octets.

    Gives those that are whole, with the words behind them.
    """
    places = Places(np.arange(len(at)), at, at, ends)
    for run in _runs(fields):
        _fixed(canvas, places, run)
        places = places.take(places.room >= run.size)
        places = places._replace(at=places.at + (run.size >> 2))
        if run.last:
            good, behind = _VARIABLE[type(run.last.type)](canvas, words, places, run.last)
            places = places._replace(at=behind).take(good)
    return places


@cache
def _runs(fields: tuple[Field, ...]) -> tuple[_Run, ...]:
    runs: list[_Run] = []
    fixed: list[tuple[Field, int]] = []
    size = 0
    for field in fields:
        if isinstance(field.type, Fixed):
            fixed.append((field, size))
            size += field.type.size
        else:
            runs.append(_Run(tuple(fixed), field, size + 4))
            fixed, size = [], 0
    return (*runs, _Run(tuple(fixed), None, size)) if fixed else tuple(runs)


def _fixed(canvas: Canvas, places: Places, run: _Run) -> None:
    """Neighbouring numbers are copied together where a structure has them all."""
    whole = places.room >= run.size
    some = 4 * places.at[whole]
    for first, size in _kept(run.fixed):
        canvas.keep(some + first, size)
    for field, first in run.fixed:
        there = 4 * places.at[places.room >= first + _size(field)] + first
        if field.type in _ADDRESSES:
            canvas.replace(there, _size(field))
        elif field.type == MAC or field.name in _WITH_MAC:
            before = _WITH_MAC.get(field.name, 0)
            canvas.keep(there, before)
            canvas.replace_macs(there + before)
        elif not whole.all():
            canvas.keep(there, _size(field))


def _size(field: Field) -> int:
    return field.type.size if isinstance(field.type, Fixed) else 0


@cache
def _kept(fixed: tuple[tuple[Field, int], ...]) -> list[tuple[int, int]]:
    """The runs of numbers in these fields: first octet and size."""
    runs: list[tuple[int, int]] = []
    for field, first in fixed:
        if not _is_number(field):
            continue
        begin, before = runs.pop() if runs and sum(runs[-1]) == first else (first, 0)
        runs.append((begin, before + _size(field)))
    return runs


def _is_number(field: Field) -> bool:
    return isinstance(field.type, Fixed) and field.type not in (*_ADDRESSES, MAC) and field.name not in _WITH_MAC


def _text(canvas: Canvas, words: Words, places: Places, field: Field) -> tuple[Mask, Ints]:
    size = words.at(places.at - 1)
    canvas.keep_counts(4 * places.at - 4)
    good = size <= places.room
    at, sizes = 4 * places.at[good], size[good]
    if field.name == _HEADER:
        packets.hide(canvas, at, sizes, words.at(places.begin[good]))
    elif field.name in KEPT_TEXT:
        canvas.keep_strings(at, sizes)
    elif isinstance(field.type, Octets) and field.type.text:
        canvas.fill(at, sizes)
    return good, places.at + (size + 3 >> 2)


def _address(canvas: Canvas, words: Words, places: Places, _: Field) -> tuple[Mask, Ints]:
    kind = words.at(places.at - 1)
    canvas.keep_counts(4 * places.at - 4)
    size = ADDRESS_OCTETS.take(kind, mode="clip")
    good = (kind < len(ADDRESS_OCTETS)) & (size <= places.room)
    for one in (4, 16):
        canvas.replace(4 * places.at[good & (size == one)], one)
    return good, places.at + (size >> 2)


def _array(canvas: Canvas, words: Words, places: Places, field: Field) -> tuple[Mask, Ints]:
    item = field.type.item if isinstance(field.type, Array) else ()
    fields = item if isinstance(item, tuple) else (Field("", item),)
    size = octets(fields)
    if size is None:
        return _lists(canvas, words, places, fields)
    count = words.at(places.at - 1)
    canvas.keep_counts(4 * places.at - 4)
    good = count <= places.room // size
    if all(map(_is_number, fields)):
        canvas.keep_strings(4 * places.at[good], count[good] * size)
    return good, places.at + (count * size + 3 >> 2)


def _lists(canvas: Canvas, words: Words, places: Places, fields: tuple[Field, ...]) -> tuple[Mask, Ints]:
    """Items that are each a number, and an array of numbers or of MAC addresses."""
    inner = fields[-1].type
    if not (isinstance(inner, Array) and isinstance(inner.item, Fixed)):
        return _nothing(canvas, words, places, fields[-1])
    count = words.at(places.at - 1)
    entries = follow(words, places.at, places.ends, count, inner.item.size)
    good = entries.found == count
    good[entries.owner[entries.overrun]] = False
    canvas.keep(4 * places.at[good] - 4, 4)
    # Not the count that was sent: with zeros behind it, it might fit.
    canvas.put(4 * places.at[~good] - 4, TOO_MANY)
    _entries(canvas, entries.take(good[entries.owner]), inner.item)
    return good, entries.reached + 3 >> 2


def _entries(canvas: Canvas, entries: Chains, item: Fixed) -> None:
    canvas.keep(4 * entries.at - HEAD_OCTETS, 4)
    canvas.keep_counts(4 * entries.at - 4)
    many = (entries.ends - 4 * entries.at) // item.size
    if item == MAC:
        canvas.replace_macs(_items(4 * entries.at, many, MAC.size))
    elif _is_number(Field("", item)):
        canvas.keep_strings(4 * entries.at, many * item.size)


def _items(at: Ints, many: Ints, size: int) -> Ints:
    """Where each of so many items begins."""
    ends = np.cumsum(many)
    found: Ints = np.repeat(at - size * (ends - many), many) + size * np.arange(ends[-1] if len(ends) else 0)
    return found


def _nothing(canvas: Canvas, _words: Words, places: Places, _field: Field) -> tuple[Mask, Ints]:
    """What has structures of its own becomes a count of none."""
    canvas.removed["structure in a structure"] += len(places.at)
    return np.zeros(len(places.at), np.bool_), places.at


_VARIABLE: dict[type, Callable[[Canvas, Words, Places, Field], tuple[Mask, Ints]]] = {
    Octets: _text,
    Address: _address,
    Array: _array,
}
