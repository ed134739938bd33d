# SPDX-License-Identifier: Apache-2.0
"""Rows at one level of encapsulation: where each stands, and what its headers said so far.

What lives here reads headers by their layouts, whole or cut, and keeps what they say; which
header follows which is not known here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.packet.columns import Columns
from fleutan.protocols.packet.kinds import Codes, Kind
from fleutan.protocols.packet.layouts import Layout
from fleutan.protocols.packet.names import Tunnel
from fleutan.protocols.packet.windows import Windows, matrix, member, windows
from fleutan.records import Records

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Group(NamedTuple):
    """Rows by number, each with the place in the buffer where it stands and that where it ends."""

    rows: Ints
    at: Ints
    ends: Ints

    def take(self, chosen: Mask) -> Group:
        """Those of the rows; the same object where they are all chosen."""
        # Numbers once, then each column by them: by a mask each costs several times as much.
        numbers = np.flatnonzero(chosen)
        return self if len(numbers) == len(self.rows) else Group(*(column.take(numbers) for column in self))

    def moved(self, by: Ints | int) -> Group:
        """The same rows, each that many octets further on."""
        return self._replace(at=self.at + by)


def gathered(groups: list[Group]) -> Group:
    """All rows of these groups."""
    return groups[0] if len(groups) == 1 else Group(*map(np.concatenate, zip(*groups, strict=True)))


#: What a step gives: what follows in each row of a group.
Follows: TypeAlias = Iterable[tuple[Codes, Group]]


class Place(NamedTuple):
    """Headers of a layout: ``at`` and ``ends`` ``(n,)`` are where each begins, and where its packet's octets end."""

    layout: Layout
    at: Ints
    ends: Ints


class Header:
    """A header that all rows of ``group`` have whole; members are read when they are asked for."""

    def __init__(self, layout: Layout, pieces: Windows, group: Group) -> None:
        self.group = group
        self._members = {each.name: each for each in layout.members}
        self._pieces = pieces

    def __getitem__(self, name: str) -> Ints:
        """``(n,)`` int64, of addresses ``(n, 2)``; an array of its own at each call."""
        return member(self._pieces, self._members[name])


@dataclass
class Level:
    """One level's columns, and the packets found inside its tunnels, which are the next level's.

    ``begins`` is where the octets of each row begin in the buffer: places are told from there.
    ``places``, if it is there, gets every header that is read.
    """

    octets: NDArray[np.uint8]
    begins: Ints
    everything: Ints
    wanted: Container[str] | None
    places: list[Place] | None = None
    inner: list[tuple[Codes, Group]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.columns = Columns(self.everything, self.wanted)
        self.truncated = np.zeros(len(self.everything), np.bool_)
        self.malformed = np.zeros(len(self.everything), np.bool_)

    def read(self, layout: Layout, group: Group) -> Header:
        """The header at which these rows stand, of those that have it whole, and its members as columns.

        Of rows that end inside it, what lies before the end becomes columns too.
        """
        if not len(group.rows):
            return Header(layout, np.empty(0, f"V{layout.size}"), group)
        pieces = windows(self.octets, group.at, layout.size)
        whole = group.ends - group.at >= layout.size
        if not whole.all():
            cut = ~whole
            self._read_cut(layout, pieces[cut], group.take(cut))
            pieces, group = pieces[whole], group.take(whole)
        if layout.expected:
            agreed = self._agreed(layout, pieces, group)
            if not agreed.all():
                pieces, group = pieces[agreed], group.take(agreed)
        self._note(layout, group)
        header = Header(layout, pieces, group)
        for each in layout.members:
            if self.columns.wants(each.name):
                self.columns.put(each.name, group.rows, header[each.name])
        return header

    def _read_cut(self, layout: Layout, pieces: Windows, group: Group) -> None:
        size = group.ends - group.at
        matrix(pieces)[np.arange(layout.size) >= size[:, None]] = 0  # neighbours' octets
        agreed = self._agreed(layout, pieces, group)
        pieces, rows, size = pieces[agreed], group.rows[agreed], size[agreed]
        self._note(layout, group.take(agreed))
        self.truncated[rows] = True
        for each in layout.members:
            known = size >= each.end
            if self.columns.wants(each.name) and known.any():
                self.columns.put(each.name, rows[known], member(pieces[known], each))

    def _note(self, layout: Layout, group: Group) -> None:
        if self.places is not None and len(group.rows):
            self.places.append(Place(layout, group.at, group.ends))

    def _agreed(self, layout: Layout, pieces: Windows, group: Group) -> Mask:
        """The rows that say what is expected of the header, as far as they go."""
        agreed = np.ones(len(group.rows), np.bool_)
        for each in layout.members:
            for value in (value for name, value in layout.expected if name == each.name):
                agreed &= (member(pieces, each) == value) | (group.ends - group.at < each.end)
        if not layout.guessed:
            self.reject(~agreed, group)
        return agreed

    def reject(self, where: Mask, group: Group) -> None:
        """These rows of the group have a header that cannot be one."""
        if where.any():
            self.malformed[group.rows[where]] = True

    def records(self) -> Records:
        """The level's columns."""
        for name, column in (("truncated", self.truncated), ("malformed", self.malformed)):
            self.columns.put(name, self.everything, column)
        return self.columns.records()

    def mark(self, name: str, group: Group) -> None:
        """Where these rows stand, as a column."""
        if self.columns.wants(name):
            begins = self.begins if group.rows is self.everything else self.begins[group.rows]
            self.columns.put(name, group.rows, group.at - begins)

    def put_where(self, known: Mask, name: str, rows: Ints, values: Ints) -> None:
        """These values in those of the rows that are chosen."""
        if not self.columns.wants(name):
            return
        if known.all():
            self.columns.put(name, rows, values)
        else:
            numbers = np.flatnonzero(known)
            self.columns.put(name, rows.take(numbers), values.take(numbers))

    def passable(self, group: Group, sizes: Ints, least: int) -> Mask:
        """Which rows have the whole of a header of these sizes, of which fewer octets than ``least`` are none."""
        possible = sizes >= least
        within = sizes <= group.ends - group.at
        passed: Mask = possible & within
        if not passed.all():
            self.reject(~possible, group)
            self.truncated[group.rows[possible & ~within]] = True
        return passed

    def enter(self, tunnel: Tunnel, codes: Codes, group: Group, ids: Ints | None = None) -> None:
        """These rows carry a packet of another level, which begins where they stand."""
        if self.columns.wants("tunnel"):
            self.columns.put("tunnel", group.rows, np.full(len(group.rows), tunnel))
        if ids is not None:
            self.columns.put("tunnel_id", group.rows, ids)
        known = codes != Kind.END
        if known.any():
            self.inner.append((codes[known], group.take(known)))
