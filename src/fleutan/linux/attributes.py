# SPDX-License-Identifier: Apache-2.0
"""Netlink messages and their attributes as columns: all messages of a batch are walked in lockstep.

What lives here takes octets and gives places and numbers; it opens no socket and knows no
attribute by name.  What is broken is cut off and counted, never raised.

Sources: netlink(7); include/uapi/linux/netlink.h (struct nlmsghdr, struct nlattr).
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Octets = NDArray[np.uint8]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Octets of struct nlmsghdr and of struct nlattr.
HEADER, ATTRIBUTE = 16, 4
#: Flags that stand in an attribute's type: NLA_F_NESTED, NLA_F_NET_BYTEORDER.
_TYPE = 0x3FFF
#: Octets of whole numbers.
_WHOLE = frozenset({1, 2, 4, 8})
#: Attributes of a message that are looked at, at most; none here has as many.
MOST = 64


class Messages(NamedTuple):
    """Netlink messages in order: the body of message ``i`` is ``octets[starts[i]:ends[i]]``, its type ``kinds[i]``.

    ``datagrams[i]`` says in which datagram it came; all are ``(n,)`` int64.  ``broken`` datagrams end inside a
    message.
    """

    octets: Octets
    starts: Ints
    ends: Ints
    kinds: Ints
    datagrams: Ints
    broken: int


class Attributes(NamedTuple):
    """Where the attributes of each message are: of type ``kind`` that of message ``i`` is
    ``octets[starts[kind][i]:][:sizes[kind][i]]``; its size is -1 where there is none.  A type that no
    message has is absent.
    """

    octets: Octets
    rows: int
    starts: dict[int, Ints]
    sizes: dict[int, Ints]

    def span(self, kind: int) -> tuple[Ints, Ints]:
        """Where the attributes of this type are, and their sizes; -1 where there is none."""
        if kind not in self.sizes:
            return np.zeros(self.rows, np.int64), np.full(self.rows, -1)
        return self.starts[kind], self.sizes[kind]

    def numbers(self, kind: int, order: str = sys.byteorder) -> tuple[Ints, Mask]:
        """Unsigned numbers of 1, 2, 4 or 8 octets, and which messages have them; 0 where they have not."""
        starts, sizes = self.span(kind)
        values, known = np.zeros(self.rows, np.int64), np.zeros(self.rows, np.bool_)
        for size in set(np.unique(sizes).tolist()) & _WHOLE:
            rows = sizes == size
            values[rows] = number(self.octets, starts[rows], size, order)
            known |= rows
        return values, known

    def or_unknown(self, kind: int) -> Ints:
        """Numbers as ``numbers`` has them, -1 where messages have none."""
        values, known = self.numbers(kind)
        return np.where(known, values, -1)


def number(octets: Octets, at: Ints, size: int, order: str = sys.byteorder) -> Ints:
    """The unsigned numbers of ``size`` octets at these places; those of 8 octets reinterpreted as int64.

    What lies beyond the end is read as another place's value.
    """
    found = np.zeros(len(at), np.int64)
    if not len(octets):
        return found
    for place in range(size) if order == "big" else range(size - 1, -1, -1):
        found = found << 8 | octets.take(at + place, mode="clip")
    return found


def messages(octets: Octets, starts: Ints, sizes: Ints) -> Messages:
    """The messages in datagrams ``octets[starts[i]:][:sizes[i]]``, in the order in which they came."""
    at, ends = starts.copy(), starts + sizes
    rows, broken = np.arange(len(starts)), 0
    found: list[tuple[Ints, Ints, Ints, Ints, Ints]] = []
    while len(rows):
        rows = rows[ends[rows] - at[rows] >= HEADER]
        here = at[rows]
        length = number(octets, here, 4)
        whole = (length >= HEADER) & (here + length <= ends[rows])
        broken += int(np.count_nonzero(~whole))
        rows, here, length = rows[whole], here[whole], length[whole]
        kinds = number(octets, here + 4, 2)
        found.append((rows, here, here + HEADER, here + length, kinds))
        at[rows] = here + _aligned(length)
    if not found:
        return Messages(octets, *(np.zeros(0, np.int64),) * 4, broken)
    datagrams, first, begin, end, kind = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((first, datagrams))
    return Messages(octets, begin[order], end[order], kind[order], datagrams[order], broken)


def attributes(octets: Octets, starts: Ints, ends: Ints) -> Attributes:
    """The attributes that stand from ``starts`` to ``ends`` in each message; the last where there are several."""
    found = Attributes(octets, len(starts), {}, {})
    at, rows = starts.copy(), np.arange(len(starts))
    for _ in range(MOST):
        rows = rows[ends[rows] - at[rows] >= ATTRIBUTE]
        if not len(rows):
            break
        here = at[rows]
        length = number(octets, here, 2)
        whole = (length >= ATTRIBUTE) & (here + length <= ends[rows])
        rows, here, length = rows[whole], here[whole], length[whole]
        kinds = number(octets, here + 2, 2) & _TYPE
        for kind in np.unique(kinds).tolist():
            mine = kinds == kind
            if kind not in found.sizes:
                found.starts[kind], found.sizes[kind] = np.zeros(len(starts), np.int64), np.full(len(starts), -1)
            found.starts[kind][rows[mine]] = here[mine] + ATTRIBUTE
            found.sizes[kind][rows[mine]] = length[mine] - ATTRIBUTE
        at[rows] = here + _aligned(length)
    return found


def _aligned(lengths: Ints) -> Ints:
    aligned: Ints = (lengths + 3) & ~3
    return aligned
